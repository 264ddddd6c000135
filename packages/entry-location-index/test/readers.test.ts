/**
 * Slow readers slow nobody else down: not those who checkpoint, commit, scan or
 * close. Who waits can leave, and many ledgers and entries come in turns with
 * whatever else there is to do.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RocksDB } from "@effect-bookie/rocksdb"
import { EntryId, EntryLocationIndex, LedgerId } from "../src/index.ts"
import {
  entry,
  everything,
  FailingEngine,
  type Index,
  isCheckpoint,
  layer,
  range,
  tagOf,
  temporaryDirectory,
  until
} from "./support.ts"

const ledger = LedgerId.make

const withEngine = (
  body: (index: Index, engine: FailingEngine) => Effect.Effect<void, unknown, Scope.Scope>,
  options?: EntryLocationIndex.Options
) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const engine = new FailingEngine()
    yield* EntryLocationIndex.EntryLocationIndex.use((index) => Effect.scoped(body(index, engine))).pipe(
      Effect.provide(layer(path, { durability: "buffered", ...options }, engine.layer))
    )
  }).pipe(Effect.scoped)

/** A reader that takes the first of a stream and never goes on. */
const stopAfterOne = <A, E>(stream: Stream.Stream<A, E>) =>
  Effect.gen(function* () {
    const begun = yield* Latch.make()
    const reader = yield* Effect.forkScoped(
      Effect.exit(Stream.runForEachArray(stream, () => Effect.andThen(begun.open, Effect.never)))
    )
    yield* begun.await
    return reader
  })

/** Entries in pages below entries in memory, of one ledger and of others. */
const prepared = (index: Index) =>
  Effect.gen(function* () {
    yield* index.addLocations([...range(1n, 0, 2_000), ...range(2n, 0, 300)])
    yield* index.compact
    yield* index.addLocations([...range(1n, 1_500, 8_000), ...range(3n, 0, 300)])
    yield* index.deleteLedger(ledger(2n))
    yield* index.addLocations(range(2n, 400, 700))
  })

const streams: Record<string, (index: Index) => Stream.Stream<unknown, unknown>> = {
  "of entries in pages and in memory": (index) => index.entries(ledger(1n)),
  "of entries in memory alone": (index) => index.entries(ledger(3n)),
  "of entries in memory, behind those in pages": (index) => index.entries(ledger(1n), { from: EntryId.make(2_560n) }),
  "of entries of a ledger that was deleted and is there again": (index) => index.entries(ledger(2n)),
  "of ledgers": (index) => index.ledgers
}

describe("a reader that does not go on", () => {
  for (const [what, stream] of Object.entries(streams)) {
    it.effect(`with a stream ${what} holds up no checkpoint, commit, scan or close`, () =>
      withEngine(
        (index) =>
          Effect.gen(function* () {
            yield* prepared(index)
            const reader = yield* stopAfterOne(stream(index))
            yield* index.compact
            yield* index.addLocations(range(4n, 0, 3_000))
            yield* index.compact
            assert.strictEqual(yield* Stream.runCount(index.ledgers), 4)
            assert.strictEqual(yield* index.entryCount, BigInt(8_000 + 300 + 300 + 3_000))
            assert.strictEqual((yield* everything(index)).length, 8_000 + 300 + 300 + 3_000)
            assert.isUndefined(reader.pollUnsafe())
          }),
        { memtableSize: 100_000 }
      )
    )

    it.effect(`with a stream ${what} that had to wait for a checkpoint's write does not hold up the next one`, () =>
      withEngine((index, engine) =>
        Effect.gen(function* () {
          yield* prepared(index)
          const release = engine.hold(isCheckpoint)
          const compacting = yield* Effect.forkChild(index.compact)
          yield* until(() => engine.held === 1)
          const reader = yield* Effect.forkScoped(stopAfterOne(stream(index)))
          yield* index.addLocations(range(1n, 8_000, 8_100))
          release()
          yield* Fiber.join(compacting)
          yield* Fiber.join(reader)
          yield* index.compact
          assert.strictEqual(yield* Stream.runCount(index.ledgers), 3)
        })
      )
    )
  }

  it.effect("fails with Closed when it goes on after the close, which does not wait for it", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const begun = yield* Latch.make()
      const goOn = yield* Latch.make()
      const reader = yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          yield* prepared(index)
          const reader = yield* Effect.forkDetach(
            Stream.runForEachArray(index.entries(ledger(1n)), () => Effect.andThen(begun.open, goOn.await))
          )
          yield* begun.await
          return reader
        })
      ).pipe(Effect.provide(layer(path)))
      yield* goOn.open
      assert.strictEqual(yield* tagOf(Fiber.join(reader)), "Closed")
    }).pipe(Effect.scoped)
  )
})

