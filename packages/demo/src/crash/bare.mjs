/**
 * Reads a property after close on the bare binding. Plain JavaScript, because
 * the Node that loads the binding may be too old for TypeScript.
 * Arguments: the binding's file, a directory.
 */
import { createRequire } from "node:module"

const [, , binding, directory] = process.argv
const level = createRequire(import.meta.url)(binding)(directory)
level.open({}, () => {
  console.log(`open: rocksdb.estimate-num-keys is ${level.getProperty("rocksdb.estimate-num-keys")}`)
  level.close(() => {
    console.log("closed: reading rocksdb.estimate-num-keys once more")
    console.log(`alive: it is ${level.getProperty("rocksdb.estimate-num-keys")}`)
  })
})
