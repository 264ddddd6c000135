/**
 * Scans show what stood when they began, whatever is committed, checkpointed or
 * compacted while they are read.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema, Scope, Stream } from "effect"
import type { RocksDBError } from "@effect-bookie/rocksdb"
import { TestClock } from "effect/testing"
import { EntryId, EntryLocationIndex, LedgerId } from "../src/index.ts"
import { entry, FailingEngine, type Index, layer, range, temporaryDirectory, until, using } from "./support.ts"

const ledger = LedgerId.make

/** More than a scan answers at once. */
const many = 10_000

const Step = Schema.Union([
  Schema.TaggedStruct("overwrite", { from: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: many + 500 })) }),
  Schema.TaggedStruct("spread", { step: Schema.Int.check(Schema.isBetween({ minimum: 100, maximum: 700 })) }),
  Schema.TaggedStruct("delete", {}),
  Schema.TaggedStruct("deleteLedgers", {}),
  Schema.TaggedStruct("addLedgers", { from: Schema.Int.check(Schema.isBetween({ minimum: 10, maximum: many })) }),
  Schema.TaggedStruct("compact", {})
])

const Steps = Schema.Array(Step).check(Schema.isMaxLength(6))

/** WriteBatch ledger 1 and the ledgers from 10 on. */
const run = (index: Index, nth: number, step: typeof Step.Type) => {
  const locationOf = (entryId: bigint) => BigInt(nth) * 2n ** 33n + entryId * 1000n
  switch (step._tag) {
    case "overwrite":
      return index.addLocations(range(1n, step.from, step.from + 700, locationOf))
    case "spread":
      return index.addLocations(range(1n, 0, many + 3_000, locationOf).filter((_, at) => at % step.step === 0))
    case "delete":
      return index.deleteLedger(ledger(1n))
    case "deleteLedgers":
      return index.deleteLedgers(Array.from({ length: many / 2 }, (_, at) => ledger(BigInt(10 + 2 * at))))
    case "addLedgers":
      return index.addLocations(
        Array.from({ length: 500 }, (_, at) => entry(BigInt(step.from + 3 * at), 5n, BigInt(nth)))
      )
    case "compact":
      return index.compact
  }
}

/** Begins a scan, and answers all of it when it is asked for the rest. */
const begin = <A>(stream: Stream.Stream<A, RocksDBError.RocksDBError>) =>
  Effect.gen(function* () {
    const pull = yield* Stream.toPull(stream)
    const next = Effect.catchIf(
      Effect.map(pull, (some): ReadonlyArray<A> => some),
      Cause.isDone,
      () => Effect.succeed<ReadonlyArray<A>>([])
    )
    const found = [...(yield* next)]
    return Effect.gen(function* () {
      for (let length = -1; length < found.length;) {
        length = found.length
        if (length > 0) found.push(...(yield* next))
      }
      return found
    })
  })

describe("a scan that is read slowly", () => {
  for (const [before, memtableSize] of [
    ["in pages", "128 MiB"],
    ["in memory", "128 MiB"],
    ["in the page cache", "128 MiB"],
    ["in the page cache", 100_000],
    ["in pages", 0],
    ["in memory", 100_000]
  ] as const) {
    it.effect.prop(
      `shows what stood when it began, which was ${before}, with memtables of ${memtableSize}`,
      { earlier: Steps, later: Steps },
      ({ earlier, later }) =>
        Effect.gen(function* () {
          const path = yield* temporaryDirectory
          yield* using(
            path,
            (index) =>
              Effect.gen(function* () {
                yield* index.addLocations(range(1n, 0, many))
                yield* index.addLocations(Array.from({ length: many }, (_, at) => entry(BigInt(10 + at), 0n, 1n)))
                if (before !== "in memory") yield* index.compact
                if (before === "in the page cache") yield* index.getLocations(range(1n, 0, many + 3_000))
                for (const [nth, step] of earlier.entries()) yield* run(index, nth + 1, step)
                yield* index.addLocations([entry(1n, 0n, 1n), entry(10n, 0n, 1n)])
                const entries = yield* Stream.runCollect(index.entries(ledger(1n)))
                const part = { from: EntryId.make(255n), to: EntryId.make(BigInt(many)) }
                const partly = yield* Stream.runCollect(index.entries(ledger(1n), part))
                const ledgers = yield* Stream.runCollect(index.ledgers)
                const scans = yield* Effect.all([
                  begin(index.entries(ledger(1n))),
                  begin(index.entries(ledger(1n), part)),
                  begin(index.ledgers)
                ])
                for (const [nth, step] of later.entries()) yield* run(index, nth + 10, step)
                for (const [nth, scan] of scans.entries()) {
                  assert.deepStrictEqual<unknown>(yield* scan, [entries, partly, ledgers][nth])
                }
              }),
            { memtableSize, durability: "buffered" }
          )
        }).pipe(Effect.scoped),
      { arbitrary: { runs: 6 } }
    )
  }
})