const hanging = (
  body: (index: Index, engine: FailingEngine, reader: Fiber.Fiber<number, unknown>) => Effect.Effect<void, unknown>
) =>
  withEngine((index, engine) =>
    Effect.gen(function* () {
      yield* index.addLocations(range(1n, 0, 2_000))
      yield* index.compact
      yield* index.addLocations(range(2n, 0, 10))
      const release = engine.holdReads()
      const reader = yield* Effect.forkChild(Stream.runCount(index.entries(ledger(1n))))
      yield* until(() => engine.held === 1)
      yield* Effect.ensuring(body(index, engine, reader), Effect.sync(release))
    })
  )

describe("a reader whose first read does not come back", () => {
  it.effect("does not hold up commits and lookups, and who waits for it can leave", () =>
    hanging((index) =>
      Effect.gen(function* () {
        const compacting = yield* Effect.forkChild(index.compact)
        yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
        const scanning = yield* Effect.forkChild(Stream.runCount(index.ledgers))
        yield* index.addLocations(range(3n, 0, 10))
        assert.strictEqual(yield* index.getLastEntryInLedger(ledger(3n)), EntryId.make(9n))
        yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
        assert.isUndefined(compacting.pollUnsafe(), "one waits for the first read of the other")
        assert.isUndefined(scanning.pollUnsafe())
        yield* Fiber.interrupt(scanning)
        yield* Fiber.interrupt(compacting)
      })
    )
  )

  it.effect("sees what stood when it began once it does, and the checkpoint that waited for it goes on", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          yield* index.addLocations(range(1n, 0, 2_000))
          yield* index.compact
          yield* index.addLocations(range(2n, 0, 10))
          const release = engine.holdReads()
          const reader = yield* Effect.forkChild(Stream.runCount(index.entries(ledger(1n))))
          yield* until(() => engine.held === 1)
          yield* index.deleteLedger(ledger(1n))
          const compacting = yield* Effect.forkChild(index.compact)
          yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
          release()
          assert.strictEqual(yield* Fiber.join(reader), 2_000)
          yield* Fiber.join(compacting)
          assert.deepStrictEqual(yield* everything(index), range(2n, 0, 10))
        })
      ).pipe(Effect.provide(layer(path, undefined, engine.layer)))
    }).pipe(Effect.scoped)
  )

  it.effect("does not hold up the close of the index", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      const databaseScope = yield* Scope.make()
      const indexScope = yield* Scope.make()
      const database = yield* RocksDB.make({ path }).pipe(Scope.provide(databaseScope), Effect.provide(engine.layer))
      const index = yield* EntryLocationIndex.make().pipe(
        Scope.provide(indexScope),
        Effect.provideService(RocksDB.RocksDB, database)
      )
      yield* index.addLocations(range(1n, 0, 2_000))
      yield* index.compact
      yield* index.addLocations(range(2n, 0, 10))
      const release = engine.holdReads()
      const reader = yield* Effect.forkChild(Stream.runCount(index.entries(ledger(1n))))
      yield* until(() => engine.held === 1)
      const compacting = yield* Effect.forkChild(tagOf(index.compact))
      yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
      yield* Scope.close(indexScope, Exit.void)
      assert.strictEqual(yield* Fiber.join(compacting), "Closed")
      release()
      assert.strictEqual(yield* tagOf(Fiber.join(reader)), "Closed")
      yield* Scope.close(databaseScope, Exit.void)
    }).pipe(Effect.scoped)
  )
})

/** How many turns others have while an effect runs, if each of them takes one after another. */
const turnsOf = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    let turns = 0
    let goesOn = true
    const count = () => {
      turns += 1
      if (goesOn) setImmediate(count)
    }
    setImmediate(count)
    const answer = yield* self
    goesOn = false
    return { answer, turns }
  })

const withIndex = (body: (index: Index) => Effect.Effect<void, unknown>) =>
  withEngine((index) => body(index), { memtableSize: "512 MiB" })

