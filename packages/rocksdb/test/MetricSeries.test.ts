/**
 * Series that several owners share, each for as long as its scope.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Metric, Schema, Scope } from "effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { MetricSeries } from "@effect-bookie/lifecycle"
import { PropertyGauge, RocksDB } from "@effect-bookie/rocksdb"
import { bytes } from "@effect-bookie/testing/bytes"
import { temporaryDirectory } from "@effect-bookie/testing/directory"

const ownRegistry = Effect.provideService(Metric.MetricRegistry, new Map())

/** The lines of a metric, as a scrape of `/metrics` has them: `name{path="…"} 1`. */
const linesOf = (name: string) =>
  Effect.map(PrometheusMetrics.format(), (text) => text.split("\n").filter((line) => line.startsWith(`${name}{`)))

/** The values of a metric's series. */
const valuesOf = (name: string) => Effect.map(linesOf(name), (lines) => lines.map((line) => line.split("} ")[1]))

/** Registers a gauge `shared` whose value stays the same. */
const own = (value: number, attributes?: Metric.Metric.AttributeSet) =>
  MetricSeries.scoped("shared", [
    MetricSeries.make(Metric.gauge("shared", { attributes: { path: "/data", ...attributes } }), () => ({ value }))
  ])

describe("MetricSeries", () => {
  it.effect("a reader's gauges leave the writer its own, whichever goes first", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const gauge = PropertyGauge.layer("rocksdb.estimate-num-keys")
      const writer = yield* Scope.make()
      const { put } = yield* Effect.provide(
        RocksDB.RocksDB,
        yield* Layer.buildWithScope(Layer.provideMerge(gauge, RocksDB.layer({ path })), writer)
      )
      yield* put(bytes("a"), bytes("1"))
      const readers = yield* Effect.forEach([1, 2], () => Scope.make())
      const name = "rocksdb_estimate_num_keys"
      for (const [index, reader] of readers.entries()) {
        yield* Layer.buildWithScope(Layer.fresh(Layer.provide(gauge, RocksDB.layer({ path, readOnly: true }))), reader)
        // A reader has sampled the entry that the writer, which samples every 10 seconds, has not.
        assert.deepStrictEqual(yield* linesOf(name), [`${name}{path="${path}"} 1`], `with reader ${index}`)
      }
      const [first, second] = readers
      if (first !== undefined) yield* Scope.close(first, Exit.void)
      assert.deepStrictEqual(yield* valuesOf(name), ["1"])
      if (second !== undefined) yield* Scope.close(second, Exit.void)
      assert.deepStrictEqual(yield* valuesOf(name), ["0"])
      yield* Scope.close(writer, Exit.void)
      assert.deepStrictEqual(yield* linesOf(name), [])
    }).pipe(ownRegistry)
  )

  it.effect.prop(
    "of the owners that are left the one that came last answers, in whichever order they come and go",
    { steps: Schema.Array(Schema.Literals([0, 1, 2, 3, 4])).check(Schema.isMaxLength(30)) },
    ({ steps }) =>
      Effect.gen(function* () {
        /** The scopes of the owners that are there, in the order in which they came. */
        const owners = new Map<number, Scope.Closeable>()
        for (const owner of steps) {
          const open = owners.get(owner)
          if (open === undefined) {
            const scope = yield* Scope.make()
            owners.set(owner, scope)
            yield* Scope.provide(own(owner), scope)
          } else {
            owners.delete(owner)
            yield* Scope.close(open, Exit.void)
          }
          const last = Array.from(owners.keys()).at(-1)
          assert.deepStrictEqual(yield* valuesOf("shared"), last === undefined ? [] : [String(last)])
        }
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )

  it.effect("owners of other attributes, of the context too, and of other registries keep apart", () =>
    Effect.gen(function* () {
      const inOther = Effect.provideService(Metric.MetricRegistry, new Map())
      yield* own(1)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* own(2, { column: "a" })
          yield* Effect.provideService(own(3), Metric.CurrentMetricAttributes, { column: "b" })
          assert.deepStrictEqual(yield* valuesOf("shared"), ["1", "2", "3"])
          yield* inOther(
            Effect.gen(function* () {
              yield* Effect.scoped(own(4))
              yield* own(5)
              assert.deepStrictEqual(yield* valuesOf("shared"), ["5"])
            })
          )
          assert.deepStrictEqual(yield* valuesOf("shared"), ["1", "2", "3"])
        })
      )
      assert.deepStrictEqual(yield* valuesOf("shared"), ["1"])
    }).pipe(Effect.scoped, ownRegistry)
  )

  it.effect("a series that somebody else has put in the place stays when the owner goes", () =>
    Effect.gen(function* () {
      const foreign = Metric.gauge("shared", { attributes: { path: "/data" } })
      yield* Effect.scoped(Effect.andThen(own(1), Effect.andThen(Metric.remove(foreign), Metric.update(foreign, 7))))
      assert.deepStrictEqual(yield* valuesOf("shared"), ["7"])
    }).pipe(ownRegistry)
  )

  it.effect("one whose state cannot be read keeps its last one, and every other metric is scraped", () =>
    Effect.gen(function* () {
      const messages: Array<unknown> = []
      const logger = Logger.make(({ message }) => messages.push(message))
      let reads = 0
      const broken = MetricSeries.make(Metric.gauge("broken", { attributes: { path: "/data" } }), () => {
        reads += 1
        if (reads > 2) throw new Error("the state has gone")
        return { value: reads }
      })
      yield* MetricSeries.scoped("broken", [broken]).pipe(Effect.provide(Logger.layer([logger])))
      yield* own(1)
      assert.deepStrictEqual(yield* valuesOf("broken"), ["2"])
      assert.deepStrictEqual(yield* valuesOf("broken"), ["2"])
      assert.deepStrictEqual(yield* valuesOf("shared"), ["1"])
      yield* Effect.yieldNow
      assert.lengthOf(messages, 1)
      assert.include(String(messages), "The series broken keeps its last state: the state has gone")
    }).pipe(Effect.scoped, ownRegistry)
  )

  it.effect("one whose state can never be read is a defect, and leaves none of its name behind", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        MetricSeries.scoped("shared", [
          MetricSeries.make(Metric.gauge("shared", { attributes: { part: "a" } }), () => ({ value: 1 })),
          MetricSeries.make(Metric.gauge("shared", { attributes: { part: "b" } }), () => {
            throw new Error("there is no state")
          })
        ])
      )
      assert.include(String(exit), "there is no state")
      assert.deepStrictEqual(yield* linesOf("shared"), [])
    }).pipe(Effect.scoped, ownRegistry)
  )
})
