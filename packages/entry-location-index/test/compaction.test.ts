/**
 * The room of deleted ledgers comes back by itself.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Probe } from "@effect-bookie/testing/Probe"
import { EntryLocationIndex, LedgerId } from "../src/index.ts"
import { addToSpans, maxSpans, type Span } from "../src/internal/checkpoint/Compactor.ts"
import { everything, FailingEngine, isCheckpoint, layer, maxId, range, temporaryDirectory, until } from "./support.ts"

const ledger = LedgerId.make

const tablesSize = (path: string): number =>
  Fs.readdirSync(path)
    .filter((name) => name.endsWith(".sst"))
    .reduce((size, name) => size + Fs.statSync(Path.join(path, name)).size, 0)

const withProbe = (
  body: (
    index: EntryLocationIndex.EntryLocationIndex["Service"],
    probe: Probe,
    path: string
  ) => Effect.Effect<void, unknown>
) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const probe = new Probe()
    const engine = Layer.provide(probe.layer, NativeEngine.layer)
    yield* EntryLocationIndex.EntryLocationIndex.use((index) => body(index, probe, path)).pipe(
      Effect.provide(layer(path, { compactionInterval: "1 minute" }, engine))
    )
  }).pipe(Effect.scoped)

const compactions = (probe: Probe) => probe.log.filter((line) => line === "end compact").length

/** Locations that do not pack. */
const random = (entryId: bigint) => (entryId * 0x9e37_79b9_7f4a_7c15n) & maxId

describe("the compaction of deleted ledgers", () => {
  it.effect("gives back their room, and what stays is there", () =>
    withProbe((index, probe, path) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 100, random))
        yield* index.addLocations(range(2n, 0, 100_000, random))
        yield* index.compact
        const before = tablesSize(path)
        assert.isAbove(before, 500_000)
        yield* index.deleteLedger(ledger(2n))
        yield* TestClock.adjust("1 minute")
        yield* until(() => tablesSize(path) < before / 10)
        assert.deepStrictEqual(yield* everything(index), range(1n, 0, 100, random))
        // It has not ended yet where its files are gone.
        yield* until(() => compactions(probe) === 2)
      })
    )
  )

  it.effect("gives back the room of what is in the journal alone too", () =>
    withProbe((index, probe, path) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 100, random))
        for (let at = 0; at < 5; at++) yield* index.addLocations(range(2n, at * 20_000, at * 20_000 + 20_000, random))
        yield* index.deleteLedger(ledger(2n))
        yield* TestClock.adjust("1 minute")
        yield* until(() => compactions(probe) === 1)
        assert.isBelow(tablesSize(path), 50_000)
        assert.deepStrictEqual(yield* everything(index), range(1n, 0, 100, random))
      })
    )
  )

  it.effect("runs once an interval at most, for all that was deleted in it", () =>
    withProbe((index, probe) =>
      Effect.gen(function* () {
        yield* index.addLocations([1n, 2n, 3n, 9n].flatMap((ledgerId) => range(ledgerId, 0, 10)))
        for (const ledgerId of [1n, 3n, 2n]) yield* index.deleteLedger(ledger(ledgerId))
        yield* TestClock.adjust("59 seconds")
        assert.strictEqual(compactions(probe), 0)
        yield* TestClock.adjust("1 second")
        yield* until(() => compactions(probe) === 1)
        yield* index.deleteLedger(ledger(9n))
        yield* TestClock.adjust("59 seconds")
        assert.strictEqual(compactions(probe), 1)
        yield* TestClock.adjust("1 second")
        yield* until(() => compactions(probe) === 2)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(compactions(probe), 2)
      })
    )
  )

  it.effect("that fails is no failure of the index, and the next one runs", () =>
    withProbe((index, probe) =>
      Effect.gen(function* () {
        yield* index.addLocations([1n, 2n].flatMap((ledgerId) => range(ledgerId, 0, 10)))
        probe.fail("compact", "IO error: it broke")
        yield* index.deleteLedger(ledger(1n))
        yield* TestClock.adjust("1 minute")
        yield* until(() => compactions(probe) === 1)
        yield* index.deleteLedger(ledger(2n))
        yield* TestClock.adjust("1 minute")
        yield* until(() => compactions(probe) === 2)
        assert.strictEqual(yield* index.entryCount, 0n)
      })
    )
  )

  it.effect.each([
    ["for want of room", "IO error: No space left on device"],
    ["for another reason", "IO error: it broke"]
  ] as const)("that fails %s is made up for later, less and less often", ([, message]) =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      yield* Effect.gen(function* () {
        const index = yield* EntryLocationIndex.EntryLocationIndex
        yield* index.addLocations([1n, 5n, 9n].flatMap((ledgerId) => range(ledgerId, 0, 10)))
        yield* index.compact
        assert.strictEqual(engine.compactions, 1)
        engine.refuseCompactions(Infinity, message)
        yield* index.deleteLedgers([ledger(1n), ledger(9n)])
        let done = 1
        for (const minutes of [1, 1, 2, 4, 8, 10, 10]) {
          yield* TestClock.adjust(minutes * 60_000 - 1)
          yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
          assert.strictEqual(engine.compactions, done)
          yield* TestClock.adjust(1)
          done += 2
          yield* until(() => engine.compactions === done)
          yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
        }
        // What has been deleted since goes with it.
        yield* index.deleteLedger(ledger(5n))
        engine.refuseCompactions(0, "")
        yield* TestClock.adjust("10 minutes")
        yield* until(() => engine.compactions === done + 3)
        yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
        yield* TestClock.adjust("1 hour")
        yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
        assert.strictEqual(engine.compactions, done + 3, "nothing is left to do")
      }).pipe(Effect.provide(layer(path, { compactionInterval: "1 minute" }, engine.layer)))
    }).pipe(Effect.scoped)
  )

  it.effect("whose flush fails is made up for later too", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      yield* Effect.gen(function* () {
        const index = yield* EntryLocationIndex.EntryLocationIndex
        yield* index.addLocations(range(1n, 0, 10))
        yield* index.compact
        engine.refuse(1, "IO error: it broke", { isMeant: isCheckpoint })
        yield* index.deleteLedger(ledger(1n))
        yield* TestClock.adjust("1 minute")
        yield* until(() => engine.left === 0)
        yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
        assert.strictEqual(engine.compactions, 1)
        yield* TestClock.adjust("1 minute")
        yield* until(() => engine.compactions === 2)
      }).pipe(Effect.provide(layer(path, { compactionInterval: "1 minute" }, engine.layer)))
    }).pipe(Effect.scoped)
  )

  it.effect("does not run for what was not there", () =>
    withProbe((index, probe) =>
      Effect.gen(function* () {
        yield* index.deleteLedgers([ledger(1n), ledger(2n)])
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(compactions(probe), 0)
      })
    )
  )
})

