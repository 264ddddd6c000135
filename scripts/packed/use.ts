/**
 * A user's program, in TypeScript: compiles against the packed declarations.
 */
import { EntryLocationIndex, EntryLocationMetrics } from "@effect-bookie/entry-location-index"
import { EntryLog } from "@effect-bookie/entry-log"
import { LedgerStorage, type LedgerStorageError } from "@effect-bookie/ledger-storage"
import { RocksDBKeyValueStore } from "@effect-bookie/persistence"
import { PropertyGauge, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import { Effect, Layer } from "effect"
import type { KeyValueStore } from "effect/persistence"

export const storage: Layer.Layer<RocksDB.RocksDB | EntryLocationIndex.EntryLocationIndex, RocksDBError.RocksDBError> =
  Layer.mergeAll(PropertyGauge.layerAll, EntryLocationMetrics.layer).pipe(
    Layer.provideMerge(EntryLocationIndex.layer()),
    Layer.provideMerge(RocksDB.layer({ path: "data/index" }))
  )

export const level: Layer.Layer<RocksDB.RocksDB, RocksDBError.RocksDBError> = Layer.provide(
  RocksDB.layerWithoutEngine({ path: "data/level" }),
  LevelEngine.layer
)

export const logs = EntryLog.layer({ directory: "data/logs" })

export const count: Effect.Effect<bigint, RocksDBError.RocksDBError, EntryLocationIndex.EntryLocationIndex> =
  EntryLocationIndex.EntryLocationIndex.use((index) => index.entryCount)

export const ledgers: Effect.Effect<LedgerStorage.LedgerInfo, LedgerStorageError.LedgerStorageError> =
  LedgerStorage.LedgerStorage.use((storage) => storage.createLedger()).pipe(Effect.provide(LedgerStorage.layerMemory))

export const values: Layer.Layer<KeyValueStore.KeyValueStore, RocksDBError.RocksDBError> = Layer.provide(
  RocksDBKeyValueStore.layer(),
  RocksDB.layer({ path: "data/values" })
)
