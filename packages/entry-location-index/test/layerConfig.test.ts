/**
 * An index whose options come from Effect's Config.
 */
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer } from "effect"
import { RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { EntryLocationIndex } from "../src/index.ts"
import { FailingEngine, range, temporaryDirectory, until } from "./support.ts"

const Index = EntryLocationIndex.EntryLocationIndex

const fromEnvironment = (environment: Record<string, string>) =>
  Layer.provide(EntryLocationIndex.layerConfig(), ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))

/** Opens an index in a new directory, and uses it. */
const use = <A, E>(
  index: Layer.Layer<
    EntryLocationIndex.EntryLocationIndex,
    RocksDBError.RocksDBError | Config.ConfigError,
    RocksDB.RocksDB
  >,
  body: (index: EntryLocationIndex.Service) => Effect.Effect<A, E>
) => Index.use(body).pipe(Effect.provide(Layer.provide(index, RocksDB.layerTemp())))

describe("layerConfig", () => {
  it.effect("opens an index with its defaults where nothing is set", () =>
    use(fromEnvironment({}), (index) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 10))
        assert.strictEqual(yield* index.entryCount, 10n)
        assert.isAbove(index.statistics.memtableBytes, 0)
      })
    )
  )

  it.effect("reads how large memtables become", () =>
    use(fromEnvironment({ ENTRY_LOCATION_INDEX_MEMTABLE_SIZE: "0 B" }), (index) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 10))
        // A checkpoint follows every commit.
        yield* until(() => index.statistics.memtableBytes === 0)
      })
    )
  )

  it.effect.each([
    ["sync", true],
    ["buffered", false]
  ] as const)("reads when a write is acknowledged from where the database does: %s", ([durability, isSynced]) =>
    Effect.gen(function* () {
      const syncs: Array<boolean> = []
      const engine = new FailingEngine((sync) => syncs.push(sync))
      const path = yield* temporaryDirectory
      const database = Layer.provide(RocksDB.layerWithoutEngine({ path }), engine.layer)
      yield* Index.use((index) => index.addLocations(range(1n, 0, 10))).pipe(
        Effect.provide(Layer.provide(fromEnvironment({ ROCKSDB_DURABILITY: durability }), database))
      )
      assert.strictEqual(syncs[0], isSynced)
    })
  )

  it.effect("takes Configs of other names", () =>
    use(EntryLocationIndex.layerConfig({ memtableSize: Config.succeed("0 B") }), (index) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 10))
        yield* until(() => index.statistics.memtableBytes === 0)
      })
    )
  )

  it.effect.each([
    { ROCKSDB_DURABILITY: "some" },
    { ENTRY_LOCATION_INDEX_PAGE_CACHE_SIZE: "large" },
    { ENTRY_LOCATION_INDEX_MEMTABLE_SIZE: "-1" },
    { ENTRY_LOCATION_INDEX_COMPACTION_INTERVAL: "often" }
  ])("refuses %j with a ConfigError that names it", (environment) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(use(fromEnvironment(environment), () => Effect.void))
      assert.strictEqual(error._tag, "ConfigError")
      assert.include(String(error), Object.keys(environment)[0] ?? "")
    })
  )
})
