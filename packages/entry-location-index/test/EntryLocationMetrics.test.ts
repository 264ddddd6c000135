/**
 * The gauges, counters and timers of an index.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, Stream } from "effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { RocksDB } from "@effect-bookie/rocksdb"
import { EntryId, EntryLocationIndex, EntryLocationMetrics, LedgerId } from "../src/index.ts"
import * as LocationPage from "../src/internal/pages/LocationPage.ts"
import { id, layer, range, tagOf, temporaryDirectory } from "./support.ts"

const ledger = LedgerId.make

const Index = EntryLocationIndex.EntryLocationIndex

const withMetrics = (path: string) => Layer.provideMerge(EntryLocationMetrics.layer, layer(path))

const test = (name: string, body: (path: string) => Effect.Effect<void, unknown>) =>
  it.effect(name, () =>
    Effect.scoped(Effect.flatMap(temporaryDirectory, body)).pipe(
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
  )

/** The series of a name, and of an outcome if it has one. */
const series = (name: string, outcome?: string) =>
  Effect.map(Metric.snapshot, (snapshots) =>
    snapshots.find(
      ({ attributes, id }) => id === name && (outcome === undefined || attributes?.["outcome"] === outcome)
    )
  )

const valueOf = (name: string) =>
  Effect.map(series(name), (found) =>
    found?.type === "Gauge" ? found.state.value : found?.type === "Counter" ? found.state.count : undefined
  )

const timer = (name: string, outcome: string) =>
  Effect.map(series(name, outcome), (found) => (found?.type === "Histogram" ? found.state : undefined))

const countsOf = (name: string) =>
  Effect.map(
    Effect.forEach(["found", "missing", "failed"], (outcome) => timer(name, outcome)),
    (states) => states.map((state) => state?.count)
  )

const endingsOf = (name: string) =>
  Effect.map(
    Effect.forEach(["done", "failed"], (outcome) => timer(name, outcome)),
    (states) => states.map((state) => state?.count)
  )

/** Opens an index with metrics for the scope, and adds entries. */
const entries = (at: string, count: number) =>
  Effect.flatMap(Layer.build(withMetrics(at)), (context) =>
    Index.use((index) => index.addLocations(range(1n, 0, count))).pipe(Effect.provide(context))
  )

