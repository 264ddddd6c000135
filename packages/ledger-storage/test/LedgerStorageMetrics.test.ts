/**
 * The gauges, counters and timers of a storage.
 */
import { assert, describe, it } from "@effect/vitest"
import { LedgerStorage, LedgerStorageMetrics } from "@effect-bookie/ledger-storage"
import { Effect, Fiber, Layer, Metric, Stream } from "effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { bytes, entry } from "./support.ts"
import { watched } from "./watched.ts"

const withMetrics = Layer.provideMerge(LedgerStorageMetrics.layer, LedgerStorage.layerMemory)

const test = <E>(name: string, body: Effect.Effect<void, E>) =>
  it.effect(name, () => Effect.provideService(body, Metric.MetricRegistry, new Map()))

/** The series of a name, and of a source if it has one. */
const series = (name: string, source?: string) =>
  Effect.map(Metric.snapshot, (snapshots) =>
    snapshots.find(({ attributes, id }) => id === name && (source === undefined || attributes?.["source"] === source))
  )

const valueOf = (name: string, source?: string) =>
  Effect.map(series(name, source), (found) =>
    found?.type === "Gauge" ? found.state.value : found?.type === "Counter" ? found.state.count : undefined
  )

const countOf = (name: string) =>
  Effect.map(series(name), (found) => (found?.type === "Histogram" ? found.state.count : undefined))

const names = [
  "bookie_add_entries_total",
  "bookie_add_entry_blocked",
  "bookie_add_entry_in_progress_bytes",
  "bookie_add_entry_seconds",
  "bookie_followers",
  "bookie_index_commit_seconds",
  "bookie_journal_sync_seconds",
  "bookie_read_bytes_total",
  "bookie_read_entries_total",
  "bookie_write_bytes_total",
  "bookie_write_groups_total"
]

describe("LedgerStorageMetrics", () => {
  test(
    "counts appends: calls, entries, bytes, groups and their steps",
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const { ledgerId } = yield* storage.createLedger()
      yield* storage.append(ledgerId, bytes("12345"))
      yield* storage.appendAll(ledgerId, [bytes("1"), bytes("22")])
      yield* storage.append(ledgerId, bytes("1"), { durability: "buffered" })
      yield* Effect.exit(storage.append(ledgerId, bytes("refused"), { durability: "never" as never }))
      assert.strictEqual(yield* countOf("bookie_add_entry_seconds"), 3)
      assert.strictEqual(yield* valueOf("bookie_add_entries_total"), 4)
      assert.strictEqual(yield* valueOf("bookie_write_bytes_total"), 9)
      assert.strictEqual(yield* valueOf("bookie_write_groups_total"), 4)
      assert.strictEqual(yield* countOf("bookie_journal_sync_seconds"), 3)
      assert.strictEqual(yield* countOf("bookie_index_commit_seconds"), 4)
      assert.strictEqual(yield* valueOf("bookie_add_entry_in_progress_bytes"), 0)
      assert.strictEqual(yield* valueOf("bookie_add_entry_blocked"), 0)
    }).pipe(Effect.provide(withMetrics))
  )

  test(
    "counts what is read, by where it was read",
    Effect.gen(function* () {
      const { storage } = yield* watched({ recentEntries: 1000 })
      yield* Layer.build(Layer.provide(LedgerStorageMetrics.layer, Layer.succeed(LedgerStorage.LedgerStorage)(storage)))
      const { ledgerId } = yield* storage.createLedger()
      for (let index = 0; index < 10; index += 1) yield* storage.append(ledgerId, new Uint8Array(300))
      yield* storage.read(ledgerId, entry(0))
      yield* storage.read(ledgerId, entry(9))
      yield* storage.read(ledgerId, entry(10))
      yield* Stream.runDrain(storage.entries(ledgerId, { from: entry(8), reverse: true }))
      const recent = yield* valueOf("bookie_read_entries_total", "recent")
      const stored = yield* valueOf("bookie_read_entries_total", "stored")
      assert.strictEqual(recent, 1)
      assert.strictEqual(stored, 3)
      assert.strictEqual(yield* valueOf("bookie_read_bytes_total"), 4 * 300)
    }).pipe(Effect.scoped)
  )

  test(
    "says how much is in flight, who waits, and who follows",
    Effect.gen(function* () {
      const { gate, storage } = yield* watched({ maxBytesInFlight: 2000 })
      yield* Layer.build(Layer.provide(LedgerStorageMetrics.layer, Layer.succeed(LedgerStorage.LedgerStorage)(storage)))
      const { ledgerId } = yield* storage.createLedger()
      yield* gate.close
      const tail = yield* Effect.forkChild(Stream.runDrain(storage.tail(ledgerId)), { startImmediately: true })
      const appends = yield* Effect.all(
        Array.from({ length: 3 }, () =>
          Effect.forkChild(storage.append(ledgerId, new Uint8Array(1000)), { startImmediately: true })
        )
      )
      assert.strictEqual(yield* valueOf("bookie_add_entry_in_progress_bytes"), 1300)
      assert.strictEqual(yield* valueOf("bookie_add_entry_blocked"), 2)
      assert.strictEqual(yield* valueOf("bookie_followers"), 1)
      yield* gate.open
      yield* Effect.forEach(appends, Fiber.join)
      yield* Fiber.interrupt(tail)
      assert.strictEqual(yield* valueOf("bookie_add_entry_in_progress_bytes"), 0)
      assert.strictEqual(yield* valueOf("bookie_add_entry_blocked"), 0)
      assert.strictEqual(yield* valueOf("bookie_followers"), 0)
    }).pipe(Effect.scoped)
  )

  test(
    "has its series as long as its scope, with the name of the storage",
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const { name } = yield* LedgerStorage.LedgerStorage
        const snapshots = yield* Metric.snapshot
        assert.deepStrictEqual([...new Set(snapshots.map(({ id }) => id))].toSorted(), names)
        assert.isTrue(snapshots.every(({ attributes }) => attributes?.["storage"] === name))
        const scraped = yield* PrometheusMetrics.format()
        for (const metric of names) assert.include(scraped, metric)
      }).pipe(Effect.provide(withMetrics))
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    })
  )

  test(
    "keeps storages apart: one that goes leaves the series of the others",
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      yield* storage.createLedger()
      yield* Effect.scoped(Layer.build(Layer.fresh(withMetrics)))
      assert.strictEqual(yield* valueOf("bookie_write_groups_total"), 1)
    }).pipe(Effect.provide(withMetrics))
  )
})