describe("the journal", () => {
  it.effect("gives its room back by itself, as checkpoints drop it", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* Effect.gen(function* () {
        const index = yield* EntryLocationIndex.EntryLocationIndex
        for (let round = 0n; round < 60n; round++) {
          yield* index.addLocations(range(1n, 0, 20_000, (entryId) => random(entryId + round)))
        }
        yield* index.addLocations(range(1n, 0, 100, random))
      }).pipe(
        Effect.provide(
          Layer.provide(
            EntryLocationIndex.layer({ memtableSize: 300_000, durability: "buffered" }),
            RocksDB.layer({ path, writeBufferSize: "1 MiB" })
          )
        )
      )
      const size = Fs.readdirSync(path).reduce((sum, name) => sum + Fs.statSync(Path.join(path, name)).size, 0)
      // The journal had 12 MB of records in all, and pages were written as often.
      assert.isBelow(size, 6_000_000)
    }).pipe(Effect.scoped)
  )
})

describe("the spans to compact", () => {
  const Ids = Schema.Array(Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 60n })))

  it.prop("hold every ledger that was added, are in order, do not touch, and are few", { ids: Ids }, ({ ids }) => {
    let spans: ReadonlyArray<Span> = []
    for (const id of ids) spans = addToSpans(spans, id)
    for (const id of ids) assert.isTrue(spans.some(({ first, last }) => first <= id && id <= last))
    assert.isAtMost(spans.length, maxSpans)
    for (const [at, span] of spans.entries()) {
      assert.isTrue(span.first <= span.last)
      assert.isTrue(at === 0 || (spans[at - 1]?.last ?? span.first) + 1n < span.first)
    }
    const added = [...new Set(ids)]
    const held = spans.reduce((sum, { first, last }) => sum + Number(last - first) + 1, 0)
    if (spans.length < maxSpans) assert.strictEqual(held, added.length, "no more than was added while there is room")
  })

  it("become one where they are nearest when there are too many", () => {
    let spans: ReadonlyArray<Span> = []
    for (let at = 0; at < maxSpans; at++) spans = addToSpans(spans, BigInt(at) * 100n)
    assert.strictEqual(spans.length, maxSpans)
    spans = addToSpans(spans, 550n)
    assert.strictEqual(spans.length, maxSpans)
    assert.deepInclude(spans, { first: 500n, last: 550n })
  })

  it("hold the last ledger that there can be", () => {
    assert.deepStrictEqual(addToSpans([{ first: maxId - 1n, last: maxId - 1n }], maxId), [
      { first: maxId - 1n, last: maxId }
    ])
  })
})