/** A test of an index. */
const withIndex = (options: EntryLocationIndex.Options, body: (index: Index) => Effect.Effect<void, unknown>) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    yield* EntryLocationIndex.EntryLocationIndex.use(body).pipe(Effect.provide(layer(path, options)))
  }).pipe(Effect.scoped)

describe("a scan and a checkpoint", () => {
  it.effect("do not see each other's half: what is committed behind the scan's beginning is not in it", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      yield* using(path, (index) => Effect.andThen(index.addLocations(range(1n, 0, 10)), index.compact))
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          // Memory has been looked at, and the database has not.
          const release = engine.holdReads()
          const reading = yield* Effect.forkChild(Stream.runCollect(index.entries(ledger(1n))))
          yield* until(() => engine.held === 1)
          yield* index.addLocations([...range(1n, 5, 20, () => 7n), ...range(2n, 0, 5)])
          yield* Effect.sleep("50 millis").pipe(TestClock.withLive)
          release()
          assert.deepStrictEqual(yield* Fiber.join(reading), range(1n, 0, 10))
          yield* index.compact
          assert.strictEqual(yield* index.entryCount, 25n)
        })
      ).pipe(Effect.provide(layer(path, { memtableSize: 0, pageCacheSize: 0 }, engine.layer)))
    }).pipe(Effect.scoped)
  )

  it.effect("that has been begun and is not read holds no checkpoint up, nor a commit", () =>
    withIndex({ memtableSize: 0 }, (index) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, many))
        yield* index.compact
        const scope = yield* Scope.make()
        const unread = yield* Stream.toPull(index.entries(ledger(1n))).pipe(Scope.provide(scope))
        yield* index.compact
        yield* unread
        yield* index.addLocations(range(1n, 0, 3))
        yield* index.addLocations(range(2n, 0, 3))
        yield* index.compact
        yield* Scope.close(scope, Exit.void)
        yield* index.addLocations(range(3n, 0, 3))
        yield* index.compact
        assert.strictEqual(yield* index.entryCount, BigInt(many + 6))
      })
    )
  )

  it.effect("many at once, some of them given up, keep none of each other waiting", () =>
    withIndex({ memtableSize: 10_000, durability: "buffered" }, (index) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, many))
        const writer = Effect.forEach(
          Array.from({ length: 60 }, (_, at) => at),
          (at) => index.addLocations(range(2n, at * 30, at * 30 + 60)),
          { discard: true }
        )
        const reader = (take: number) =>
          Effect.forEach(
            Array.from({ length: 30 }, (_, at) => at),
            (at) => Stream.runDrain(Stream.take(index.entries(ledger(1n)), take + at)),
            { discard: true }
          )
        const zipped = Stream.runDrain(Stream.zip(index.entries(ledger(1n)), index.entries(ledger(2n))))
        const givenUp = Effect.forEach(Array.from({ length: 60 }), () =>
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(Stream.runDrain(index.entries(ledger(1n))))
            yield* Effect.yieldNow
            yield* Effect.yieldNow
            yield* Fiber.interrupt(fiber)
          })
        )
        yield* Effect.all([writer, reader(1), reader(5_000), zipped, givenUp, index.compact], {
          concurrency: "unbounded",
          discard: true
        })
        yield* index.compact
        assert.strictEqual(yield* index.entryCount, BigInt(many + 60 * 30 + 30))
      })
    )
  )
})
