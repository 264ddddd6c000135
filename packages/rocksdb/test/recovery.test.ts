import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { Engine, NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { bytes } from "./support/bytes.ts"
import { temporaryDirectory } from "./support/directory.ts"
import { tagOf } from "./support/failure.ts"

/** The default engine, on a disk that is full for some writes: of so many opens and so many writes, counted from 1. */
const fullFor = (isFull: (opens: number, writes: number) => boolean) =>
  Layer.effect(
    Engine.Engine,
    Effect.map(Engine.Engine, (engine) => {
      let opens = 0
      let writes = 0
      const watch = (database: Engine.Database): Engine.Database => ({
        ...database,
        write: async (operations, sync) => {
          writes += 1
          if (isFull(opens, writes)) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" })
          await database.write(operations, sync)
        }
      })
      const open: typeof engine.open = (options) =>
        Effect.suspend(() => {
          opens += 1
          return Effect.map(engine.open(options), watch)
        })
      return Engine.Engine.of({ ...engine, open })
    })
  ).pipe(Layer.provide(NativeEngine.layer))

it.live("a write that succeeds while another begins to recover from a full disk keeps the streams alive", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory })
    yield* database.put(bytes("a"), bytes("1"))
    yield* database.put(bytes("b"), bytes("2"))
    const reader = yield* Effect.forkChild(
      Stream.runCount(Stream.tap(database.stream(), () => Effect.sleep("100 millis")))
    )
    yield* Effect.sleep("20 millis")
    assert.strictEqual(yield* tagOf(database.put(bytes("c"), bytes("3"))), "NoSpace")
    const both = [
      database.put(bytes("c"), bytes("3")),
      database.put(bytes("d"), bytes("4"), { durability: "buffered" })
    ]
    yield* Effect.all(both, { concurrency: 2 })
    assert.strictEqual(yield* Fiber.join(reader), 2)
  }).pipe(Effect.scoped, Effect.provide(fullFor((_opens, writes) => writes === 3 || writes === 4)))
)

it.live("a compaction that succeeds while the disk is full for writes does not keep them from working again", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory })
    assert.strictEqual(yield* tagOf(database.put(bytes("a"), bytes("1"))), "NoSpace")
    yield* database.compact()
    yield* database.put(bytes("a"), bytes("1"))
  }).pipe(Effect.scoped, Effect.provide(fullFor((opens) => opens === 1)))
)
