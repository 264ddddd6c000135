/**
 * A RocksDB property as a gauge Layer, sampled while the database is open.
 *
 * A fiber in the gauge's own scope reads the property at an interval; a scrape
 * gets the last sample and never reaches the database. A layer that has no
 * database does not compile, and one whose property the engine lacks, or whose
 * property is not a number, or whose options make no sense, is a bug: it dies
 * when it is built, and names it.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Arguments from "./internal/arguments.ts"
import { describe } from "./internal/describe.ts"
import * as Durations from "./internal/durations.ts"
import { Refusal, take } from "./internal/refusal.ts"
import * as MetricSeries from "@effect-bookie/lifecycle/MetricSeries"
import { RocksDB, type Service } from "./RocksDB.ts"
import * as RocksDBError from "./RocksDBError.ts"

/** The options of a gauge. */
export interface Options {
  /** How often the property is read: a duration above 0. Default: {@link SampleInterval}. */
  readonly interval?: Duration.Input | undefined
  /** The name of the metric. Default: `rocksdb_` and the property in snake case, with its unit where it is known. */
  readonly name?: string | undefined
  /** What the metric says of itself. */
  readonly description?: string | undefined
}

/** How often gauges read their property unless they say otherwise, a duration above 0: every 10 seconds. */
export const SampleInterval: Context.Reference<Duration.Input> = Context.Reference<Duration.Input>(
  "@effect-bookie/rocksdb/PropertyGauge/SampleInterval",
  { defaultValue: () => "10 seconds" }
)

/** Sets the interval of the gauges that this layer is provided to, such as {@link layerAll}. */
export const layerSampleInterval = (interval: Duration.Input): Layer.Layer<never> =>
  Layer.succeed(SampleInterval)(interval)

/** Registers a gauge of any RocksDB property whose value is a number, such as `rocksdb.block-cache-usage`. */
export const layer = (property: string, options?: Options | undefined): Layer.Layer<never, never, RocksDB> =>
  Layer.effectDiscard(make(property, options))

/** What Flink exposes: the numeric properties of its `RocksDBProperty` (Flink 2.x). */
export const standardProperties: ReadonlyArray<string> = [
  "rocksdb.num-immutable-mem-table",
  "rocksdb.mem-table-flush-pending",
  "rocksdb.compaction-pending",
  "rocksdb.background-errors",
  "rocksdb.cur-size-active-mem-table",
  "rocksdb.cur-size-all-mem-tables",
  "rocksdb.size-all-mem-tables",
  "rocksdb.num-entries-active-mem-table",
  "rocksdb.num-entries-imm-mem-tables",
  "rocksdb.num-deletes-active-mem-table",
  "rocksdb.num-deletes-imm-mem-tables",
  "rocksdb.estimate-num-keys",
  "rocksdb.estimate-table-readers-mem",
  "rocksdb.num-snapshots",
  "rocksdb.num-live-versions",
  "rocksdb.estimate-live-data-size",
  "rocksdb.total-sst-files-size",
  "rocksdb.live-sst-files-size",
  "rocksdb.estimate-pending-compaction-bytes",
  "rocksdb.num-running-compactions",
  "rocksdb.num-running-flushes",
  "rocksdb.actual-delayed-write-rate",
  "rocksdb.is-write-stopped",
  "rocksdb.block-cache-capacity",
  "rocksdb.block-cache-usage",
  "rocksdb.block-cache-pinned-usage"
]

/** Registers a gauge for each of the {@link standardProperties}. */
export const layerAll: Layer.Layer<never, never, RocksDB> = Layer.effectDiscard(
  Effect.forEach(standardProperties, (property) => make(property), { discard: true })
)

/** Registers a gauge in the current scope. */
export const make: (
  property: string,
  options?: Options | undefined
) => Effect.Effect<void, never, RocksDB | Scope.Scope> = Effect.fnUntraced(function* (
  property: string,
  options?: Options | undefined
) {
  const database = yield* RocksDB
  const sampleInterval = yield* SampleInterval
  const where = { operation: "gauge", path: database.path }
  const { description, interval, name } = take(where, () => settingsOf(property, options, sampleInterval))
  const gauge = Metric.gauge(name, {
    description,
    attributes: { path: database.path }
  })

  let sample = yield* Effect.orDie(read(database, property))
  yield* MetricSeries.scoped(name, [MetricSeries.make(gauge, () => ({ value: sample }))])

  const refresh = Effect.matchEffect(read(database, property), {
    onFailure: (error) => Effect.logDebug(`The gauge ${name} keeps its last sample: ${error.message}`),
    onSuccess: (value) => Effect.sync(() => (sample = value))
  })
  yield* Effect.forkScoped(Effect.repeat(Effect.delay(refresh, interval), Schedule.forever))
})

/** The options without gaps; throws for what makes no sense, in the options or in the {@link SampleInterval}. */
const settingsOf = (property: string, options: Options = {}, sampleInterval: Duration.Input) => {
  Arguments.property(property)
  Arguments.record(options, "options")
  const { description = `RocksDB property ${property}`, interval, name = metricName(property) } = options
  if (typeof name !== "string" || name === "") throw new Refusal(`name must be a text, not ${describe(name)}`)
  if (typeof description !== "string") throw new Refusal(`description must be a text, not ${describe(description)}`)
  return {
    name,
    description,
    interval:
      interval === undefined ? Durations.take(sampleInterval, "SampleInterval") : Durations.take(interval, "interval")
  }
}

const read = (database: Service, property: string): Effect.Effect<number, RocksDBError.RocksDBError> =>
  Effect.flatMap(database.property(property), (text) => {
    if (text !== undefined && number.test(text)) return Effect.succeed(Number(text))
    const problem =
      text === undefined
        ? `the engine has no property "${property}": see the properties in RocksDB's db.h for those of its version`
        : `the property "${property}" is not a number, so it cannot be a gauge`
    return Effect.fail(RocksDBError.invalidArgument(problem, { operation: "gauge", path: database.path }))
  })

const number = /^-?\d+(\.\d+)?$/

const metricName = (property: string): string => {
  const name = `rocksdb_${property.replace(/^rocksdb\./, "").replace(/[^a-zA-Z0-9]+/g, "_")}`
  const unit = units.get(property)
  return unit === undefined || name.endsWith(unit) ? name : `${name}_${unit}`
}

/** The unit of a property, as the last part of the name of its metric. */
const units: ReadonlyMap<string, string> = new Map([
  ["rocksdb.cur-size-active-mem-table", "bytes"],
  ["rocksdb.cur-size-all-mem-tables", "bytes"],
  ["rocksdb.size-all-mem-tables", "bytes"],
  ["rocksdb.estimate-table-readers-mem", "bytes"],
  ["rocksdb.estimate-live-data-size", "bytes"],
  ["rocksdb.total-sst-files-size", "bytes"],
  ["rocksdb.live-sst-files-size", "bytes"],
  ["rocksdb.actual-delayed-write-rate", "bytes_per_second"],
  ["rocksdb.block-cache-capacity", "bytes"],
  ["rocksdb.block-cache-usage", "bytes"],
  ["rocksdb.block-cache-pinned-usage", "bytes"]
])
