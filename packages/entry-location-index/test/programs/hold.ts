/**
 * Opens the index at a path, prints how many entries it has, and holds it until
 * it is killed. Exits with 1 if it cannot be opened.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RocksDB } from "@effect-bookie/rocksdb"
import { writeSync } from "node:fs"
import { EntryLocationIndex } from "../../src/index.ts"

const [path = ""] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const index = yield* EntryLocationIndex.EntryLocationIndex
  writeSync(1, `${yield* index.entryCount}\n`)
  // Keeps the process alive, which a suspended fiber does not.
  setInterval(() => {}, 1000)
  return yield* Effect.never
})

const index = Layer.provide(EntryLocationIndex.layer(), RocksDB.layer({ path }))

await Effect.runPromise(Effect.provide(program, index)).catch(() => {
  process.exitCode = 1
})
