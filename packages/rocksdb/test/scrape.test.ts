/**
 * Scrapes that run into a close: they never throw, and never see a gauge whose
 * database is on its way out.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Metric, Scope } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { setTimeout } from "node:timers/promises"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { NativeEngine, PropertyGauge, RocksDB } from "@effect-bookie/rocksdb"
import { bytes } from "@effect-bookie/testing/bytes"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { Probe } from "@effect-bookie/testing/Probe"

/** The names of all gauges that a scrape finds. */
const scrape = Effect.map(Metric.snapshot, (snapshots) => snapshots.map(({ id }) => id))

const ownRegistry = Effect.provideService(Metric.MetricRegistry, new Map())

const databases = Array.from({ length: 8 }, (_, index) => index)

describe("scraping", () => {
  it.live("at full speed through closes and reopenings never throws and never sees a stale gauge", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const found = { open: 0, closed: 0 }
      let isOpen = false
      const stale: Array<string> = []
      const loop = Effect.gen(function* () {
        const names = yield* scrape
        const text = yield* PrometheusMetrics.format()
        if (isOpen && names.length > 0) found.open += 1
        if (!isOpen) found.closed += 1
        if (!isOpen && (names.length > 0 || text.includes("rocksdb_"))) stale.push(...names)
        yield* Effect.yieldNow
      })
      const scraper = yield* Effect.forkScoped(Effect.forever(loop))

      const listener: Lifecycle.Listener = ({ _tag, resource }) =>
        Effect.gen(function* () {
          if (_tag !== "Released") return
          const names = yield* scrape
          if (!resource.startsWith("gauge:")) stale.push(...names)
          else if (names.includes(resource.slice("gauge:".length))) stale.push(resource)
          if (resource === "rocksdb.operations") isOpen = false
        })
      const application = PropertyGauge.layerAll.pipe(
        Layer.provide(PropertyGauge.layerSampleInterval("1 millis")),
        Layer.provideMerge(RocksDB.layer({ path })),
        Layer.provide(Lifecycle.layer(listener))
      )
      for (const _ of databases) {
        yield* Effect.gen(function* () {
          isOpen = true
          const database = yield* RocksDB.RocksDB
          yield* database.put(bytes("a"), bytes("1"))
          yield* Effect.sleep("20 millis")
          assert.strictEqual((yield* scrape).length, PropertyGauge.standardProperties.length)
        }).pipe(Effect.provide(Layer.fresh(application)))
        yield* Effect.sleep("5 millis")
      }
      assert.isUndefined(scraper.pollUnsafe())
      assert.deepStrictEqual(stale, [])
      assert.isAbove(found.open, databases.length)
      assert.isAbove(found.closed, databases.length)
    }).pipe(ownRegistry)
  )

  it.effect("after reopening the same path finds the gauges afresh, with values of their own", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const application = Layer.provideMerge(PropertyGauge.layer("rocksdb.estimate-num-keys"), RocksDB.layer({ path }))
      const session = (key: string) =>
        Effect.gen(function* () {
          const database = yield* RocksDB.RocksDB
          yield* database.put(bytes(key), bytes("1"))
          const [snapshot, ...others] = yield* Metric.snapshot
          assert.deepStrictEqual(others, [])
          assert.deepStrictEqual(snapshot?.attributes, { path })
          return snapshot?.type === "Gauge" ? snapshot.state.value : undefined
        }).pipe(Effect.provide(Layer.fresh(application)))
      const values: Array<number | bigint | undefined> = []
      for (const key of ["a", "b", "c"]) {
        values.push(yield* session(key))
        assert.deepStrictEqual(yield* scrape, [])
      }
      assert.deepStrictEqual(values, [0, 1, 2])
    }).pipe(ownRegistry)
  )

  it.effect("a sample that is being taken when the close begins is waited for, and its gauge is gone before", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const probe = new Probe()
      const application = Layer.provide(
        PropertyGauge.layer("rocksdb.num-snapshots"),
        RocksDB.layerWithoutEngine({ path })
      ).pipe(Layer.provide(Layer.provide(probe.layer, NativeEngine.layer)))
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(application, scope)
      assert.deepStrictEqual(yield* scrape, ["rocksdb_num_snapshots"])
      const release = probe.hold("property")
      const from = probe.log.length
      yield* TestClock.adjust("10 seconds")
      yield* probe.until("begin property")
      const closing = yield* Effect.forkChild(Effect.exit(Scope.close(scope, Exit.void)))
      yield* Effect.promise(() => setTimeout(30))
      assert.deepStrictEqual(yield* scrape, [])
      assert.deepStrictEqual(probe.log.slice(from), ["begin property", "released gauge:rocksdb_num_snapshots"])
      release()
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(closing)))
      assert.deepStrictEqual(probe.log.slice(from + 2, from + 4), ["end property", "released rocksdb.operations"])
    }).pipe(ownRegistry)
  )

  it.effect("a gauge that has been released samples no more, though its database goes on", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const probe = new Probe()
      const database = yield* Effect.provide(probe.open({ path }), NativeEngine.layer)
      const gauge = PropertyGauge.make("rocksdb.num-snapshots").pipe(
        Effect.provideService(RocksDB.RocksDB, database),
        Effect.andThen(TestClock.adjust("10 seconds")),
        Effect.andThen(Effect.promise(() => setTimeout(30)))
      )
      yield* Effect.scoped(gauge)
      const samples = () => probe.log.filter((line) => line === "begin property").length
      assert.strictEqual(samples(), 2)
      yield* TestClock.adjust("1 minute")
      yield* Effect.promise(() => setTimeout(30))
      assert.strictEqual(samples(), 2)
    }).pipe(ownRegistry)
  )

  it.effect("two databases in one process keep apart", () =>
    Effect.gen(function* () {
      const paths = [yield* temporaryDirectory, yield* temporaryDirectory]
      const gauge = PropertyGauge.layer("rocksdb.estimate-num-keys")
      const pathsFound = Effect.map(Metric.snapshot, (snapshots) =>
        snapshots.map(({ attributes }) => attributes?.path).toSorted()
      )
      const applications = paths.map((path) => Layer.fresh(Layer.provide(gauge, RocksDB.layer({ path }))))
      const [first = Layer.empty, second = Layer.empty] = applications
      yield* Effect.gen(function* () {
        yield* Effect.provide(
          Effect.map(pathsFound, (found) => assert.deepStrictEqual(found, paths.toSorted())),
          second
        )
        assert.deepStrictEqual(yield* pathsFound, paths.slice(0, 1))
      }).pipe(Effect.provide(first))
    }).pipe(ownRegistry)
  )
})
