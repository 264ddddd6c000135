import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Path from "node:path"
import { NativeEngine, RocksDB, type Engine } from "@effect-bookie/rocksdb"
import { LevelFlush } from "../src/internal/LevelFlush.ts"
import { Disk } from "@effect-bookie/testing/Disk"
import { temporaryDirectory } from "@effect-bookie/testing/directory"

const writeBufferSize = 64 * 1024

/** A flush that failed, which is run again once so many bytes have been written; and a compaction that waits for it. */
class Stuck {
  readonly written: Array<Engine.Operation> = []
  readonly #flushed = Promise.withResolvers<void>()
  #left = writeBufferSize

  get compaction(): Promise<void> {
    return this.#flushed.promise
  }

  property = (name: string): number => {
    if (name === "num-running-flushes") return 0
    return this.#left > 0 ? 1 : 0
  }

  write = async (operation: Engine.Operation): Promise<void> => {
    this.written.push(operation)
    if (operation.type === "remove") this.#left -= operation.key.length
    if (this.#left <= 0) this.#flushed.resolve()
  }
}

/** Where a database is. */
const directory = Effect.tap(temporaryDirectory, (path) =>
  Effect.scoped(Effect.provide(RocksDB.make({ path }), NativeEngine.layer))
)

describe("LevelFlush", () => {
  it.live("a compaction whose flush has failed is got going by removals of a key that nobody has", () =>
    Effect.gen(function* () {
      const stuck = new Stuck()
      const flush = new LevelFlush(yield* directory, writeBufferSize, stuck.property, stuck.write)
      yield* Effect.promise(() => flush.compact(() => stuck.compaction))
      const keys = new Set(stuck.written.map((operation) => (operation.type === "remove" ? String(operation.key) : "")))
      assert.strictEqual(keys.size, 1)
      assert.isAtMost(stuck.written.length, 2 * 8)
    })
  )

  it.live("nothing is written for one that ends, or that fails, by itself", () =>
    Effect.gen(function* () {
      const stuck = new Stuck()
      const flush = new LevelFlush(yield* directory, writeBufferSize, stuck.property, stuck.write)
      yield* Effect.promise(() => flush.compact(() => Promise.resolve()))
      const failed = yield* Effect.exit(
        Effect.promise(() => flush.compact(() => Promise.reject(new Error("out of luck"))))
      )
      assert.include(String(failed), "out of luck")
      assert.deepStrictEqual(stuck.written, [])
    })
  )

  it.live("none begins where its flush would fail", () =>
    Effect.gen(function* () {
      const stuck = new Stuck()
      const path = yield* directory
      const flush = new LevelFlush(path, writeBufferSize, stuck.property, stuck.write)
      const disk = yield* Disk.watch
      disk.failNextOpen(Path.join(path, "CURRENT"), "EMFILE")
      let begun = false
      const compaction = Effect.promise(() =>
        flush.compact(async () => {
          begun = true
        })
      )
      assert.include(String(yield* Effect.exit(compaction)), "EMFILE")
      assert.isFalse(begun)
      yield* compaction
      assert.isTrue(begun)
    })
  )
})
