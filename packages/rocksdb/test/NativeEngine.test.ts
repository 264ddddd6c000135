import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as Fs from "node:fs"
import { NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import * as Conformance from "@effect-bookie/testing/engines/conformance"
import { bytes } from "@effect-bookie/testing/bytes"
import { find, flip, temporaryDirectory } from "@effect-bookie/testing/directory"
import { reasonOf, tagOf } from "@effect-bookie/testing/failure"

Conformance.suite("NativeEngine", NativeEngine.layer)

const use = <A, E>(options: RocksDB.Options, f: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(RocksDB.make(options), f)).pipe(Effect.provide(NativeEngine.layer))

const key = (index: number) => bytes(String(index).padStart(6, "0"))

/** A database whose 1,000 entries lie in blocks that a flipped byte has made unreadable from some key to some other. */
const damaged = Effect.gen(function* () {
  const path = yield* temporaryDirectory
  const values = Array.from({ length: 1000 }, (_, index) => String(Math.sin(index)).repeat(4))
  yield* use({ path }, (database) =>
    Effect.andThen(
      database.write(values.map((value, index) => ({ type: "put", key: key(index), value: bytes(value) }))),
      database.compact()
    )
  )
  flip(find(path, /\.sst$/), 0.5, 1)
  const readable = yield* use({ path }, (database) =>
    Effect.forEach(values, (_, index) =>
      Effect.match(database.get(key(index)), { onFailure: () => false, onSuccess: () => true })
    )
  )
  return { path, from: readable.indexOf(false), to: readable.lastIndexOf(false) }
})

describe("NativeEngine", () => {
  it.effect("a scan fails at a block that it cannot read, either way, and does not end before it", () =>
    Effect.gen(function* () {
      const { from, path, to } = yield* damaged
      yield* use({ path }, (database) =>
        Effect.gen(function* () {
          for (const reverse of [false, true]) {
            let seen = 0
            const scan = Stream.runForEach(database.stream({}, { reverse }), () => Effect.sync(() => (seen += 1)))
            assert.strictEqual(yield* tagOf(scan), "Corruption")
            assert.isAtMost(seen, reverse ? 999 - to : from)
          }
        })
      )
    })
  )

  it.effect("going backwards from a key that it cannot read fails, rather than finding nothing", () =>
    Effect.gen(function* () {
      const { from, path, to } = yield* damaged
      const middle = key(Math.floor((from + to) / 2))
      yield* use({ path }, (database) =>
        Effect.gen(function* () {
          for (const range of [{ lte: middle }, { lt: middle }, { gte: key(0), lte: middle }]) {
            assert.strictEqual(yield* tagOf(database.last(range)), "Corruption")
            assert.strictEqual(yield* tagOf(Stream.runDrain(database.stream(range, { reverse: true }))), "Corruption")
          }
        })
      )
    })
  )

  it.effect("the size of the block cache cannot be set, and that is an error", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const reason = yield* reasonOf(use({ path, blockCacheSize: "64 MiB" }, () => Effect.void))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.include(reason.message, "blockCacheSize")
    })
  )

  it.effect("a block cache of 0 is none", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const capacity = (options?: Partial<RocksDB.Options>) =>
        use({ path, ...options }, (database) => database.property("rocksdb.block-cache-capacity"))
      assert.strictEqual(yield* capacity(), String(32 * 1024 * 1024))
      assert.isUndefined(yield* capacity({ blockCacheSize: 0 }))
    })
  )

  it.effect("the options reach RocksDB, and the format of its tables is pinned", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use({ path, writeBufferSize: "1 MiB", maxOpenFiles: 100, bloomBitsPerKey: 0 }, () => Effect.void)
      const options = Fs.readFileSync(find(path, /^OPTIONS/), "utf8")
      assert.match(options, /\bformat_version=6\b/)
      assert.match(options, /\bchecksum=kXXH3\b/)
      assert.match(options, /\bwrite_buffer_size=1048576\b/)
      assert.match(options, /\bmax_open_files=100\b/)
      assert.match(options, /\bfilter_policy=nullptr\b/)
    })
  )

  it.effect("a bloom filter of 10 bits is the default", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use({ path }, () => Effect.void)
      assert.match(Fs.readFileSync(find(path, /^OPTIONS/), "utf8"), /\bfilter_policy=bloomfilter:10\b/)
    })
  )

  it.effect("RocksDB.layer opens with this engine", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* Effect.provide(Effect.void, Layer.fresh(RocksDB.layer({ path })))
      assert.strictEqual(Fs.readFileSync(find(path, /^ENGINE$/), "utf8"), `${NativeEngine.name}\n`)
    })
  )
})
