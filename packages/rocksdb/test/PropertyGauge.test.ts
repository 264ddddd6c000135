import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Layer, Metric } from "effect"
import { TestClock } from "effect/testing"
import { PropertyGauge, RocksDB } from "@effect-bookie/rocksdb"

const key = new TextEncoder().encode("key")

/** The value of a gauge of this test's own registry, or `undefined` if it is not there. */
const valueOf = (name: string) =>
  Effect.map(Metric.snapshot, (snapshots) => {
    const found = snapshots.find((snapshot) => snapshot.id === name)
    return found?.type === "Gauge" ? found.state.value : undefined
  })

const ownRegistry = Effect.provideService(Metric.MetricRegistry, new Map())

describe("PropertyGauge", () => {
  it.effect("a gauge has the value of its property when it is built, under a name with its unit", () =>
    Effect.gen(function* () {
      const capacity = yield* valueOf("rocksdb_block_cache_capacity_bytes")
      assert.strictEqual(capacity, 32 * 1024 * 1024)
    }).pipe(
      Effect.provide(Layer.provide(PropertyGauge.layer("rocksdb.block-cache-capacity"), RocksDB.layerTemp())),
      ownRegistry
    )
  )

  it.effect("a gauge is sampled every 10 seconds and keeps its value in between", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      yield* database.put(key, key)
      assert.strictEqual(yield* valueOf("rocksdb_num_entries_active_mem_table"), 0)
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(yield* valueOf("rocksdb_num_entries_active_mem_table"), 0)
      yield* TestClock.adjust("1 second")
      yield* until(valueOf("rocksdb_num_entries_active_mem_table"), 1)
    }).pipe(
      Effect.provide(
        Layer.provideMerge(PropertyGauge.layer("rocksdb.num-entries-active-mem-table"), RocksDB.layerTemp())
      ),
      ownRegistry
    )
  )

  it.effect("the interval of all gauges can be set by a layer", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      yield* database.put(key, key)
      yield* TestClock.adjust("1 second")
      yield* until(valueOf("rocksdb_num_entries_active_mem_table"), 1)
    }).pipe(
      Effect.provide(
        PropertyGauge.layerAll.pipe(
          Layer.provide(PropertyGauge.layerSampleInterval("1 second")),
          Layer.provideMerge(RocksDB.layerTemp())
        )
      ),
      ownRegistry
    )
  )

  it.effect("layerAll registers Flink's 26 numeric properties with the database's path", () =>
    Effect.gen(function* () {
      const { path } = yield* RocksDB.RocksDB
      const snapshots = yield* Metric.snapshot
      assert.strictEqual(snapshots.length, 26)
      for (const { attributes, id } of snapshots) {
        assert.deepStrictEqual(attributes, { path })
        assert.match(id, /^rocksdb_/)
      }
    }).pipe(Effect.provide(Layer.provideMerge(PropertyGauge.layerAll, RocksDB.layerTemp())), ownRegistry)
  )

  it.effect("a gauge is out of the registry once its scope has closed", () =>
    Effect.gen(function* () {
      yield* Effect.void.pipe(Effect.provide(Layer.provide(PropertyGauge.layerAll, RocksDB.layerTemp())))
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    }).pipe(ownRegistry)
  )

  it.effect("a property that the engine lacks is an error at build, with its name", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Effect.void.pipe(
          Effect.provide(Layer.provide(PropertyGauge.layer("rocksdb.no-such-property"), RocksDB.layerTemp()))
        )
      )
      assert.match(String(exit), /the engine has no property "rocksdb\.no-such-property"/)
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    }).pipe(ownRegistry)
  )

  it.effect("a property that is not a number is an error at build, with its name", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Effect.void.pipe(Effect.provide(Layer.provide(PropertyGauge.layer("rocksdb.stats"), RocksDB.layerTemp())))
      )
      assert.match(String(exit), /"rocksdb\.stats" is not a number/)
    }).pipe(ownRegistry)
  )

  const impossible: ReadonlyArray<readonly [string, unknown]> = [
    ["NaN", Number.NaN],
    ["0", 0],
    ["-1000", -1000],
    ['"ten seconds"', "ten seconds"],
    ['"10"', "10"],
    ['"-1 seconds"', "-1 seconds"],
    ["null", null],
    ["Object", {}],
    ["Object", { seconds: Number.NaN }],
    ["0 millis", Duration.zero]
  ]
  it.effect.each(impossible)("an interval of %s is an error at build, with its name", ([name, interval]) =>
    Effect.gen(function* () {
      const gauge = PropertyGauge.layer("rocksdb.num-snapshots", { interval: untyped(interval) })
      assert.include(yield* dies(gauge), `gauge: interval must be a duration above 0, such as "1 minute", not ${name}`)
    }).pipe(ownRegistry)
  )

  it.effect.each(impossible)("a SampleInterval of %s is an error at build, with its name", ([name, interval]) =>
    Effect.gen(function* () {
      const gauges = Layer.provide(PropertyGauge.layerAll, PropertyGauge.layerSampleInterval(untyped(interval)))
      assert.include(
        yield* dies(gauges),
        `gauge: SampleInterval must be a duration above 0, such as "1 minute", not ${name}`
      )
    }).pipe(ownRegistry)
  )

  it.effect.each<readonly [string, unknown, unknown]>([
    ["the name of a property must be a string", undefined, undefined],
    ["the options must be an object", "rocksdb.num-snapshots", null],
    ["the options must be an object", "rocksdb.num-snapshots", "10 seconds"],
    ["name must be a text", "rocksdb.num-snapshots", { name: "" }],
    ["name must be a text", "rocksdb.num-snapshots", { name: 5 }],
    // A scrape would fail at it, of every other metric too.
    ["description must be a text", "rocksdb.num-snapshots", { description: 5 }],
    ["description must be a text", "rocksdb.num-snapshots", { description: null }],
    ["the level at the end", "rocksdb.num-files-at-level4294967295", undefined]
  ])("%s, or it is an error at build", ([message, property, options]) =>
    Effect.gen(function* () {
      assert.include(yield* dies(PropertyGauge.layer(untyped(property), untyped(options))), message)
    }).pipe(ownRegistry)
  )

  it.effect("a gauge whose interval never ends is sampled once", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("52 weeks")
      assert.strictEqual(yield* valueOf("rocksdb_num_snapshots"), 0)
    }).pipe(
      Effect.provide(
        Layer.provide(PropertyGauge.layer("rocksdb.num-snapshots", { interval: "Infinity" }), RocksDB.layerTemp())
      ),
      ownRegistry
    )
  )
})

/** The defect that a gauge dies of when it is built; it leaves no series behind. */
const dies = <A>(gauge: Layer.Layer<A, never, RocksDB.RocksDB>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Effect.provide(Effect.void, Layer.provide(gauge, RocksDB.layerTemp())))
    assert.deepStrictEqual(yield* Metric.snapshot, [])
    return Exit.isFailure(exit) && Cause.hasDies(exit.cause) ? String(exit) : "no defect"
  })

/** Stands for plain JavaScript, which has no types. */
const untyped = (value: unknown): never => value as never

/** Waits in real time, at most 5 seconds, for a sample that the test clock has started. */
const until = <A>(self: Effect.Effect<A>, expected: A) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 1000 && (yield* self) !== expected; turn++) {
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))
    }
    assert.strictEqual(yield* self, expected)
  })
