/**
 * The port to what is measured: an index of entry locations, whoever keeps it.
 *
 * Ids and locations go in and come out as 64-bit integers in typed arrays, the
 * cheapest form to make anything else of. What an engine's API takes and
 * answers is made of them inside of these methods, and so is part of the time.
 */

/** Entries by their ids: the nth ledger id and the nth entry id belong together. */
export interface Ids {
  readonly ledgerIds: BigInt64Array
  readonly entryIds: BigInt64Array
}

/** Entries and where they are. */
export interface Entries extends Ids {
  readonly locations: BigInt64Array
}

/** The entries of one ledger, in their order. */
export interface LedgerEntries {
  readonly entryIds: BigInt64Array
  readonly locations: BigInt64Array
}

/** An open index. One method runs at a time, except that reads may run beside a flush. */
export interface Engine {
  /** Adds some of the entries to the flush under way. */
  readonly put: (entries: Entries, from: number, to: number) => void
  /** Settles when the flush under way is on disk. */
  readonly commit: () => Promise<void>
  /** Looks entries up in as few calls as the engine can. Writes their locations, {@link absent} where there is none. */
  readonly getMany: (ids: Ids, locations: BigInt64Array) => Promise<void>
  /** Looks entries up one at a time. */
  readonly getEach: (ids: Ids, locations: BigInt64Array) => Promise<void>
  /** Writes the entries of a ledger in their order, and answers how many there are. */
  readonly scan: (ledgerId: bigint, into: LedgerEntries) => Promise<number>
  /** The same by a call that answers columns, where the engine has one. */
  readonly columns?: ((ledgerId: bigint, into: LedgerEntries) => Promise<number>) | undefined
  /** Writes the highest entry id of each ledger, {@link absent} where it has none, one ledger at a time. */
  readonly lastEntries: (ledgerIds: BigInt64Array, entryIds: BigInt64Array) => Promise<void>
  /** Settles when the entries of a ledger are removed for good. */
  readonly deleteLedger: (ledgerId: bigint) => Promise<void>
  /** Gives back all the room that is to be had; does nothing where the engine cannot. */
  readonly compact: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Stands for no location and no entry. */
export const absent = -1n

/** A kind of engine, and the process that it runs in. */
export interface Host {
  /** How long a call takes, in milliseconds. */
  readonly time: (call: () => Promise<void>) => Promise<number>
  /** Opens the index in a directory, which is created if need be, with a cache of so many bytes. */
  readonly open: (directory: string, cacheSize: number) => Promise<Engine>
  /** How many bytes an entry takes up in that cache, about. */
  readonly cachedEntrySize: number
  /** The size of the cache below which the engine is never run by its makers, in bytes. */
  readonly usualCacheSize: number
  /** The most memory that the process has had, in bytes. */
  readonly peakMemory: () => Promise<number>
  /** Whether it runs on this process's event loop. */
  readonly onEventLoop: boolean
  readonly stop: () => Promise<void>
}

/** Makes room for entries. */
export const makeEntries = (count: number): Entries => ({
  ledgerIds: new BigInt64Array(count),
  entryIds: new BigInt64Array(count),
  locations: new BigInt64Array(count)
})
