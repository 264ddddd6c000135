/**
 * The order of release, however the layers are composed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Metric } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Lifecycle, Shutdown } from "@effect-bookie/lifecycle"
import { PropertyGauge, RocksDB } from "@effect-bookie/rocksdb"
import { compositions } from "./compositions.ts"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { assertShutdownOrder, Recorder } from "./Recorder.ts"

const keys = PropertyGauge.layer("rocksdb.estimate-num-keys")
/** What is released of a database, in order. */
const databaseNames = ["rocksdb.operations", "rocksdb.wal", "rocksdb"]

const keysName = "gauge:rocksdb_estimate_num_keys"
const sizes = Layer.merge(
  PropertyGauge.layer("rocksdb.total-sst-files-size"),
  PropertyGauge.layer("rocksdb.cur-size-all-mem-tables")
)
const broken = PropertyGauge.layer("rocksdb.no-such-property")

/** The gauges of one database that a scrape finds. */
const gaugesOf = (path: string) =>
  Effect.map(Metric.snapshot, (snapshots) =>
    snapshots.filter(({ attributes }) => attributes?.path === path).map(({ id }) => id)
  )

const names = compositions(RocksDB.layerTemp(), keys, sizes).map(({ name }) => name)

describe("shutdown", () => {
  it.effect.each(names)("releases the gauges first, then the WAL, then the database: %s", (name) =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const recorder = new Recorder()
      const composition = compositions(
        recorder.watch(RocksDB.layer({ path })),
        recorder.watch(keys),
        recorder.watch(sizes)
      ).find((candidate) => candidate.name === name)
      assert.isDefined(composition)
      let seen: ReadonlyArray<string> = []
      yield* composition.run(Effect.map(gaugesOf(path), (gauges) => void (seen = gauges)))
      assertShutdownOrder(recorder)
      assert.include(seen, "rocksdb_estimate_num_keys")
      assert.include(recorder.names("Released").slice(0, -3), keysName)
      assert.deepStrictEqual(yield* gaugesOf(path), [])
    })
  )

  it.effect("holds when the listener is set for the whole application", () =>
    Effect.gen(function* () {
      const application = Layer.provideMerge(PropertyGauge.layerAll, RocksDB.layerTemp())
      const released = yield* Shutdown.expectOrder(application, ["gauge:*", ...databaseNames])
      assert.strictEqual(released.length, 3 + PropertyGauge.standardProperties.length)
    })
  )

  it.effect("releases in the opposite order of the acquisition", () =>
    Effect.gen(function* () {
      const application = keys.pipe(Layer.provideMerge(sizes), Layer.provideMerge(RocksDB.layerTemp()))
      const sizesNames = ["gauge:rocksdb_total_sst_files_size_bytes", "gauge:rocksdb_cur_size_all_mem_tables_bytes"]
      const released = yield* Shutdown.expectOrder(application, [keysName, "gauge:*", ...databaseNames])
      assert.sameMembers([...released], [keysName, ...sizesNames, ...databaseNames])
    })
  )

  it.effect("of two databases releases each after its own gauges", () =>
    Effect.gen(function* () {
      const recorders = [new Recorder(), new Recorder()]
      const applications = recorders.map((recorder) =>
        recorder.watch(Layer.provide(Layer.merge(keys, sizes), Layer.fresh(RocksDB.layerTemp())))
      )
      yield* Effect.provide(Effect.void, Layer.mergeAll(Layer.empty, ...applications.map(Layer.fresh)))
      for (const recorder of recorders) assertShutdownOrder(recorder)
    })
  )

  it.effect.each([
    ["alone", Layer.provide(broken, RocksDB.layerTemp())],
    ["beside others", Layer.provide(Layer.mergeAll(keys, broken, sizes), RocksDB.layerTemp())],
    ["after others", Layer.provide(Layer.provideMerge(broken, Layer.merge(keys, sizes)), RocksDB.layerTemp())],
    ["before others", Layer.provide(Layer.provideMerge(Layer.merge(keys, sizes), broken), RocksDB.layerTemp())],
    ["beside the database", Layer.provideMerge(broken, RocksDB.layerTemp())]
  ] as const)("holds when a gauge fails to build, %s", ([, application]) =>
    Effect.gen(function* () {
      const recorder = new Recorder()
      const exit = yield* Effect.exit(Effect.provide(Effect.void, Layer.fresh(recorder.watch(application))))
      assert.include(String(exit), "rocksdb.no-such-property")
      assertShutdownOrder(recorder)
    })
  )

  it.effect("has nothing to do when the open failed", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      Fs.writeFileSync(Path.join(path, "CURRENT"), "garbage")
      const recorder = new Recorder()
      for (const { run } of compositions(
        recorder.watch(RocksDB.layer({ path })),
        recorder.watch(keys),
        recorder.watch(sizes)
      )) {
        const exit = yield* Effect.exit(run(Effect.void))
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "CURRENT file does not end with newline")
      }
      assert.deepStrictEqual(recorder.events, [])
      assert.deepStrictEqual(yield* gaugesOf(path), [])
    })
  )

  it.effect("keeps a temporary directory until the database has let go of it, and then removes it", () =>
    Effect.gen(function* () {
      const existed: Array<readonly [string, boolean]> = []
      let path = ""
      const listener: Lifecycle.Listener = ({ _tag, resource }) =>
        Effect.sync(() => _tag === "Released" && existed.push([resource, Fs.existsSync(path)]))
      const application = Layer.provide(RocksDB.layerTemp(), Lifecycle.layer(listener))
      yield* Effect.provide(
        Effect.map(RocksDB.RocksDB, (database) => void (path = database.path)),
        application
      )
      assert.deepStrictEqual(existed, [
        ["rocksdb.operations", true],
        ["rocksdb.wal", true],
        ["rocksdb", true]
      ])
      assert.isFalse(Fs.existsSync(path))
    })
  )

  const wrongs: Record<string, (told: Array<string>) => unknown> = {
    "answers no effect": (told) => told.length,
    throws: () => {
      throw new Error("the listener")
    },
    dies: () => Effect.die(new Error("the listener"))
  }
  it.effect.each(
    Object.entries(wrongs).flatMap(([what, wrong]) =>
      (["Acquired", "Released"] as const).map((tag) => ({ what, wrong, tag }))
    )
  )("lets the database go where a listener $what when it is told of what was $tag", ({ tag, wrong }) =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const told: Array<string> = []
      const listener: Lifecycle.Listener = ({ _tag, resource }) => {
        if (_tag !== tag) return Effect.void
        told.push(resource)
        return wrong(told) as ReturnType<Lifecycle.Listener>
      }
      const application = Layer.provideMerge(sizes, RocksDB.layer({ path }))
      const run = Effect.provide(RocksDB.RocksDB, Layer.provide(application, Lifecycle.layer(listener)))
      assert.match(String(yield* Effect.exit(run)), /the listener|a listener of Lifecycle must answer an Effect/)
      assert.includeMembers(told, tag === "Acquired" ? ["rocksdb"] : ["rocksdb.operations", "rocksdb.wal", "rocksdb"])
      yield* Effect.provide(RocksDB.RocksDB, Layer.fresh(RocksDB.layer({ path })))
      assert.deepStrictEqual(yield* gaugesOf(path), [])
    })
  )
})

describe("shutdown of it.layer", () => {
  const recorder = new Recorder()

  it.layer(recorder.watch(Layer.provideMerge(Layer.merge(keys, sizes), RocksDB.layerTemp())))("a suite", (it) => {
    it.effect("reads the database", () =>
      Effect.gen(function* () {
        const { path } = yield* RocksDB.RocksDB
        assert.include(yield* gaugesOf(path), "rocksdb_estimate_num_keys")
        assert.deepStrictEqual(recorder.names("Released"), [])
      })
    )

    it.layer(PropertyGauge.layer("rocksdb.num-snapshots"))("a suite in it", (it) => {
      it.effect("shares the database", () =>
        Effect.gen(function* () {
          const { path } = yield* RocksDB.RocksDB
          assert.include(yield* gaugesOf(path), "rocksdb_num_snapshots")
        })
      )
    })
  })

  it("has released everything when the suite is over", () => assertShutdownOrder(recorder))
})