describe("many at once", () => {
  it.effect("ledgers in memory come in turns, in order, however they were added", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        const count = 100_000
        const all = Array.from({ length: count }, (_, at) => entry(BigInt((at * 7919) % count), 0n, BigInt(at)))
        yield* index.addLocations(all)
        yield* index.deleteLedgers(Array.from({ length: count / 2 }, (_, at) => ledger(BigInt(2 * at))))
        const { answer, turns } = yield* turnsOf(Stream.runCollect(index.ledgers))
        assert.strictEqual(answer.length, count / 2)
        assert.isTrue(answer.every((ledgerId, at) => ledgerId === BigInt(2 * at + 1)))
        assert.isAbove(turns, 2)
      })
    )
  )

  it.effect("ledgers in a journal are read in turns with others when the index opens", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const all = Array.from({ length: 60_000 }, (_, at) => entry(BigInt((at * 7919) % 60_000), 0n, BigInt(at)))
      // Some large records, of which each takes turns, and many small ones, of which many share one.
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.andThen(
          index.addLocations(all),
          Effect.forEach(range(1n, 0, 2_000), (one) => index.addLocations([one]), { discard: true })
        )
      ).pipe(Effect.provide(layer(path, { durability: "buffered" })))
      const count = EntryLocationIndex.EntryLocationIndex.use((index) => index.entryCount)
      const { answer, turns } = yield* turnsOf(Effect.provide(count, layer(path)))
      assert.strictEqual(answer, 61_999n)
      assert.isAbove(turns, 5)
    }).pipe(Effect.scoped)
  )

  it.effect("entries in memory come in turns, in order, however they were added", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        const count = 200_000
        const all = range(1n, 0, count)
        const mixed = all.map((_, at) => all[(at * 7919) % count] ?? entry(1n, 0n, 0n))
        yield* index.addLocations(mixed)
        const { answer, turns } = yield* turnsOf(Stream.runCollect(index.entries(ledger(1n))))
        assert.strictEqual(answer.length, count)
        assert.isTrue(
          answer.every(({ entryId, location }, at) => entryId === all[at]?.entryId && location === all[at].location)
        )
        assert.isAbove(turns, 2)
      })
    )
  )

  it.effect("are added, looked up and deleted in turns with others", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        const count = 200_000
        const all = Array.from({ length: count }, (_, at) => entry(BigInt(at), 5n, BigInt(at)))
        assert.isAbove((yield* turnsOf(index.addLocations(all))).turns, 5)
        const found = yield* turnsOf(index.getLocations(all))
        assert.isTrue(found.answer.every((location, at) => location === BigInt(at)))
        assert.isAbove(found.turns, 2)
        assert.isAbove((yield* turnsOf(index.deleteLedgers(all.map(({ ledgerId }) => ledgerId)))).turns, 5)
        assert.strictEqual(yield* index.entryCount, 0n)
      })
    )
  )

  it.effect("that are added keep their place among those that come later", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        const many = range(1n, 0, 50_000)
        yield* Effect.all(
          [
            index.addLocations(many),
            index.deleteLedger(ledger(1n)),
            index.addLocations([entry(1n, 3n, 3n)]),
            index.addLocations(range(2n, 0, 30_000)),
            index.addLocations([entry(2n, 0n, 7n)])
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(yield* Stream.runCollect(index.entries(ledger(1n))), [entry(1n, 3n, 3n)])
        assert.deepStrictEqual(yield* index.getLocations([entry(2n, 0n, 0n)]), [entry(2n, 0n, 7n).location])
        assert.strictEqual(yield* index.entryCount, 30_001n)
      })
    )
  )

  it.effect("of which one cannot be are refused, and nothing of them is added", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        const many = range(1n, 0, 30_000)
        const wrong = [...many, { ...entry(1n, 0n, 0n), entryId: -1n as EntryId.EntryId }]
        const [tag] = yield* Effect.all([tagOf(index.addLocations(wrong)), index.addLocations(range(2n, 0, 3))], {
          concurrency: "unbounded"
        })
        assert.strictEqual(tag, "InvalidArgument")
        assert.strictEqual(yield* tagOf(index.getLocations(wrong)), "InvalidArgument")
        const ledgers = [...many.map(({ ledgerId }) => ledgerId), -1n as LedgerId.LedgerId]
        assert.strictEqual(yield* tagOf(index.deleteLedgers(ledgers)), "InvalidArgument")
        assert.deepStrictEqual(yield* everything(index), range(2n, 0, 3))
      })
    )
  )
})
