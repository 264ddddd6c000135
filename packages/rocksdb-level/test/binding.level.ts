/**
 * What `LevelEngine` does where its binding cannot be loaded for a moment, in a
 * process that has not loaded it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RocksDB } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import { reasonOf } from "@effect-bookie/testing/failure"

const open = Effect.suspend(() =>
  Effect.scoped(Layer.build(Layer.provide(RocksDB.layerTempWithoutEngine(), Layer.fresh(LevelEngine.layer))))
)

describe("LevelEngine", () => {
  it.effect(
    "a load that has failed after the child had succeeded is tried again when the next database is opened",
    () =>
      Effect.gen(function* () {
        const { dlopen } = process
        process.dlopen = () => {
          throw new Error("there are too many open files")
        }
        const restore = Effect.sync(() => {
          process.dlopen = dlopen
        })
        const reason = yield* Effect.ensuring(reasonOf(open), restore)
        assert.strictEqual(reason._tag, "EngineUnavailable")
        assert.include(reason.message, "there are too many open files")
        yield* open
      })
  )
})
