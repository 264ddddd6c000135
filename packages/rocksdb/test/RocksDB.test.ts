/**
 * The layers of the service, with the default engine; what every engine does
 * behind it is in conformance.ts.
 */
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, Layer } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Engine, NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { bytes, text } from "@effect-bookie/testing/bytes"
import { find, temporaryDirectory } from "@effect-bookie/testing/directory"

/** Opens with the options of an environment, and answers what RocksDB made of them. */
const openWith = (env: Record<string, string>) =>
  Effect.map(RocksDB.RocksDB, ({ path }) => Fs.readFileSync(find(path, /^OPTIONS/), "utf8")).pipe(
    Effect.provide(Layer.fresh(RocksDB.layerConfig())),
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord(env))
  )

describe("RocksDB.layerConfig", () => {
  it.effect("reads every option from the environment", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const options = yield* openWith({
        ROCKSDB_PATH: path,
        ROCKSDB_READ_ONLY: "false",
        ROCKSDB_CREATE_IF_MISSING: "true",
        ROCKSDB_WRITE_BUFFER_SIZE: "2 MiB",
        ROCKSDB_BLOCK_CACHE_SIZE: "0 B",
        ROCKSDB_BLOOM_BITS_PER_KEY: "7",
        ROCKSDB_MAX_OPEN_FILES: "77",
        ROCKSDB_DURABILITY: "buffered",
        ROCKSDB_SHUTDOWN_DEADLINE: "5 seconds"
      })
      assert.match(options, /\bwrite_buffer_size=2097152\b/)
      assert.match(options, /\bno_block_cache=true\b/)
      assert.match(options, /\bfilter_policy=bloomfilter:7\b/)
      assert.match(options, /\bmax_open_files=77\b/)
    })
  )

  it.effect("hands each option to the database under its own name", () =>
    Effect.gen(function* () {
      const env = {
        ROCKSDB_PATH: "somewhere",
        ROCKSDB_READ_ONLY: "true",
        ROCKSDB_CREATE_IF_MISSING: "false",
        ROCKSDB_DURABILITY: "buffered",
        ROCKSDB_SHUTDOWN_DEADLINE: "5 seconds"
      }
      const options = yield* Config.unwrap(RocksDB.config).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord(env))
      )
      assert.deepInclude(options, {
        path: "somewhere",
        readOnly: true,
        createIfMissing: false,
        durability: "buffered",
        writeBufferSize: undefined,
        blockCacheSize: undefined,
        bloomBitsPerKey: undefined,
        maxOpenFiles: undefined
      })
      assert.include(String(options.shutdownDeadline), "5")
    })
  )

  it.effect("needs nothing but the path", () =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      assert.match(yield* openWith({ ROCKSDB_PATH: path }), /\bwrite_buffer_size=67108864\b/)
    })
  )

  it.effect.each<readonly [string, Record<string, string>]>([
    ["ROCKSDB_PATH", {}],
    ["ROCKSDB_PATH", { ROCKSDB_PATH: "" }],
    ["ROCKSDB_READ_ONLY", { ROCKSDB_READ_ONLY: "perhaps" }],
    ["ROCKSDB_WRITE_BUFFER_SIZE", { ROCKSDB_WRITE_BUFFER_SIZE: "large" }],
    ["ROCKSDB_MAX_OPEN_FILES", { ROCKSDB_MAX_OPEN_FILES: "1.5" }],
    ["ROCKSDB_DURABILITY", { ROCKSDB_DURABILITY: "always" }],
    ["ROCKSDB_SHUTDOWN_DEADLINE", { ROCKSDB_SHUTDOWN_DEADLINE: "soon" }]
  ])("names %s if it cannot be read: %o", ([name, env]) =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      const exit = yield* Effect.exit(openWith(name === "ROCKSDB_PATH" ? env : { ROCKSDB_PATH: path, ...env }))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "ConfigError")
      assert.include(String(exit), name)
      assert.isFalse(Fs.existsSync(path))
    })
  )

  it.effect("takes options that are partly fixed and partly read from elsewhere", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const layer = RocksDB.layerConfig({
        path: Config.String("DATA"),
        durability: Config.succeed("buffered" as const)
      })
      const path = yield* Effect.map(RocksDB.RocksDB, (database) => database.path).pipe(
        Effect.provide(layer),
        Effect.provideService(
          ConfigProvider.ConfigProvider,
          ConfigProvider.fromEnvRecord({ DATA: Path.join(directory, "database") })
        )
      )
      assert.strictEqual(path, Path.join(directory, "database"))
    })
  )
})

describe("RocksDB.layerTemp", () => {
  const aDatabase = Effect.gen(function* () {
    const database = yield* RocksDB.RocksDB
    yield* database.put(bytes("a"), bytes("1"))
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
    assert.isTrue(Fs.existsSync(database.path))
    return database.path
  })

  it.effect("is a real database in a directory that is gone with it", () =>
    Effect.gen(function* () {
      assert.isFalse(Fs.existsSync(yield* Effect.provide(aDatabase, RocksDB.layerTemp())))
    })
  )

  it.effect("is another one each time", () =>
    Effect.gen(function* () {
      const both = Effect.zip(
        Effect.provide(aDatabase, Layer.fresh(RocksDB.layerTemp())),
        Effect.provide(aDatabase, Layer.fresh(RocksDB.layerTemp())),
        { concurrent: true }
      )
      const [first, second] = yield* both
      assert.notStrictEqual(first, second)
    })
  )

  it.effect("leaves no directory behind where the open fails", () =>
    Effect.gen(function* () {
      const paths: Array<string> = []
      const refusing = Layer.succeed(
        Engine.Engine,
        Engine.Engine.of({
          name: "refusing",
          open: ({ path }) => Effect.die(`refused ${paths.push(path)}`)
        })
      )
      const exit = yield* Effect.exit(
        Effect.provide(aDatabase, Layer.provide(RocksDB.layerTempWithoutEngine(), refusing))
      )
      assert.include(String(exit), "refused 1")
      assert.deepStrictEqual(
        paths.filter((path) => Fs.existsSync(path)),
        []
      )
    })
  )

  it.effect("takes the options of a database", () =>
    Effect.gen(function* () {
      const capacity = yield* Effect.flatMap(RocksDB.RocksDB, (database) =>
        database.property("rocksdb.block-cache-capacity")
      ).pipe(Effect.provide(RocksDB.layerTemp({ blockCacheSize: 0 })))
      assert.isUndefined(capacity)
    })
  )

  it.effect("opens with the engine of the context", () =>
    Effect.provide(Effect.asVoid(aDatabase), Layer.provide(RocksDB.layerTempWithoutEngine(), NativeEngine.layer))
  )
})
