/**
 * Reads a property after close through `RocksDB`, on the same binding. Runs on
 * the built packages, which the condition `dist` finds. Argument: a directory.
 */
import { RocksDB } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const [, , directory] = process.argv

const database = Layer.provide(RocksDB.layerWithoutEngine({ path: directory }), LevelEngine.layer)
const readProperty = (service) => service.property("rocksdb.estimate-num-keys")

const escaped = await Effect.runPromise(
  RocksDB.RocksDB.use((service) =>
    Effect.map(readProperty(service), (value) => {
      console.log(`open: rocksdb.estimate-num-keys is ${value}`)
      return service
    })
  ).pipe(Effect.provide(database))
)
console.log("closed: reading rocksdb.estimate-num-keys once more")
const error = await Effect.runPromise(Effect.flip(readProperty(escaped)))
console.log(`alive: it answers ${error.reason._tag}: ${error.message}`)
process.exitCode = error.reason._tag === "Closed" ? 0 : 1
