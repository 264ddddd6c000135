/**
 * From changes to one batch, in two steps: what has to be read first, and then
 * the batch and what memory is to hold once it has been acknowledged. Pure.
 *
 * A page needs no reading if it is in memory, if its ledger is new or deleted,
 * or if it lies behind the last entry of its ledger.
 */
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { RocksDB } from "@effect-bookie/rocksdb"
import * as LocationPage from "../LocationPage.ts"
import type { Changes, LedgerChange } from "./Changes.ts"
import * as Keys from "./keys.ts"
import { entryIn, type PageId, pageOf } from "./pages.ts"
import * as Records from "./records.ts"
import type { MapKey } from "./words.ts"

/** A batch, and what it does. */
export interface CommitPlan {
  readonly operations: Array<RocksDB.Operation>
  readonly ledgers: ReadonlyArray<PlannedLedger>
  /** How many more entries there are afterwards. */
  readonly addedEntries: number
  /** The ledgers that had entries, and were deleted. */
  readonly deletedLedgers: ReadonlyArray<LedgerId>
}

/** What memory is to hold of a ledger that changed. */
export interface PlannedLedger {
  readonly changed: LedgerChange
  readonly record: Records.LedgerRecord | undefined
  readonly pages: ReadonlyArray<readonly [number: MapKey, page: LocationPage.LocationPage]>
}

/** Changes, and the pages that they are made to as far as those are known. */
export interface Steps {
  readonly ledgers: ReadonlyArray<{
    readonly changed: LedgerChange
    /** The record that stands, and the one that counts: none if the ledger is deleted first. */
    readonly standing: Records.LedgerRecord | undefined
    readonly base: Records.LedgerRecord | undefined
  }>
  /** For each page that changes, in order: what it is now, or `undefined` where that is to be read. */
  readonly bases: ReadonlyArray<LocationPage.LocationPage | undefined>
  /** The pages to read, in order. */
  readonly unread: ReadonlyArray<PageId>
}

/** Finds out what has to be read. `records` are those of the changed ledgers in order. */
export const begin = (
  changes: Changes,
  records: ReadonlyArray<Records.LedgerRecord | undefined>,
  cached: (ledgerId: LedgerId, number: MapKey) => LocationPage.LocationPage | undefined
): Steps => {
  const bases: Array<LocationPage.LocationPage | undefined> = []
  const unread: Array<PageId> = []
  const ledgers = Array.from(changes.ledgers.values(), (changed, at) => {
    const standing = records[at]
    const base = changed.deleted ? undefined : standing
    for (const number of changed.pages.keys()) {
      const isNew = base === undefined || number > pageOf(base.lastEntry)
      const page = isNew ? LocationPage.make() : cached(changed.ledgerId, number)
      if (page === undefined) unread.push({ ledgerId: changed.ledgerId, number })
      bases.push(page)
    }
    return { changed, standing, base }
  })
  return { ledgers, bases, unread }
}

/** Builds the batch. `read` are the pages that were to be read, in order. */
export const finish = ({ bases, ledgers }: Steps, read: ReadonlyArray<LocationPage.LocationPage>): CommitPlan => {
  const operations: Array<RocksDB.Operation> = []
  const planned: Array<PlannedLedger> = []
  const deletedLedgers: Array<LedgerId> = []
  let addedEntries = 0
  let nextBase = 0
  let nextRead = 0
  for (const { base, changed, standing } of ledgers) {
    const { ledgerId } = changed
    if (changed.deleted && standing !== undefined) {
      operations.push({ type: "removeRange", ...Keys.pagesOf(ledgerId) })
      deletedLedgers.push(ledgerId)
    }
    let entries = base?.entries ?? 0
    let lastEntry = base?.lastEntry
    const pages: Array<readonly [MapKey, LocationPage.LocationPage]> = []
    for (const [number, added] of changed.pages) {
      const below = bases[nextBase++] ?? read[nextRead++] ?? LocationPage.make()
      const page = combine(below, added)
      pages.push([number, page])
      operations.push({ type: "put", key: Keys.page(ledgerId, number), value: LocationPage.encode(page) })
      entries += page.count - below.count
      const last = entryIn(number, page.length - 1)
      if (lastEntry === undefined || last > lastEntry) lastEntry = last
    }
    const record = lastEntry === undefined ? undefined : { entries, lastEntry }
    const recordOperation = changeRecord(ledgerId, standing, record)
    if (recordOperation !== undefined) operations.push(recordOperation)
    addedEntries += entries - (standing?.entries ?? 0)
    planned.push({ changed, record, pages })
  }
  return { operations, ledgers: planned, addedEntries, deletedLedgers }
}

const combine = (below: LocationPage.LocationPage, added: LocationPage.LocationPage): LocationPage.LocationPage => {
  if (below.count > 0) return LocationPage.overlay(below, added)
  LocationPage.trim(added)
  return added
}

const changeRecord = (
  ledgerId: LedgerId,
  from: Records.LedgerRecord | undefined,
  to: Records.LedgerRecord | undefined
): RocksDB.Operation | undefined => {
  if (to === undefined) return from === undefined ? undefined : { type: "remove", key: Keys.ledger(ledgerId) }
  if (from?.entries === to.entries && from.lastEntry === to.lastEntry) return undefined
  return { type: "put", key: Keys.ledger(ledgerId), value: Records.encodeLedger(to) }
}
