/**
 * The gauges, counters and timers of an index as a Layer.
 *
 * The series are in Effect's metric registry exactly as long as the layer, with
 * the database's path as an attribute, and are gone before the index is
 * released. A scrape reads plain numbers that the index counts anyway.
 *
 * | metric | type | BookKeeper's name |
 * |---|---|---|
 * | `bookie_entry_location_entries` | gauge | `entries-count` |
 * | `bookie_entry_location_page_cache_bytes` | gauge | |
 * | `bookie_entry_location_memtable_bytes` | gauge | |
 * | `bookie_entry_location_page_cache_hits_total` | counter | |
 * | `bookie_entry_location_page_cache_misses_total` | counter | |
 * | `bookie_lookup_entry_location_seconds` | histogram | `lookup-entry-location` |
 * | `bookie_get_last_entry_in_ledger_seconds` | histogram | `get-last-entry-in-ledger` |
 * | `bookie_entry_location_commit_seconds` | histogram | |
 * | `bookie_entry_location_checkpoint_seconds` | histogram | |
 * | `bookie_entry_location_room_wait_seconds` | histogram | |
 *
 * The histograms of lookups have a series for each `outcome`: `found`, `missing`
 * and `failed`; those of commits and checkpoints `done` and `failed`. A commit
 * waits for room only when both memtables are full. Of the lookups that memory answers one in 64 is timed and stands for
 * the others; all are counted.
 */
import { MetricSeries, Timer } from "@effect-bookie/lifecycle"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { EntryLocationIndex, type Endings, type Outcomes } from "./EntryLocationIndex.ts"

/** Registers the series of an index in the current scope. */
export const make: Effect.Effect<void, never, EntryLocationIndex | Scope.Scope> = Effect.gen(function* () {
  const { path, statistics } = yield* EntryLocationIndex
  yield* gauge("bookie_entry_location_entries", "How many entries the index holds", path, () => statistics.entries)
  yield* gauge(
    "bookie_entry_location_page_cache_bytes",
    "How much memory the decoded pages of the index take up",
    path,
    () => statistics.pageCacheBytes
  )
  yield* gauge(
    "bookie_entry_location_memtable_bytes",
    "How much memory what is not in pages yet takes up",
    path,
    () => statistics.memtableBytes
  )
  yield* counter(
    "bookie_entry_location_page_cache_hits_total",
    "How many lookups of an entry found its page in memory",
    path,
    () => statistics.pageCacheHits
  )
  yield* counter(
    "bookie_entry_location_page_cache_misses_total",
    "How many lookups of an entry had to read its page",
    path,
    () => statistics.pageCacheMisses
  )
  yield* timer("bookie_lookup_entry_location_seconds", "Lookups of the location of an entry", path, statistics.lookups)
  yield* timer(
    "bookie_get_last_entry_in_ledger_seconds",
    "Lookups of the last entry of a ledger",
    path,
    statistics.lastEntries
  )
  yield* timer("bookie_entry_location_commit_seconds", "Commits to the journal of the index", path, statistics.commits)
  yield* timer(
    "bookie_entry_location_checkpoint_seconds",
    "Checkpoints, each of a memtable into the pages of the index",
    path,
    statistics.checkpoints
  )
  yield* MetricSeries.scoped("bookie_entry_location_room_wait_seconds", [
    Timer.series(
      "bookie_entry_location_room_wait_seconds",
      { description: "How long commits waited for room in the memtables", attributes: { path } },
      statistics.roomWaits
    )
  ])
})

/** Registers the series of the index. */
export const layer: Layer.Layer<never, never, EntryLocationIndex> = Layer.effectDiscard(make)

type Registered = Effect.Effect<void, never, Scope.Scope>

const gauge = (name: string, description: string, path: string, get: () => number): Registered =>
  MetricSeries.scoped(name, [
    MetricSeries.make(Metric.gauge(name, { description, attributes: { path } }), () => ({ value: get() }))
  ])

const counter = (name: string, description: string, path: string, get: () => number): Registered =>
  MetricSeries.scoped(name, [
    MetricSeries.make(Metric.counter(name, { description, attributes: { path }, incremental: true }), () => ({
      count: get(),
      incremental: true
    }))
  ])

/** A series for each outcome. */
const timer = (
  name: string,
  description: string,
  path: string,
  outcomes: { readonly [outcome in keyof Outcomes | keyof Endings]?: Timer.Durations }
): Registered =>
  MetricSeries.scoped(
    name,
    Object.entries(outcomes).map(([outcome, durations]) =>
      Timer.series(name, { description, attributes: { path, outcome } }, durations)
    )
  )
