import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Engine, NativeEngine, RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import { withFullDisk } from "@effect-bookie/rocksdb/EngineSupport"
import { WriteStall } from "../src/internal/fullDisk/WriteStall.ts"
import { bytes, text } from "@effect-bookie/testing/bytes"
import { temporaryDirectory } from "@effect-bookie/testing/directory"

const writeBufferSize = 1024 * 1024

/** The properties of a RocksDB that has a full memtable and another one that is nearly full. */
const behind = {
  "rocksdb.num-immutable-mem-table": 1,
  "rocksdb.cur-size-active-mem-table": writeBufferSize - 1,
  "rocksdb.background-errors": 0,
  "rocksdb.num-files-at-level0": 0
}

/** What a large batch fails with, if it does. */
const failureOf = (stall: WriteStall) =>
  Effect.promise(async () => {
    try {
      await stall.prevent(writeBufferSize)
      return undefined
    } catch (cause) {
      return RocksDBError.fromNative(cause, { operation: "put", path: "/db" })
    }
  })

describe("a write that finds two memtables full", () => {
  it.effect("fails where the flush does not end, and may be tried again", () =>
    Effect.gen(function* () {
      const properties: Record<string, number> = { ...behind }
      const stall = new WriteStall("/db", writeBufferSize, async (name) => properties[name] ?? 0, 20)
      const error = yield* failureOf(stall)
      assert.deepInclude(error?.reason, { _tag: "IOError", code: "ETIMEDOUT" })
      assert.isTrue(error?.isRetryable)
      properties["rocksdb.num-immutable-mem-table"] = 0
      assert.isUndefined(yield* failureOf(stall))
    })
  )

  it.effect("fails at once where RocksDB has failed in the background since the first one was full", () =>
    Effect.gen(function* () {
      const properties: Record<string, number> = { ...behind, "rocksdb.cur-size-active-mem-table": 0 }
      const stall = new WriteStall("/db", writeBufferSize, async (name) => properties[name] ?? 0)
      // While the second one has room yet.
      properties["rocksdb.background-errors"] = 1
      assert.isUndefined(yield* failureOf(stall))
      properties["rocksdb.cur-size-active-mem-table"] = writeBufferSize - 1
      assert.include((yield* failureOf(stall))?.message, "RocksDB has failed to write what is in memory")
    })
  )

  it.effect("does not fail for what RocksDB got over before", () =>
    Effect.gen(function* () {
      const properties: Record<string, number> = { ...behind, "rocksdb.background-errors": 1 }
      const stall = new WriteStall("/db", writeBufferSize, async (name) => properties[name] ?? 0, 20)
      properties["rocksdb.num-immutable-mem-table"] = 0
      assert.isUndefined(yield* failureOf(stall))
      properties["rocksdb.num-immutable-mem-table"] = 1
      assert.deepInclude((yield* failureOf(stall))?.reason, { code: "ETIMEDOUT" })
    })
  )

  it.live("is given up where it is interrupted meanwhile, and the database closes", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const state = { isBehind: false }
      const engine = Effect.map(Engine.Engine, (engine) =>
        withFullDisk({
          name: engine.name,
          open: (options) =>
            Effect.map(engine.open(options), (database) => ({
              ...database,
              property: (name) => {
                const stated = Object.entries(behind).find(([property]) => property === name)
                return state.isBehind && stated !== undefined
                  ? Promise.resolve(String(stated[1]))
                  : database.property(name)
              }
            }))
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const database = yield* RocksDB.make({ path, writeBufferSize }).pipe(
            Effect.provideServiceEffect(Engine.Engine, Effect.provide(engine, NativeEngine.layer))
          )
          state.isBehind = true
          const writing = yield* Effect.forkChild(database.put(bytes("a"), new Uint8Array(writeBufferSize)))
          yield* Effect.sleep("50 millis")
          yield* Fiber.interrupt(writing)
          state.isBehind = false
          yield* database.put(bytes("b"), bytes("2"))
        })
      )
      const again = yield* Effect.provide(RocksDB.make({ path }), NativeEngine.layer)
      assert.deepStrictEqual((yield* again.getMany([bytes("a"), bytes("b")])).map(text), [undefined, "2"])
    })
  )
})
