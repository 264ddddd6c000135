/** What `LevelEngine` does on the Node that runs the other tests; its own tests are in LevelEngine.level.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Engine, RocksDB } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import { reasonOf } from "@effect-bookie/testing/failure"

const loads =
  spawnSync(process.execPath, ["-e", "require(process.argv[1])", createRequire(import.meta.url).resolve("rocksdb")], {
    stdio: "ignore"
  }).status === 0

describe("LevelEngine", () => {
  it.effect(
    loads
      ? "is available on this Node, which loads the binding"
      : "answers EngineUnavailable on this Node, whose process the binding would abort, and says what to do",
    () =>
      Effect.gen(function* () {
        if (loads) {
          const { name } = yield* Effect.provide(Engine.Engine, LevelEngine.layer)
          return assert.strictEqual(name, "rocksdb")
        }
        const database = Layer.provide(RocksDB.layerTempWithoutEngine(), LevelEngine.layer)
        const reason = yield* reasonOf(Effect.provide(Effect.void, database))
        assert.strictEqual(reason._tag, "EngineUnavailable")
        assert.include(reason.message, '"npm rebuild rocksdb"')
        assert.include(reason.message, "default engine")
        assert.include(reason.message, process.version)
      })
  )
})
