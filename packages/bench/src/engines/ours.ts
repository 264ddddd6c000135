/**
 * Ours, by its public Effect API: the index over the RocksDB service, both with
 * their defaults but for the size of the page cache.
 *
 * A flush is a batch and its commit. Ids are made of bigints by the modules of
 * the ids, and lookups one at a time run one after another in one fiber, as in
 * an application.
 */
import {
  EntryId,
  EntryLocationIndex,
  EntryLocationMetrics,
  LedgerId,
  Location
} from "@effect-bookie/entry-location-index"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import { absent, type Engine, type Host, type Ids, type LedgerEntries } from "../Engine.ts"
import { inProcess } from "./inProcess.ts"

/** The index alone. */
export const start = async (): Promise<Host> => inProcess({ open: open(false), cachedEntrySize })

/** The index with its gauges, counters and timers. */
export const startWithMetrics = async (): Promise<Host> => inProcess({ open: open(true), cachedEntrySize })

/** A full page in memory, and its row in the table of the cache, for its 256 entries. */
const cachedEntrySize = 8 + 64 / 256

const open =
  (withMetrics: boolean) =>
  async (path: string, pageCacheSize: number): Promise<Engine> => {
    const IndexLive = EntryLocationIndex.layer({ pageCacheSize }).pipe(Layer.provide(RocksDB.layer({ path })))
    const runtime = ManagedRuntime.make(
      withMetrics ? Layer.provideMerge(EntryLocationMetrics.layer, IndexLive) : IndexLive
    )
    const index = await runtime.runPromise(EntryLocationIndex.EntryLocationIndex.use(Effect.succeed))
    const batch = await runtime.runPromise(index.makeBatch)
    return {
      put: ({ entryIds, ledgerIds, locations }, from, to) => {
        for (let at = from; at < to; at++) {
          batch.add(
            LedgerId.make(ledgerIds[at] ?? 0n),
            EntryId.make(entryIds[at] ?? 0n),
            Location.make(locations[at] ?? 0n)
          )
        }
      },
      commit: () => runtime.runPromise(batch.commit),
      getMany: (ids, locations) => runtime.runPromise(getMany(index, ids, locations)),
      getEach: (ids, locations) => runtime.runPromise(getEach(index, ids, locations)),
      scan: (ledgerId, into) => runtime.runPromise(scan(index, ledgerId, into)),
      columns: (ledgerId, into) => runtime.runPromise(columns(index, ledgerId, into)),
      lastEntries: (ledgerIds, entryIds) => runtime.runPromise(lastEntries(index, ledgerIds, entryIds)),
      deleteLedger: (ledgerId) => runtime.runPromise(index.deleteLedger(LedgerId.make(ledgerId))),
      compact: () => runtime.runPromise(index.compact),
      close: () => runtime.dispose()
    }
  }

type Index = EntryLocationIndex.EntryLocationIndex["Service"]

const getMany = Effect.fnUntraced(function* (index: Index, { entryIds, ledgerIds }: Ids, locations: BigInt64Array) {
  const ids: Array<EntryLocationIndex.EntryLocationId> = []
  for (let at = 0; at < locations.length; at++) {
    ids.push({ ledgerId: LedgerId.make(ledgerIds[at] ?? 0n), entryId: EntryId.make(entryIds[at] ?? 0n) })
  }
  const found = yield* index.getLocations(ids)
  for (let at = 0; at < locations.length; at++) locations[at] = found[at] ?? absent
})

const getEach = Effect.fnUntraced(function* (index: Index, { entryIds, ledgerIds }: Ids, locations: BigInt64Array) {
  for (let at = 0; at < locations.length; at++) {
    const location = yield* index.getLocation(LedgerId.make(ledgerIds[at] ?? 0n), EntryId.make(entryIds[at] ?? 0n))
    locations[at] = location ?? absent
  }
})

const scan = Effect.fnUntraced(function* (index: Index, ledgerId: bigint, into: LedgerEntries) {
  let count = 0
  yield* Stream.runForEachArray(index.entries(LedgerId.make(ledgerId)), (entries) =>
    Effect.sync(() => {
      for (const { entryId, location } of entries) {
        into.entryIds[count] = entryId
        into.locations[count] = location
        count += 1
      }
    })
  )
  return count
})

const columns = Effect.fnUntraced(function* (index: Index, ledgerId: bigint, into: LedgerEntries) {
  let count = 0
  yield* Stream.runForEach(index.entryColumns(LedgerId.make(ledgerId)), ({ entryIds, locations }) =>
    Effect.sync(() => {
      into.entryIds.set(entryIds, count)
      into.locations.set(locations, count)
      count += entryIds.length
    })
  )
  return count
})

const lastEntries = Effect.fnUntraced(function* (index: Index, ledgerIds: BigInt64Array, entryIds: BigInt64Array) {
  for (let at = 0; at < entryIds.length; at++) {
    entryIds[at] = (yield* index.getLastEntryInLedger(LedgerId.make(ledgerIds[at] ?? 0n))) ?? absent
  }
})
