/**
 * Counts eight keys up in the store at a path, and prints a line once a step
 * has been acknowledged: until it is killed.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { RocksDB } from "@effect-bookie/rocksdb"
import { writeSync } from "node:fs"
import { RocksDBKeyValueStore } from "../../src/index.ts"

const [path = ""] = process.argv.slice(2)

const count = (key: string) =>
  Effect.gen(function* () {
    const store = yield* KeyValueStore.KeyValueStore
    if (!(yield* store.has(key))) yield* store.set(key, "0")
    while (true) {
      const value = yield* store.modify(key, (value) => String(Number(value) + 1))
      writeSync(1, `${key} ${value}\n`)
    }
  })

await Effect.runPromise(
  Effect.forEach(Array.from({ length: 8 }).keys(), (at) => count(`k${at}`), { concurrency: "unbounded" }).pipe(
    Effect.provide(Layer.provide(RocksDBKeyValueStore.layer(), RocksDB.layer({ path })))
  )
)
