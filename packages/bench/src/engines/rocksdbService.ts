/**
 * The RocksDB service in BookKeeper's layout, to be held against the bare
 * binding: the same keys, through the Effect API. It only looks up.
 */
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { absent, type Engine, type Host, type Ids } from "../Engine.ts"
import { inProcess } from "./inProcess.ts"
import * as Keys from "./keys.ts"

export const start = async (): Promise<Host> => inProcess({ open, cachedEntrySize: Keys.recordSize })

const open = async (path: string): Promise<Engine> => {
  const runtime = ManagedRuntime.make(RocksDB.layer({ path }))
  const database = await runtime.runPromise(RocksDB.RocksDB.use(Effect.succeed))
  return {
    put: () => refuse(),
    commit: async () => refuse(),
    getMany: (ids, locations) => runtime.runPromise(getMany(database, ids, locations)),
    getEach: (ids, locations) => runtime.runPromise(getEach(database, ids, locations)),
    scan: async () => refuse(),
    lastEntries: async () => refuse(),
    deleteLedger: async () => refuse(),
    compact: async () => refuse(),
    close: () => runtime.dispose()
  }
}

type Database = RocksDB.RocksDB["Service"]

const getMany = Effect.fnUntraced(function* (
  database: Database,
  { entryIds, ledgerIds }: Ids,
  locations: BigInt64Array
) {
  const keys: Array<Uint8Array> = []
  for (let at = 0; at < locations.length; at++) keys.push(Keys.key(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n))
  const values = yield* database.getMany(keys)
  for (let at = 0; at < locations.length; at++) {
    const value = values[at]
    locations[at] = value === undefined ? absent : Keys.locationOf(value)
  }
})

const getEach = Effect.fnUntraced(function* (
  database: Database,
  { entryIds, ledgerIds }: Ids,
  locations: BigInt64Array
) {
  for (let at = 0; at < locations.length; at++) {
    const value = yield* database.get(Keys.key(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n))
    locations[at] = value === undefined ? absent : Keys.locationOf(value)
  }
})

const refuse = (): never => {
  throw new Error("the RocksDB service takes part in lookups alone")
}
