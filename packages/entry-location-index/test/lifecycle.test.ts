/**
 * The life of an index: what it answers once it is being released, and in which
 * order it, its gauges and its database are.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, ManagedRuntime, Metric, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Lifecycle, Shutdown } from "@effect-bookie/lifecycle"
import { Engine, NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { Probe } from "@effect-bookie/testing/Probe"
import { EntryId, EntryLocationIndex, EntryLocationMetrics, LedgerId, Location } from "../src/index.ts"
import {
  entry,
  everything,
  FailingEngine,
  isCheckpoint,
  isCommit,
  layer,
  range,
  start,
  tagOf,
  temporaryDirectory,
  until,
  using
} from "./support.ts"

const ledger = LedgerId.make

const Index = EntryLocationIndex.EntryLocationIndex

/** An index over a watched database, in scopes that a test closes by hand. */
const opened = Effect.gen(function* () {
  const path = yield* temporaryDirectory
  const probe = new Probe()
  const databaseScope = yield* Scope.make()
  const indexScope = yield* Scope.make()
  const database = yield* probe.open({ path }).pipe(Scope.provide(databaseScope), Effect.provide(NativeEngine.layer))
  const index = yield* EntryLocationIndex.make({ compactionInterval: 0 }).pipe(
    Scope.provide(indexScope),
    Effect.provideService(RocksDB.RocksDB, database),
    Effect.provideService(Lifecycle.Lifecycle, probe.listener)
  )
  const closeIndex = Scope.close(indexScope, Exit.void)
  const close = Effect.andThen(closeIndex, Scope.close(databaseScope, Exit.void))
  return { path, probe, index, closeIndex, close }
})

describe("after the release", () => {
  it.effect.each(["index", "database", "both"])("of %s every operation answers Closed, and the process lives", (what) =>
    Effect.gen(function* () {
      const child = yield* start("after-close", yield* temporaryDirectory, what)
      assert.strictEqual(yield* child.ended, 0, child.printed().join("\n"))
      assert.strictEqual(child.printed().filter((line) => line.endsWith(": Closed")).length, 3 * 19)
    }).pipe(Effect.scoped)
  )

  it.effect("the scope opens no index again, and the database can have one in another", () =>
    Effect.gen(function* () {
      const database = yield* Effect.provide(RocksDB.make({ path: yield* temporaryDirectory }), NativeEngine.layer)
      const make = Effect.provideService(EntryLocationIndex.make(), RocksDB.RocksDB, database)
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* tagOf(Scope.provide(make, scope)), "Closed")
      assert.strictEqual(yield* (yield* make).entryCount, 0n)
    }).pipe(Effect.scoped)
  )

  it.effect("a stream that was left open fails with Closed", () =>
    Effect.gen(function* () {
      const { close, closeIndex, index } = yield* opened
      yield* index.addLocations(range(1n, 0, 100_000))
      const begun = yield* Latch.make()
      const goOn = yield* Latch.make()
      let seen = 0
      const reader = yield* Effect.forkChild(
        Stream.runForEachArray(index.entries(ledger(1n)), (found) => {
          seen += found.length
          return Effect.andThen(begun.open, goOn.await)
        })
      )
      yield* begun.await
      yield* closeIndex
      yield* goOn.open
      assert.strictEqual(yield* tagOf(Fiber.join(reader)), "Closed")
      assert.isBelow(seen, 100_000)
      yield* close
    }).pipe(Effect.scoped)
  )
})

