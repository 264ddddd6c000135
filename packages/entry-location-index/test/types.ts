/**
 * What the compiler refuses, each beside what it takes. `npm run check` compiles
 * this file; it is never run.
 */
import { Effect, Layer } from "effect"
import { RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { EntryId, EntryLocationIndex, EntryLocationMetrics, LedgerId, Location } from "../src/index.ts"

const database = RocksDB.layer({ path: "index" })
const index = EntryLocationIndex.layer()
const ledgerId = LedgerId.make(1n)
const entryId = EntryId.make(2n)
const location = Location.make(3n)

export const program = Effect.gen(function* () {
  const service = yield* EntryLocationIndex.EntryLocationIndex
  yield* service.addLocation(ledgerId, entryId, location)
  // @ts-expect-error: a ledger id is no entry id
  yield* service.addLocation(entryId, ledgerId, location)
  // @ts-expect-error: an entry id is no location
  yield* service.addLocation(ledgerId, entryId, entryId)
  // @ts-expect-error: a bigint is no id
  yield* service.addLocation(1n, 2n, 3n)
  yield* service.addLocations([{ ledgerId, entryId, location }])
  // @ts-expect-error: a ledger id is no entry id
  yield* service.addLocations([{ ledgerId: entryId, entryId: ledgerId, location }])

  const found: Location.Location | undefined = yield* service.getLocation(ledgerId, entryId)
  // @ts-expect-error: an entry may be missing
  const always: Location.Location = yield* service.getLocation(ledgerId, entryId)
  // @ts-expect-error: a ledger id is no entry id
  yield* service.getLocation(entryId, ledgerId)
  const locations: ReadonlyArray<Location.Location | undefined> = yield* service.getLocations([{ ledgerId, entryId }])
  const last: EntryId.EntryId | undefined = yield* service.getLastEntryInLedger(ledgerId)
  // @ts-expect-error: the last entry is no location
  const wrong: Location.Location | undefined = yield* service.getLastEntryInLedger(ledgerId)

  const batch = yield* service.makeBatch
  const added: void = batch.add(ledgerId, entryId, location)
  // @ts-expect-error: a ledger id is no entry id
  batch.add(entryId, ledgerId, location)
  yield* batch.commit

  yield* service.deleteLedger(ledgerId)
  // @ts-expect-error: an entry id is no ledger id
  yield* service.deleteLedger(entryId)

  // @ts-expect-error: there is no close
  yield* service.close
  // @ts-expect-error: the database under the index is not reachable
  yield* service.database
  // @ts-expect-error: gauges only read
  service.statistics.entries = 1
  return { found, always, locations, last, wrong, added }
})

/** An index needs a database. */
export const complete: Layer.Layer<EntryLocationIndex.EntryLocationIndex, RocksDBError.RocksDBError> = Layer.provide(
  index,
  database
)
// @ts-expect-error: RocksDB is missing
export const withoutDatabase: Layer.Layer<EntryLocationIndex.EntryLocationIndex, RocksDBError.RocksDBError> = index

/** Gauges need an index. */
export const launched: Effect.Effect<never, RocksDBError.RocksDBError> = Layer.launch(
  Layer.provide(EntryLocationMetrics.layer, complete)
)
// @ts-expect-error: EntryLocationIndex is missing
export const launchedWithoutIndex: Effect.Effect<never, RocksDBError.RocksDBError> = Layer.launch(
  EntryLocationMetrics.layer
)
// @ts-expect-error: a database is no index
export const launchedOverDatabase: Effect.Effect<never, RocksDBError.RocksDBError> = Layer.launch(
  Layer.provide(EntryLocationMetrics.layer, database)
)

/** An index is made inside of a scope. */
export const scoped: Effect.Effect<unknown, RocksDBError.RocksDBError, RocksDB.RocksDB> = Effect.scoped(
  EntryLocationIndex.make()
)
// @ts-expect-error: there is no Scope
export const unscoped: Effect.Effect<unknown, RocksDBError.RocksDBError, RocksDB.RocksDB> = EntryLocationIndex.make()