describe("EntryLocationMetrics", () => {
  test("has the number of entries at each scrape", (path) =>
    Effect.gen(function* () {
      const index = yield* Index
      assert.strictEqual(yield* valueOf("bookie_entry_location_entries"), 0)
      yield* index.addLocations(range(1n, 0, 300))
      assert.strictEqual(yield* valueOf("bookie_entry_location_entries"), 300)
      yield* index.deleteLedger(ledger(1n))
      assert.strictEqual(yield* valueOf("bookie_entry_location_entries"), 0)
    }).pipe(Effect.provide(withMetrics(path))))

  test("counts each lookup by its outcome, and whether memory answered it", (path) =>
    Effect.gen(function* () {
      yield* Effect.provide(
        Index.use((index) => Effect.andThen(index.addLocations(range(1n, 0, 1000)), index.compact)),
        layer(path)
      )
      yield* RocksDB.RocksDB.use((database) =>
        database.put(
          Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3),
          Uint8Array.of(LocationPage.version, 9, 9)
        )
      ).pipe(Effect.provide(RocksDB.layer({ path })))
      yield* Effect.gen(function* () {
        const index = yield* Index
        for (let at = 0; at < 200; at++) yield* index.getLocation(ledger(1n), EntryId.make(BigInt(at)))
        yield* index.getLocation(ledger(2n), EntryId.make(0n))
        yield* tagOf(index.getLocation(ledger(1n), EntryId.make(800n)))
        yield* index.getLocations([id(1n, 0n), id(1n, 300n), id(1n, 301n), id(2n, 1n)])
        yield* tagOf(index.getLocation(-1n as never, EntryId.make(0n)))
        assert.deepStrictEqual(yield* countsOf("bookie_lookup_entry_location_seconds"), [203, 2, 1])
        assert.strictEqual(yield* valueOf("bookie_entry_location_page_cache_misses_total"), 5)
        assert.strictEqual(yield* valueOf("bookie_entry_location_page_cache_hits_total"), 201)
        assert.isAbove((yield* valueOf("bookie_entry_location_page_cache_bytes")) as number, 2048)
      }).pipe(Effect.provide(withMetrics(path)))
    }))

  test("says how much memory waits to be written into pages, and that none does afterwards", (path) =>
    Effect.gen(function* () {
      const index = yield* Index
      yield* index.addLocations(range(1n, 0, 1000))
      const before = yield* valueOf("bookie_entry_location_memtable_bytes")
      assert.isAbove(before as number, 8 * 1000)
      yield* index.compact
      assert.strictEqual(yield* valueOf("bookie_entry_location_memtable_bytes"), 0)
    }).pipe(Effect.provide(withMetrics(path))))

  test("counts each lookup of a last entry by its outcome", (path) =>
    Effect.gen(function* () {
      const index = yield* Index
      const database = yield* RocksDB.RocksDB
      yield* index.addLocations(range(1n, 0, 10))
      for (let at = 0; at < 100; at++) yield* index.getLastEntryInLedger(ledger(1n))
      for (let at = 0; at < 3; at++) yield* index.getLastEntryInLedger(ledger(2n))
      yield* database.put(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 3), Uint8Array.of(9))
      yield* tagOf(index.getLastEntryInLedger(ledger(3n)))
      assert.deepStrictEqual(yield* countsOf("bookie_get_last_entry_in_ledger_seconds"), [100, 3, 1])
    }).pipe(Effect.provide(withMetrics(path))))

  test("times each commit and each checkpoint", (path) =>
    Effect.gen(function* () {
      const index = yield* Index
      yield* index.addLocations(range(1n, 0, 300))
      yield* index.addLocations(range(2n, 0, 300))
      assert.deepStrictEqual(yield* endingsOf("bookie_entry_location_commit_seconds"), [2, 0])
      assert.deepStrictEqual(yield* endingsOf("bookie_entry_location_checkpoint_seconds"), [0, 0])
      yield* index.compact
      assert.deepStrictEqual(yield* endingsOf("bookie_entry_location_checkpoint_seconds"), [1, 0])
      const waits = yield* series("bookie_entry_location_room_wait_seconds")
      assert.strictEqual(waits?.type === "Histogram" ? waits.state.count : undefined, 0)
    }).pipe(Effect.provide(withMetrics(path))))

  test("has durations in seconds whose buckets add up", (path) =>
    Effect.gen(function* () {
      const index = yield* Index
      yield* index.addLocations(range(1n, 0, 10))
      const start = performance.now()
      for (let at = 0; at < 1000; at++) yield* index.getLocation(ledger(1n), EntryId.make(BigInt(at % 10)))
      for (let at = 0; at < 20; at++) yield* index.getLocation(ledger(BigInt(at + 2)), EntryId.make(1n))
      const elapsed = (performance.now() - start) / 1000
      let sum = 0
      for (const outcome of ["found", "missing"]) {
        const state = yield* timer("bookie_lookup_entry_location_seconds", outcome)
        assert.isDefined(state)
        sum += state?.sum ?? 0
        assert.isAtLeast(state?.min ?? -1, 0)
        assert.isAtLeast(state?.max ?? 0, state?.min ?? 0)
        const counts = state?.buckets.map(([, count]) => count) ?? []
        assert.deepStrictEqual(
          counts,
          counts.toSorted((left, right) => left - right)
        )
        assert.strictEqual(counts.at(-1), state?.count)
      }
      assert.isAbove(sum, 0)
      // Of what memory answers one in 64 is timed and stands for the others, so the sum may be off.
      assert.isBelow(sum, elapsed * 50)
    }).pipe(Effect.provide(withMetrics(path))))

  test("is Prometheus text with the path, and an outcome where there is one", (path) =>
    Effect.gen(function* () {
      const index = yield* Index
      yield* index.addLocations(range(1n, 0, 10))
      yield* index.getLocation(ledger(1n), EntryId.make(0n))
      const text = yield* PrometheusMetrics.format()
      assert.include(text, `bookie_entry_location_entries{path="${index.path}"} 10`)
      assert.include(text, "# TYPE bookie_entry_location_page_cache_hits_total counter")
      assert.match(text, /bookie_lookup_entry_location_seconds_count\{path="[^"]+",outcome="found"\} 1/)
      assert.match(text, /bookie_lookup_entry_location_seconds_bucket\{path="[^"]+",outcome="failed",le="\+Inf"\} 0/)
    }).pipe(Effect.provide(withMetrics(path))))

  test("is out of the registry once the layer is released, and afresh when it is built again", (path) =>
    Effect.gen(function* () {
      for (let round = 1; round <= 2; round++) {
        yield* Effect.gen(function* () {
          const index = yield* Index
          yield* index.addLocations(range(BigInt(round), 0, 10))
          yield* index.getLocation(ledger(1n), EntryId.make(0n))
          assert.strictEqual((yield* Metric.snapshot).length, 5 + 2 * 3 + 2 * 2 + 1)
          assert.strictEqual(yield* valueOf("bookie_entry_location_entries"), 10 * round)
          assert.deepStrictEqual(yield* countsOf("bookie_lookup_entry_location_seconds"), [1, 0, 0])
        }).pipe(Effect.provide(withMetrics(path)))
        assert.deepStrictEqual(yield* Metric.snapshot, [])
      }
    }))

  test("of two indexes in one process keep apart", (path) =>
    Effect.gen(function* () {
      const other = yield* temporaryDirectory
      yield* entries(path, 3)
      yield* entries(other, 5)
      const found = (yield* Metric.snapshot).filter(({ id }) => id === "bookie_entry_location_entries")
      assert.deepStrictEqual(
        new Map(found.map((one) => [one.attributes?.["path"], one.type === "Gauge" ? one.state.value : undefined])),
        new Map([
          [path, 3],
          [other, 5]
        ])
      )
    }).pipe(Effect.scoped))

  test("of a second index on one database leave the first one its own", (path) =>
    Effect.gen(function* () {
      const database = yield* Layer.build(RocksDB.layer({ path }))
      const metrics = () =>
        Layer.build(Layer.fresh(Layer.provide(EntryLocationMetrics.layer, EntryLocationIndex.layer()))).pipe(
          Effect.provide(database)
        )
      const lines = Effect.map(PrometheusMetrics.format(), (text) =>
        text.split("\n").filter((line) => line.startsWith("bookie_"))
      )
      yield* metrics()
      const before = yield* lines
      assert.isNotEmpty(before)
      yield* Effect.scoped(metrics())
      assert.deepStrictEqual(yield* lines, before)
    }).pipe(Effect.scoped))

  test("a scrape loop that runs through closes and reopenings never throws, and no series outlives its index", (path) =>
    Effect.gen(function* () {
      const scrape = Effect.gen(function* () {
        yield* Metric.snapshot
        yield* PrometheusMetrics.format()
      })
      const scraper = yield* Effect.forkChild(Effect.forever(Effect.andThen(scrape, Effect.yieldNow)))
      for (let round = 0; round < 10; round++) {
        yield* Effect.gen(function* () {
          const index = yield* Index
          yield* index.addLocations(range(BigInt(round), 0, 100))
          yield* Stream.runDrain(index.entries(ledger(BigInt(round))))
        }).pipe(Effect.provide(withMetrics(path)))
        assert.deepStrictEqual(yield* Metric.snapshot, [])
      }
      assert.isUndefined(scraper.pollUnsafe())
      yield* Fiber.interrupt(scraper)
    }))
})