describe("on release", () => {
  it.effect("what was accepted is committed and acknowledged, and what comes later is refused", () =>
    Effect.gen(function* () {
      const { close, index, path, probe } = yield* opened
      const release = probe.hold("write")
      const adding = yield* Effect.forEach(range(1n, 0, 50), (one) =>
        Effect.tap(Effect.forkChild(index.addLocation(one.ledgerId, one.entryId, one.location)), () => Effect.yieldNow)
      )
      yield* probe.until("begin write")
      const closing = yield* Effect.forkChild(close)
      yield* Effect.yieldNow
      assert.strictEqual(yield* tagOf(index.addLocations(range(2n, 0, 1))), "Closed")
      assert.strictEqual(yield* tagOf(index.getLocation(ledger(1n), EntryId.make(0n))), "Closed")
      assert.notInclude(probe.log, "released entry-location-index")
      release()
      yield* Fiber.join(closing)
      yield* Effect.forEach(adding, Fiber.join)
      assert.deepStrictEqual(yield* using(path, everything), range(1n, 0, 50))
    }).pipe(Effect.scoped)
  )

  it.effect("a compaction under way is waited for before the database is let go", () =>
    Effect.gen(function* () {
      const { close, index, probe } = yield* opened
      yield* index.addLocations(range(1n, 0, 1000))
      const release = probe.hold("compact")
      yield* index.deleteLedger(ledger(1n))
      yield* probe.until("begin compact")
      const closing = yield* Effect.forkChild(close)
      yield* probe.until("released entry-location-index")
      assert.notInclude(probe.log, "begin close")
      release()
      yield* Fiber.join(closing)
      const after = probe.only("compact", "close", "rocksdb")
      assert.deepStrictEqual(after, [
        "acquired rocksdb",
        "begin compact",
        "end compact",
        "begin close",
        "end close",
        "released rocksdb"
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("its steps follow one another even in a scope that runs its finalizers at once", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const probe = new Probe()
      const database = yield* probe.open({ path }).pipe(Effect.provide(NativeEngine.layer))
      const scope = yield* Scope.make("parallel")
      const index = yield* EntryLocationIndex.make().pipe(
        Scope.provide(scope),
        Effect.provideService(RocksDB.RocksDB, database),
        Effect.provideService(Lifecycle.Lifecycle, probe.listener)
      )
      const release = probe.hold("write")
      yield* Effect.forkChild(index.addLocations(range(1n, 0, 1)))
      yield* probe.until("begin write")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow
      release()
      yield* Fiber.join(closing)
      assert.deepStrictEqual(probe.only("write", "entry-location-index"), [
        "acquired entry-location-index",
        "begin write",
        "end write",
        "released entry-location-index"
      ])
    }).pipe(Effect.scoped)
  )
})

/** What is written, and what is told, while an index is used and released. */
const historyOf = (
  use: (
    index: EntryLocationIndex.EntryLocationIndex["Service"],
    engine: FailingEngine
  ) => Effect.Effect<unknown, unknown, Scope.Scope>
) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const events: Array<string> = []
    const engine = new FailingEngine(() => events.push("write"))
    const listener: Lifecycle.Listener = ({ _tag, resource }) => Effect.sync(() => events.push(`${_tag} ${resource}`))
    const scope = yield* Scope.make()
    yield* Index.use((index) => use(index, engine).pipe(Scope.provide(scope))).pipe(
      Effect.provide(
        layer(path, { memtableSize: 20_000, compactionInterval: 0 }, engine.layer).pipe(
          Layer.provide(Lifecycle.layer(listener))
        )
      )
    )
    yield* Effect.sleep("50 millis").pipe(TestClock.withLive)
    yield* Scope.close(scope, Exit.void)
    return events
  })

const assertLast = (events: ReadonlyArray<string>) => {
  const released = events.indexOf("Released entry-location-index")
  assert.isAbove(released, 0)
  assert.isAbove(events.lastIndexOf("write"), 0)
  assert.isBelow(events.lastIndexOf("write"), released)
}

describe("the release is told", () => {
  it.effect("after what drops the traces of a commit that has failed", () =>
    Effect.gen(function* () {
      const events = yield* historyOf((index, engine) => {
        engine.refuse(2, "IO error: it broke", { isMeant: isCommit })
        return Effect.exit(index.addLocations(range(1n, 0, 1)))
      })
      assertLast(events)
      assert.strictEqual(events.filter((event) => event === "write").length, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("after the last write of a checkpoint, whoever asked for it", () =>
    Effect.gen(function* () {
      for (const asks of [true, false]) {
        const events = yield* historyOf((index, engine) =>
          Effect.gen(function* () {
            yield* index.addLocations(Array.from({ length: 9_000 }, (_, at) => entry(BigInt(at), 0n, 1n)))
            yield* until(() => index.statistics.memtableBytes === 0)
            const release = engine.hold(isCheckpoint)
            const held = engine.held
            yield* index.addLocations(Array.from({ length: asks ? 50 : 9_000 }, (_, at) => entry(BigInt(at), 1n, 1n)))
            // One that outlives the index.
            if (asks) yield* Effect.forkScoped(Effect.exit(index.compact))
            yield* until(() => engine.held > held)
            yield* Effect.sleep("30 millis").pipe(
              TestClock.withLive,
              Effect.andThen(Effect.sync(release)),
              Effect.forkDetach
            )
          })
        )
        assertLast(events)
      }
    }).pipe(Effect.scoped)
  )
})

describe("an index that is opened while the last one on its database is released", () => {
  it.effect("waits for what that one still writes, and loses nothing", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      yield* Effect.gen(function* () {
        const database = yield* RocksDB.make({ path })
        const open = EntryLocationIndex.make().pipe(Effect.provideService(RocksDB.RocksDB, database))
        const scope = yield* Scope.make()
        const first = yield* open.pipe(Scope.provide(scope))
        yield* first.addLocations(range(1n, 0, 3))
        // What drops its traces fails too, so the release does it.
        engine.refuse(2, "IO error: it broke", {
          isMeant: isCommit,
          isDone: (operations) => operations.at(-1)?.type === "put"
        })
        assert.strictEqual(yield* tagOf(first.addLocations(range(1n, 3, 6))), "IOError")
        const release = engine.hold(isCommit)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* until(() => engine.held === 1)
        const opening = yield* Effect.forkChild(Effect.scoped(open))
        yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
        assert.isUndefined(opening.pollUnsafe())
        yield* Fiber.interrupt(opening)
        const next = yield* Effect.forkChild(
          Effect.scoped(Effect.flatMap(open, (index) => index.addLocations(range(2n, 0, 3))))
        )
        yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
        assert.isUndefined(next.pollUnsafe())
        release()
        yield* Fiber.join(closing)
        yield* Fiber.join(next)
      }).pipe(Effect.scoped, Effect.provide(engine.layer))
      assert.deepStrictEqual(yield* using(path, everything), [...range(1n, 0, 3), ...range(2n, 0, 3)])
    }).pipe(Effect.scoped)
  )
})

const gaugeNames = [
  "bookie_entry_location_entries",
  "bookie_entry_location_page_cache_bytes",
  "bookie_entry_location_memtable_bytes",
  "bookie_entry_location_page_cache_hits_total",
  "bookie_entry_location_page_cache_misses_total",
  "bookie_lookup_entry_location_seconds",
  "bookie_get_last_entry_in_ledger_seconds",
  "bookie_entry_location_commit_seconds",
  "bookie_entry_location_checkpoint_seconds",
  "bookie_entry_location_room_wait_seconds"
]

const acquired = [
  "rocksdb",
  "rocksdb.wal",
  "rocksdb.operations",
  "entry-location-index",
  ...gaugeNames.map((name) => `gauge:${name}`)
]

const work = Effect.gen(function* () {
  const index = yield* Index
  yield* index.addLocation(ledger(1n), EntryId.make(1n), Location.make(1n))
  assert.strictEqual(yield* index.entryCount, 1n)
})

/** What a user may do to have gauges over an index over a database. */
const compositions: Record<
  string,
  (database: Layer.Layer<RocksDB.RocksDB, unknown>) => Layer.Layer<EntryLocationIndex.EntryLocationIndex, unknown>
> = {
  "provideMerge by provideMerge": (database) =>
    EntryLocationMetrics.layer.pipe(Layer.provideMerge(EntryLocationIndex.layer()), Layer.provideMerge(database)),
  "provideMerge, then provide": (database) =>
    EntryLocationMetrics.layer.pipe(Layer.provideMerge(EntryLocationIndex.layer()), Layer.provide(database)),
  "the gauges beside the index, which both of them share": (database) => {
    const index = Layer.provide(EntryLocationIndex.layer(), database)
    return Layer.merge(Layer.provide(EntryLocationMetrics.layer, index), index)
  },
  "a diamond: the database beside the index on it": (database) => {
    const index = Layer.provide(EntryLocationIndex.layer(), database)
    return Layer.mergeAll(database, index, Layer.provide(EntryLocationMetrics.layer, index))
  },
  "all of it fresh": (database) =>
    Layer.fresh(
      EntryLocationMetrics.layer.pipe(Layer.provideMerge(EntryLocationIndex.layer()), Layer.provide(database))
    )
}

/** Runs a program with a composition, and answers what was told to Lifecycle. */
const eventsOf = (
  compose: (typeof compositions)[string],
  run: (layer: Layer.Layer<EntryLocationIndex.EntryLocationIndex, unknown>) => Effect.Effect<unknown, unknown>
) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const events: Array<string> = []
    const listener: Lifecycle.Listener = ({ _tag, resource }) => Effect.sync(() => events.push(`${_tag} ${resource}`))
    yield* run(compose(RocksDB.layer({ path })).pipe(Layer.provide(Lifecycle.layer(listener)))).pipe(
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
    return events
  }).pipe(Effect.scoped)

const inOrder = [
  ...acquired.map((resource) => `Acquired ${resource}`),
  ...acquired.toReversed().map((resource) => `Released ${resource}`)
]

describe("gauges over an index over a database", () => {
  for (const [name, compose] of Object.entries(compositions)) {
    it.effect(`are released in the opposite order: ${name}`, () =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        const names = acquired.toReversed()
        const released = yield* Shutdown.expectOrder(compose(RocksDB.layer({ path })), names, { use: work }).pipe(
          Effect.provideService(Metric.MetricRegistry, new Map())
        )
        assert.deepStrictEqual(released, names)
      }).pipe(Effect.scoped)
    )

    it.effect(`are released in the opposite order by a ManagedRuntime: ${name}`, () =>
      Effect.gen(function* () {
        const events = yield* eventsOf(compose, (layer) =>
          Effect.gen(function* () {
            const runtime = ManagedRuntime.make(layer)
            yield* Effect.promise(() => runtime.runPromise(work))
            yield* runtime.disposeEffect
          })
        )
        assert.deepStrictEqual(events, inOrder)
      })
    )

    it.effect(`are released in the opposite order when a launch of them is interrupted: ${name}`, () =>
      Effect.gen(function* () {
        const events = yield* eventsOf(compose, (layer) =>
          Effect.gen(function* () {
            const ready = yield* Latch.make()
            const launched = Layer.provideMerge(Layer.effectDiscard(Effect.andThen(work, ready.open)), layer)
            const fiber = yield* Effect.forkChild(Layer.launch(launched))
            yield* ready.await
            yield* Fiber.interrupt(fiber)
          })
        )
        assert.deepStrictEqual(events, inOrder)
      })
    )
  }

  it.effect("are released as far as they were built when a listener dies half-way", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const registry = new Map()
      const events: Array<string> = []
      const listener: Lifecycle.Listener = ({ _tag, resource }) =>
        _tag === "Acquired" && resource === `gauge:${gaugeNames[2]}`
          ? Effect.die("out of luck")
          : Effect.sync(() => events.push(`${_tag} ${resource}`))
      const exit = yield* Effect.exit(
        Effect.provide(
          work,
          EntryLocationMetrics.layer.pipe(
            Layer.provideMerge(EntryLocationIndex.layer()),
            Layer.provide(RocksDB.layer({ path })),
            Layer.provide(Lifecycle.layer(listener))
          )
        ).pipe(Effect.provideService(Metric.MetricRegistry, registry))
      )
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "success", "out of luck")
      const built = acquired.slice(0, 6)
      assert.deepStrictEqual(events, [
        ...built.map((resource) => `Acquired ${resource}`),
        `Released gauge:${gaugeNames[2]}`,
        ...built.toReversed().map((resource) => `Released ${resource}`)
      ])
      assert.strictEqual(registry.size, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("an index that cannot be built releases the database", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = yield* Engine.Engine
      assert.strictEqual(engine.name, NativeEngine.name)
      const raw = RocksDB.layer({ path })
      yield* RocksDB.RocksDB.use((database) => database.put(Uint8Array.of(0), Uint8Array.of(99))).pipe(
        Effect.provide(raw)
      )
      const events: Array<string> = []
      const listener: Lifecycle.Listener = ({ _tag, resource }) => Effect.sync(() => events.push(`${_tag} ${resource}`))
      const broken = Layer.provide(Layer.provide(EntryLocationIndex.layer(), raw), Lifecycle.layer(listener))
      assert.strictEqual(yield* tagOf(Effect.provide(Effect.asVoid(Index), broken)), "UnsupportedFormat")
      assert.deepStrictEqual(events.slice(-3), [
        "Released rocksdb.operations",
        "Released rocksdb.wal",
        "Released rocksdb"
      ])
      assert.notInclude(events, "Acquired entry-location-index")
    }).pipe(Effect.scoped, Effect.provide(NativeEngine.layer))
  )
})

