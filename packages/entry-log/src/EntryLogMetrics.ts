/**
 * The counters of an entry log as a Layer.
 *
 * The series are in Effect's metric registry exactly as long as the layer, with
 * the directory as the attribute `path`, and are gone before the entry log is
 * released. A scrape reads plain numbers that the entry log counts anyway.
 *
 * | metric | type | what |
 * |---|---|---|
 * | `bookie_entry_log_appended_entries_total` | counter | entries appended |
 * | `bookie_entry_log_appended_bytes_total` | counter | their bytes in the logs |
 * | `bookie_entry_log_created_logs_total` | counter | logs created |
 * | `bookie_entry_log_syncs_total` | counter | syncs that succeeded |
 * | `bookie_entry_log_sync_failures_total` | counter | syncs that failed |
 * | `bookie_entry_log_sync_seconds_total` | counter | time that syncs took |
 */
import * as MetricSeries from "@effect-bookie/lifecycle/MetricSeries"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { EntryLog } from "./EntryLog.ts"

/** Registers the series of an entry log in the current scope. */
export const make: Effect.Effect<void, never, EntryLog | Scope.Scope> = Effect.gen(function* () {
  const { directory, statistics } = yield* EntryLog
  const counter = (name: string, description: string, get: () => number) =>
    MetricSeries.counter(`bookie_entry_log_${name}_total`, { description, attributes: { path: directory } }, get)
  yield* counter("appended_entries", "How many entries have been appended", () => statistics.appendedEntries)
  yield* counter("appended_bytes", "How many bytes these take up in the logs", () => statistics.appendedBytes)
  yield* counter("created_logs", "How many logs have been created", () => statistics.createdLogs)
  yield* counter("syncs", "How many syncs of the log have succeeded", () => statistics.syncs)
  yield* counter("sync_failures", "How many syncs of the log have failed", () => statistics.failedSyncs)
  yield* counter("sync_seconds", "How long the syncs have taken together", () => statistics.syncSeconds)
})

/** Registers the series of the entry log. */
export const layer: Layer.Layer<never, never, EntryLog> = Layer.effectDiscard(make)
