/**
 * A user's program, in plain JavaScript: stores an entry, indexes it, and reads
 * it back after everything has been opened again.
 */
import { EntryId, EntryLocationIndex, EntryLocationMetrics, LedgerId } from "@effect-bookie/entry-location-index"
import { EntryLog } from "@effect-bookie/entry-log"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { RocksDBKeyValueStore } from "@effect-bookie/persistence"
import { PropertyGauge, RocksDB } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import assert from "node:assert/strict"
import { Effect, Layer } from "effect"
import { KeyValueStore } from "effect/persistence"

const storage = Layer.mergeAll(PropertyGauge.layerAll, EntryLocationMetrics.layer).pipe(
  Layer.provideMerge(EntryLocationIndex.layer()),
  Layer.provideMerge(RocksDB.layer({ path: "data/index" })),
  Layer.merge(EntryLog.layer({ directory: "data/logs" }))
)

const ledgerId = LedgerId.make(7n)
const entryId = EntryId.make(0n)

const store = Effect.gen(function* () {
  const entryLog = yield* EntryLog.EntryLog
  const index = yield* EntryLocationIndex.EntryLocationIndex
  const location = yield* entryLog.append(ledgerId, entryId, new TextEncoder().encode("hello"))
  yield* entryLog.sync
  yield* index.addLocation(ledgerId, entryId, location)
})

const load = Effect.gen(function* () {
  const entryLog = yield* EntryLog.EntryLog
  const index = yield* EntryLocationIndex.EntryLocationIndex
  const location = yield* index.getLocation(ledgerId, entryId)
  return new TextDecoder().decode(yield* entryLog.read(ledgerId, entryId, location))
})

const appendAndRead = Effect.gen(function* () {
  const ledgers = yield* LedgerStorage.LedgerStorage
  const { ledgerId } = yield* ledgers.createLedger()
  const entryId = yield* ledgers.append(ledgerId, new TextEncoder().encode("hello"))
  const entry = yield* ledgers.read(ledgerId, entryId)
  return new TextDecoder().decode(entry.payload)
})

const values = Layer.provide(RocksDBKeyValueStore.layer(), RocksDB.layer({ path: "data/values" }))
const use = (f) => Effect.runPromise(Effect.provide(KeyValueStore.KeyValueStore.use(f), values, { local: true }))

await use((store) => store.set("greeting", "hello"))
assert.equal(await use((store) => store.get("greeting")), "hello")
assert.equal(await Effect.runPromise(Effect.provide(appendAndRead, LedgerStorage.layerMemory)), "hello")
await Effect.runPromise(Effect.provide(store, storage))
assert.equal(await Effect.runPromise(Effect.provide(load, storage)), "hello")
const level = Layer.provide(RocksDB.layerWithoutEngine({ path: "data/level" }), LevelEngine.layer)
const { reason } = await Effect.runPromise(Effect.flip(Effect.provide(RocksDB.RocksDB, level)))
assert.equal(reason._tag, "EngineUnavailable")
await assert.rejects(import("@effect-bookie/rocksdb/internal/native/WalSync"))
await assert.rejects(import("@effect-bookie/ledger-storage/internal/Storage"))
await assert.rejects(import("@effect-bookie/persistence/internal/KeySpace"))
console.log("the packed packages work from plain JavaScript")
