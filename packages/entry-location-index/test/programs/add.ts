/**
 * Adds entries to the index at a path and deletes ledgers of it, and prints a
 * line once an operation has been acknowledged: until it is killed. Its
 * arguments are the path, the number of the first operation, and the size of the
 * memtables of the index.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RocksDB } from "@effect-bookie/rocksdb"
import { writeSync } from "node:fs"
import { EntryLocationIndex } from "../../src/index.ts"
import { operation } from "./operations.ts"

const [path = "", first = "0", memtableSize = "134217728"] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const index = yield* EntryLocationIndex.EntryLocationIndex
  for (let number = Number(first); ; number++) {
    const { added, deleted } = operation(number)
    yield* deleted === undefined ? index.addLocations(added) : index.deleteLedger(deleted)
    writeSync(1, `${number}\n`)
  }
})

await Effect.runPromise(
  Effect.provide(
    program,
    Layer.provide(
      EntryLocationIndex.layer({ memtableSize: Number(memtableSize) }),
      RocksDB.layer({ path, writeBufferSize: "64 KiB" })
    )
  )
)
