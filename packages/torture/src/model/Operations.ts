/**
 * Every operation of a database and of an index, by name: what load is made of,
 * and what must answer `Closed` after the close.
 */
import { EntryId, type EntryLocationIndex, LedgerId, Location } from "@effect-bookie/entry-location-index"
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Random } from "../harness/Random.ts"

/** An operation, and its name. */
export interface Named {
  readonly name: string
  readonly run: Effect.Effect<unknown, RocksDBError.RocksDBError>
}

/** The operations of a database, on keys that no index has. */
export const ofDatabase = (database: RocksDB.RocksDB["Service"], random: Random): ReadonlyArray<Named> => {
  const key = (): Uint8Array => Uint8Array.of(0xff, random.below(256))
  const value = new Uint8Array(random.below(2000))
  const range = { gte: Uint8Array.of(0xff) }
  return [
    { name: "get", run: database.get(key()) },
    { name: "getMany", run: database.getMany([key(), key(), key()]) },
    { name: "first", run: database.first(range) },
    { name: "last", run: database.last(range) },
    { name: "stream", run: Stream.runDrain(database.stream()) },
    { name: "stream taken once", run: Stream.runHead(database.stream({}, { reverse: true })) },
    { name: "stream read slowly", run: slowly(database.stream({}, { keysOnly: true })) },
    { name: "put", run: database.put(key(), value) },
    { name: "put buffered", run: database.put(key(), value, { durability: "buffered" }) },
    { name: "remove", run: database.remove(key()) },
    {
      name: "write",
      run: database.write([
        { type: "put", key: key(), value },
        { type: "removeRange", gte: Uint8Array.of(0xff, 250), lt: Uint8Array.of(0xff, 255) },
        { type: "remove", key: key() }
      ])
    },
    { name: "property", run: database.property("rocksdb.estimate-num-keys") },
    { name: "property of text", run: database.property("rocksdb.stats") },
    { name: "compact", run: database.compact(range) },
    { name: "syncWal", run: database.syncWal }
  ]
}

/** The operations of an index, on the ledgers from one number up to, and without, another. */
export const ofIndex = (
  index: EntryLocationIndex.EntryLocationIndex["Service"],
  random: Random,
  ledgers: readonly [from: number, to: number]
): ReadonlyArray<Named> => {
  const ledger = () => LedgerId.make(BigInt(ledgers[0] + random.below(ledgers[1] - ledgers[0])))
  const entry = () => EntryId.make(BigInt(random.below(2000)))
  const location = Location.make(BigInt(random.below(0x7fff_ffff)))
  const entries = (count: number) =>
    Array.from({ length: count }, () => ({ ledgerId: ledger(), entryId: entry(), location }))
  return [
    { name: "addLocation", run: index.addLocation(ledger(), entry(), location) },
    { name: "addLocations", run: index.addLocations(entries(50)) },
    { name: "updateLocations", run: index.updateLocations(entries(2)) },
    { name: "commit", run: commit(index, entries(20)) },
    { name: "getLocation", run: index.getLocation(ledger(), entry()) },
    { name: "getLocations", run: index.getLocations(entries(20)) },
    { name: "getLastEntryInLedger", run: index.getLastEntryInLedger(ledger()) },
    { name: "entries", run: Stream.runDrain(index.entries(ledger())) },
    { name: "entries read slowly", run: slowly(index.entries(ledger())) },
    { name: "ledgers", run: Stream.runDrain(index.ledgers) },
    { name: "deleteLedger", run: index.deleteLedger(ledger()) },
    { name: "deleteLedgers", run: index.deleteLedgers([ledger(), ledger()]) },
    { name: "entryCount", run: index.entryCount },
    { name: "compact of the index", run: index.compact }
  ]
}

const commit = (
  index: EntryLocationIndex.EntryLocationIndex["Service"],
  entries: ReadonlyArray<EntryLocationIndex.EntryLocation>
) =>
  Effect.flatMap(index.makeBatch, (batch) => {
    for (const { entryId, ledgerId, location } of entries) batch.add(ledgerId, entryId, location)
    return batch.commit
  })

const slowly = <A, E>(stream: Stream.Stream<A, E>): Effect.Effect<void, E> =>
  Stream.runForEach(Stream.rechunk(stream, 8), () => Effect.yieldNow).pipe(Effect.asVoid)
