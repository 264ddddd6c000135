/**
 * The counters of an entry log, and how long they live.
 */
import { Shutdown } from "@effect-bookie/lifecycle"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { EntryLog, EntryLogMetrics } from "../src/index.ts"
import { entry } from "./support.ts"

const live = Layer.provideMerge(EntryLogMetrics.layer, EntryLog.layerTemp({ maxLogSize: "2 KiB" }))

/** The counters by their names, without what all of these begin with. */
const counters = Effect.map(Metric.snapshot, (snapshots) =>
  Object.fromEntries(
    snapshots.flatMap((snapshot) =>
      snapshot.type === "Counter" ? [[snapshot.id.replace("bookie_entry_log_", ""), Number(snapshot.state.count)]] : []
    )
  )
)

const ownRegistry = Effect.provideService(Metric.MetricRegistry, new Map())

describe("EntryLogMetrics", () => {
  it.effect("counts entries, their bytes in the logs, the logs and the syncs", () =>
    Effect.gen(function* () {
      const log = yield* EntryLog.EntryLog
      yield* log.append(entry(1n, 0n).ledgerId, entry(1n, 0n).entryId, new Uint8Array(480))
      yield* log.appendAll([entry(1n, 1n, new Uint8Array(480)), entry(1n, 2n, new Uint8Array(480))])
      const before = yield* counters
      assert.strictEqual(before["appended_entries_total"], 3)
      assert.strictEqual(before["appended_bytes_total"], 3 * 500)
      assert.strictEqual(before["created_logs_total"], 2)
      yield* log.sync
      const after = yield* counters
      assert.strictEqual(Number(after["syncs_total"]) - Number(before["syncs_total"]), 1)
      assert.isAbove(Number(after["sync_seconds_total"]), Number(before["sync_seconds_total"]))
      assert.strictEqual(after["sync_failures_total"], 0)
    }).pipe(Effect.provide(live), ownRegistry)
  )

  it.effect("has the directory as an attribute", () =>
    Effect.gen(function* () {
      const { directory } = yield* EntryLog.EntryLog
      const snapshots = yield* Metric.snapshot
      assert.isNotEmpty(snapshots)
      assert.isTrue(snapshots.every(({ attributes }) => attributes?.["path"] === directory))
    }).pipe(Effect.provide(live), ownRegistry)
  )

  it.effect("is gone before the entry log, and leaves nothing behind", () =>
    Effect.gen(function* () {
      yield* Shutdown.expectOrder(live, ["gauge:bookie_entry_log_*", "entry-log"])
      assert.deepStrictEqual(yield* counters, {})
    }).pipe(ownRegistry)
  )
})
