/**
 * Offers to the queue at a path and takes from it, at once, and prints a line
 * when an element has been offered, when it is handed out and when it has been
 * settled: until it is killed.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import { RocksDB } from "@effect-bookie/rocksdb"
import { writeSync } from "node:fs"
import { RocksDBPersistedQueue } from "../../src/index.ts"

const [path = ""] = process.argv.slice(2)

const say = (line: string) => Effect.sync(() => void writeSync(1, `${line}\n`))

const offering = Effect.gen(function* () {
  const store = yield* PersistedQueue.PersistedQueueStore
  for (let at = 0; ; at++) {
    const id = `${process.pid}-${at}`
    yield* store.offer({ name: "q", id, element: { id }, isCustomId: true })
    yield* say(`offered ${id}`)
  }
})

const taking = Effect.gen(function* () {
  const store = yield* PersistedQueue.PersistedQueueStore
  while (true) {
    const id = yield* Effect.scoped(
      Effect.gen(function* () {
        const options = { name: "q", maxAttempts: 99, retryDelay: () => Effect.succeed(Duration.zero) }
        const { id } = yield* store.take(options)
        yield* say(`began ${id}`)
        return id
      })
    )
    yield* say(`settled ${id}`)
  }
})

await Effect.runPromise(
  Effect.all([offering, taking, taking, taking], { concurrency: "unbounded" }).pipe(
    Effect.provide(Layer.provide(RocksDBPersistedQueue.layer(), RocksDB.layer({ path })))
  )
)