describe("two indexes on one database", () => {
  it.effect("are one: each sees at once what the other one wrote, and both count exactly", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* Effect.gen(function* () {
        const left = yield* EntryLocationIndex.make()
        const right = yield* Effect.scoped(
          Effect.gen(function* () {
            const right = yield* EntryLocationIndex.make({ durability: "buffered" })
            yield* left.addLocations(range(1n, 0, 300))
            assert.deepStrictEqual(yield* right.getLocations(range(1n, 0, 1)), [range(1n, 0, 1)[0]?.location])
            const writers = range(2n, 0, 200).map((one, at) =>
              (at % 2 === 0 ? left : right).addLocation(one.ledgerId, one.entryId, one.location)
            )
            yield* Effect.all(writers, { concurrency: "unbounded" })
            yield* right.deleteLedger(ledger(1n))
            assert.isUndefined(yield* left.getLastEntryInLedger(ledger(1n)))
            assert.strictEqual(yield* left.entryCount, 200n)
            assert.strictEqual(yield* right.entryCount, 200n)
            return right
          })
        )
        assert.strictEqual(yield* tagOf(right.entryCount), "Closed")
        yield* left.addLocations(range(3n, 0, 10))
        assert.strictEqual(yield* left.entryCount, 210n)
      }).pipe(Effect.scoped, Effect.provide(RocksDB.layer({ path })))
      assert.deepStrictEqual(yield* using(path, everything), [...range(2n, 0, 200), ...range(3n, 0, 10)])
    }).pipe(Effect.scoped)
  )
})

describe("a reopened index", () => {
  it.effect("has what was acknowledged", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      for (let round = 0n; round < 3n; round++) {
        yield* using(path, (index) => index.addLocations([entry(round, round, round)]))
      }
      assert.deepStrictEqual(yield* using(path, everything), [entry(0n, 0n, 0n), entry(1n, 1n, 1n), entry(2n, 2n, 2n)])
    }).pipe(Effect.scoped)
  )
})
