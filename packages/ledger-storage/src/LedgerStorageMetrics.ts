/**
 * The gauges, counters and timers of a storage as a Layer.
 *
 * The series are in Effect's metric registry exactly as long as the layer, with
 * the name of the storage as an attribute, and are gone before the storage is
 * released. A scrape reads plain numbers that the storage counts anyway. All
 * backends have these series.
 *
 * | metric | type | BookKeeper's name |
 * |---|---|---|
 * | `bookie_add_entry_seconds` | histogram | `ADD_ENTRY` |
 * | `bookie_add_entries_total` | counter | |
 * | `bookie_write_bytes_total` | counter | `WRITE_BYTES` |
 * | `bookie_add_entry_in_progress_bytes` | gauge | `ADD_ENTRY_IN_PROGRESS`, which counts entries |
 * | `bookie_add_entry_blocked` | gauge | `ADD_ENTRY_BLOCKED` |
 * | `bookie_write_groups_total` | counter | |
 * | `bookie_journal_sync_seconds` | histogram | `JOURNAL_SYNC` |
 * | `bookie_index_commit_seconds` | histogram | |
 * | `bookie_read_entries_total` | counter | |
 * | `bookie_read_bytes_total` | counter | `READ_BYTES` |
 * | `bookie_followers` | gauge | |
 *
 * `bookie_read_entries_total` has a series for each `source`: `recent`, the entries that came last and are in memory, and
 * `stored`.
 */
import * as MetricSeries from "@effect-bookie/lifecycle/MetricSeries"
import * as Timer from "@effect-bookie/lifecycle/Timer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { LedgerStorage } from "./LedgerStorage.ts"

/** Registers the series of a storage in the current scope. */
export const make: Effect.Effect<void, never, LedgerStorage | Scope.Scope> = Effect.gen(function* () {
  const { name: storage, statistics } = yield* LedgerStorage
  yield* timer("bookie_add_entry_seconds", "Appends, from the call to its acknowledgement", storage, statistics.appends)
  yield* counter(
    "bookie_add_entries_total",
    "How many entries were appended",
    { storage },
    () => statistics.appendedEntries
  )
  yield* counter(
    "bookie_write_bytes_total",
    "How many bytes their payloads had",
    { storage },
    () => statistics.appendedBytes
  )
  yield* gauge(
    "bookie_add_entry_in_progress_bytes",
    "How many bytes the appends in flight take up",
    storage,
    () => statistics.bytesInFlight
  )
  yield* gauge(
    "bookie_add_entry_blocked",
    "How many requests wait because of the bytes in flight",
    storage,
    () => statistics.waiting
  )
  yield* counter("bookie_write_groups_total", "How many groups shared a write", { storage }, () => statistics.groups)
  yield* timer("bookie_journal_sync_seconds", "Syncs of what was appended", storage, statistics.syncs)
  yield* timer("bookie_index_commit_seconds", "Commits that make a group visible", storage, statistics.commits)
  yield* sources("bookie_read_entries_total", "How many entries were read", storage, {
    recent: () => statistics.recentReads,
    stored: () => statistics.storedReads
  })
  yield* counter(
    "bookie_read_bytes_total",
    "How many bytes their payloads had",
    { storage },
    () => statistics.readBytes
  )
  yield* gauge("bookie_followers", "How many tails there are", storage, () => statistics.followers)
})

/** Registers the series of the storage. */
export const layer: Layer.Layer<never, never, LedgerStorage> = Layer.effectDiscard(make)

type Registered = Effect.Effect<void, never, Scope.Scope>

const gauge = (name: string, description: string, storage: string, get: () => number): Registered =>
  MetricSeries.scoped(name, [
    MetricSeries.make(Metric.gauge(name, { description, attributes: { storage } }), () => ({ value: get() }))
  ])

const counterSeries = (
  name: string,
  description: string,
  attributes: { readonly [name: string]: string },
  get: () => number
): MetricSeries.Series =>
  MetricSeries.make(Metric.counter(name, { description, attributes, incremental: true }), () => ({
    count: get(),
    incremental: true
  }))

const counter = (...series: Parameters<typeof counterSeries>): Registered =>
  MetricSeries.scoped(series[0], [counterSeries(...series)])

/** A counter with a series for each source. */
const sources = (
  name: string,
  description: string,
  storage: string,
  counts: { readonly [source: string]: () => number }
): Registered =>
  MetricSeries.scoped(
    name,
    Object.entries(counts).map(([source, get]) => counterSeries(name, description, { storage, source }, get))
  )

const timer = (name: string, description: string, storage: string, durations: Timer.Durations): Registered =>
  MetricSeries.scoped(name, [Timer.series(name, { description, attributes: { storage } }, durations)])
