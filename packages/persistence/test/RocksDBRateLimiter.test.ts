/**
 * The rate limiter's store: each answer is that of Effect's store in memory, in
 * one atomic step, and limits hold over a restart.
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { TestClock } from "effect/testing"
import { RocksDB } from "@effect-bookie/rocksdb"
import { RocksDBRateLimiter } from "../src/index.ts"
import { begun, keysOf, Layers, Probe, probed, temporaryDirectory } from "./support.ts"

type Store = RateLimiter.RateLimiterStore["Service"]

const Store = RateLimiter.RateLimiterStore

// What refills is a whole number of milliseconds, so that no step depends on how a fraction was rounded.
const Step = Schema.Union([
  Schema.TaggedStruct("fixedWindow", {
    key: Schema.Literals(["a", "b"]),
    tokens: Schema.Literals([1, 2, 0.5]),
    limit: Schema.UndefinedOr(Schema.Literals([1, 3])),
    refill: Schema.Literals([1, 10, 1000])
  }),
  Schema.TaggedStruct("tokenBucket", {
    key: Schema.Literals(["a", "b"]),
    tokens: Schema.Literals([1, 2.25, 4]),
    refill: Schema.Literals([1, 10, 1000]),
    allowOverflow: Schema.Boolean
  }),
  Schema.TaggedStruct("adaptiveConsume", {
    key: Schema.Literals(["a", "b"]),
    tokens: Schema.Literals([1, 2]),
    fallbackWindow: Schema.Literals([10, 60_000])
  }),
  Schema.TaggedStruct("adaptiveFeedback", {
    key: Schema.Literals(["a", "b"]),
    epoch: Schema.Literals([0, 1, 2, 3]),
    tokens: Schema.Literals([1, 2]),
    status: Schema.Literals([200, 429, 429, 429]),
    retryAfter: Schema.UndefinedOr(Schema.Literals([0, 5, 1000, 100_000_000]))
  }),
  Schema.TaggedStruct("wait", { millis: Schema.Literals([1, 5, 1000, 61_000, 400_000]) })
])

const run = (store: Store, step: typeof Step.Type): Effect.Effect<unknown, RateLimiter.RateLimiterError> => {
  switch (step._tag) {
    case "fixedWindow":
    case "tokenBucket": {
      const refillRate = Duration.millis(step.refill)
      return step._tag === "fixedWindow"
        ? store.fixedWindow({ ...step, refillRate })
        : // A bucket has one limit: where it is full, nothing is kept of it.
          store.tokenBucket({ ...step, refillRate, limit: step.key === "a" ? 1 : 3 })
    }
    case "adaptiveConsume": {
      const fallbackWindow = Duration.millis(step.fallbackWindow)
      return store.adaptiveConsume({ ...step, fallbackLimit: 10, fallbackWindow })
    }
    case "adaptiveFeedback": {
      const retryAfter = step.retryAfter === undefined ? undefined : Duration.millis(step.retryAfter)
      return Effect.asVoid(store.adaptiveFeedback({ ...step, retryAfter }))
    }
    case "wait":
      return Effect.void
  }
}

describe("any history", () => {
  const Steps = Schema.Array(Step)

  it.effect.prop("is answered as in memory, with a restart in between", [Steps, Steps], (lives) =>
    Effect.gen(function* () {
      const layer = Layers.at(yield* temporaryDirectory, RocksDBRateLimiter.layer({ durability: "buffered" }))
      const memory = yield* Effect.provide(Store, RateLimiter.layerStoreMemory)
      for (const steps of lives) {
        yield* Effect.gen(function* () {
          const store = yield* Store
          for (const step of steps) {
            if (step._tag === "wait") yield* TestClock.adjust(step.millis)
            assert.deepStrictEqual(yield* run(store, step), yield* run(memory, step), JSON.stringify(step))
          }
        }).pipe(Effect.provide(layer))
      }
    }).pipe(Effect.scoped)
  )
})

describe("a limiter over it", () => {
  it.effect("gives no more than its limit, however many ask at once", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make
      for (const algorithm of ["fixed-window", "token-bucket"] as const) {
        const ask = limiter.consume({ algorithm, key: algorithm, limit: 7, window: "1 minute" })
        const answers = yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.exit(ask), {
          concurrency: "unbounded"
        })
        assert.strictEqual(answers.filter(({ _tag }) => _tag === "Success").length, 7)
      }
    }).pipe(Effect.provide(Layers.on(RocksDBRateLimiter.layer())))
  )
})

describe("a refusal", () => {
  it.effect("writes nothing", () =>
    Effect.gen(function* () {
      const probe = new Probe()
      yield* Effect.gen(function* () {
        const store = yield* RocksDBRateLimiter.make()
        const refillRate = Duration.seconds(1)
        const window = store.fixedWindow({ key: "k", tokens: 2, limit: 2, refillRate })
        const bucket = store.tokenBucket({ key: "k", tokens: 2, limit: 2, refillRate, allowOverflow: false })
        yield* Effect.andThen(window, bucket)
        const before = begun(probe, "write")
        assert.deepStrictEqual(yield* window, [4, 2_000])
        assert.deepStrictEqual(yield* bucket, [-2, 0])
        assert.strictEqual(begun(probe, "write"), before)
      }).pipe(Effect.scoped, Effect.provide(probed(yield* temporaryDirectory, probe)))
    }).pipe(Effect.scoped)
  )
})

describe("state that says nothing any more", () => {
  it.effect("is removed in the background", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      const store = yield* RocksDBRateLimiter.make()
      const before = (yield* keysOf(database)).length
      const refillRate = Duration.seconds(1)
      yield* store.fixedWindow({ key: "k", tokens: 2, limit: 2, refillRate })
      yield* store.tokenBucket({ key: "k", tokens: 2, limit: 2, refillRate, allowOverflow: false })
      yield* store.adaptiveFeedback({ key: "k", epoch: 0, tokens: 1, status: 429, retryAfter: Duration.seconds(1) })
      assert.strictEqual((yield* keysOf(database)).length, before + 6)
      yield* TestClock.adjust("5 minutes")
      while ((yield* keysOf(database)).length > before) yield* TestClock.withLive(Effect.sleep("2 millis"))
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("a state that this build cannot read", () => {
  it.effect("is an error of the store, and not a limit that begins anew", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      const store = yield* RocksDBRateLimiter.make()
      const window = store.fixedWindow({ key: "k", tokens: 1, limit: 2, refillRate: Duration.seconds(1) })
      yield* window
      const entry = yield* database.first({ gte: Uint8Array.of(0x73, 0, 2) })
      assert.isDefined(entry)
      yield* database.put(entry.key, Uint8Array.of(...entry.value.subarray(0, 9), 9, 123, 125))
      const error = yield* Effect.flip(window)
      assert.strictEqual(error.reason._tag, "RateLimitStoreError")
      assert.include(error.message, "this version")
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})
