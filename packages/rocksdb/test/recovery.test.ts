import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { setImmediate } from "node:timers/promises"
import { Engine, NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { bytes, text } from "./support/bytes.ts"
import { temporaryDirectory } from "./support/directory.ts"

/** The default engine, where each database that is opened is changed: the first one, the second, and so on. */
const changed = (change: (database: Engine.Database, opens: number) => Engine.Database) =>
  Layer.effect(
    Engine.Engine,
    Effect.map(Engine.Engine, (engine) => {
      let opens = 0
      const open: typeof engine.open = (options) =>
        Effect.suspend(() => {
          opens += 1
          const count = opens
          return Effect.map(engine.open(options), (database) => change(database, count))
        })
      return Engine.Engine.of({ ...engine, open })
    })
  ).pipe(Layer.provide(NativeEngine.layer))

const noSpace = () => Object.assign(new Error("no space left on device"), { code: "ENOSPC" })

/**
 * Refuses one write, and not before a call that is made beside it is about to answer: so that call answers while the
 * write begins to look for room.
 */
const refusal = () => {
  const refused = Promise.withResolvers<never>()
  return {
    refused: refused.promise,
    before: async <A>(call: Promise<A>): Promise<A> => {
      const answer = await call
      refused.reject(noSpace())
      await setImmediate()
      return answer
    }
  }
}

it.live("a write that hears of a full disk when there is room again is not refused", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory })
    yield* database.put(bytes("a"), bytes("1"))
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
  }).pipe(
    Effect.scoped,
    Effect.provide(
      changed((database, opens) => (opens === 1 ? { ...database, write: () => Promise.reject(noSpace()) } : database))
    )
  )
)

it.live("a write that succeeds while another begins to recover from a full disk keeps the streams alive", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory })
    yield* database.put(bytes("a"), bytes("1"))
    yield* database.put(bytes("b"), bytes("2"))
    const reader = yield* Effect.forkChild(
      Stream.runCount(Stream.tap(database.stream(), () => Effect.sleep("100 millis")))
    )
    yield* Effect.sleep("20 millis")
    const both = [database.put(bytes("c"), bytes("3")), database.put(bytes("d"), bytes("4"))]
    yield* Effect.all(both, { concurrency: 2 })
    assert.strictEqual(yield* Fiber.join(reader), 2)
    assert.strictEqual(text(yield* database.get(bytes("c"))), "3")
  }).pipe(
    Effect.scoped,
    Effect.provide(
      changed((database) => {
        const { before, refused } = refusal()
        let writes = 0
        return {
          ...database,
          write: (operations, sync) => {
            writes += 1
            if (writes === 3) return refused
            return writes === 4 ? before(database.write(operations, sync)) : database.write(operations, sync)
          }
        }
      })
    )
  )
)

it.live("a compaction that succeeds while a write begins to recover from a full disk does not keep it from that", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory })
    yield* Effect.all([database.put(bytes("a"), bytes("1")), database.compact()], { concurrency: 2 })
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
  }).pipe(
    Effect.scoped,
    Effect.provide(
      changed((database, opens) => {
        if (opens > 1) return database
        const { before, refused } = refusal()
        let writes = 0
        return {
          ...database,
          write: () => {
            writes += 1
            return writes === 1 ? refused : Promise.reject(noSpace())
          },
          compact: (interval) => before(database.compact(interval))
        }
      })
    )
  )
)
