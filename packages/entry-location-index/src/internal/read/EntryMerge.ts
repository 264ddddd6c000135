/**
 * The entries of a ledger: what the memtables held, laid over the pages below.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import type { RocksDB } from "@effect-bookie/rocksdb"
import * as LocationPage from "../pages/LocationPage.ts"
import * as Keys from "../pages/keys.ts"
import type { LedgerSnapshot } from "../memtable/LedgerSnapshot.ts"
import { entryIn, type NumberedPage, pageOf, slotOf } from "../pages/pages.ts"
import type { PagesInMemory } from "../pages/PagesInMemory.ts"
import * as Words from "../words.ts"
import { chunkSize, type Merge } from "./Merge.ts"

/** An entry and its location. */
export interface EntryLocation {
  readonly ledgerId: LedgerId
  readonly entryId: EntryId
  readonly location: Location
}

/** Which entries: those of a ledger from one to another, both included. */
export interface Selection {
  readonly ledgerId: LedgerId
  readonly from: EntryId
  readonly to: EntryId
}

export class EntryMerge implements Merge<EntryLocation> {
  readonly #selection: Selection
  readonly #above: ReadonlyArray<LedgerSnapshot>
  readonly #known: PagesInMemory | undefined
  #records: ReadonlyArray<RocksDB.Entry> = []
  #nextRecord = 0
  #isFed: boolean
  /** What the next answer is, if that is known already. */
  #ahead: ReadonlyArray<EntryLocation> | string | undefined
  /** The next page below, if it has been looked at. */
  #below: NumberedPage | undefined
  /** Buffers, made when they are needed. */
  #decoded: LocationPage.LocationPage | undefined
  #merged: LocationPage.LocationPage | undefined

  /**
   * Begins with what the memtables, the oldest first, held. `known` are the pages below, if it is known which, and then
   * nothing is fed; `undefined` if records are.
   */
  constructor(selection: Selection, above: ReadonlyArray<LedgerSnapshot>, known: PagesInMemory | "none" | undefined) {
    this.#selection = selection
    this.#above = above
    this.#known = known === "none" ? undefined : known
    this.#isFed = known !== undefined
  }

  get isDone(): boolean {
    return (
      this.#ahead === undefined &&
      this.#isFed &&
      this.#below === undefined &&
      this.#known?.hasNext !== true &&
      this.#nextRecord >= this.#records.length &&
      this.#above.every(({ next }) => next === undefined)
    )
  }

  get needsRecords(): boolean {
    return (
      !this.#isFed && this.#ahead === undefined && this.#below === undefined && this.#nextRecord >= this.#records.length
    )
  }

  feed(records: ReadonlyArray<RocksDB.Entry>): void {
    this.#records = records
    this.#nextRecord = 0
    if (records.length === 0) this.#isFed = true
  }

  /** From now on the pages in memory may change: reads what fits into the next answer, and copies only what does not. */
  settle(): void {
    this.#ahead = this.take()
    // There is a page for each number, so none waits for its turn while those above have theirs.
    this.#known?.keep()
  }

  take(): ReadonlyArray<EntryLocation> | string {
    const ahead = this.#ahead
    this.#ahead = undefined
    return ahead ?? this.#collectAll()
  }

  #collectAll(): ReadonlyArray<EntryLocation> | string {
    const found: Array<EntryLocation> = []
    while (found.length < chunkSize) {
      const page = this.#nextPage()
      // What was found before a rotten page is answered first.
      if (typeof page === "string") return found.length > 0 ? found : page
      if (page === undefined) break
      this.#collect(found, page)
    }
    return found
  }

  /** The next page of all sides as one, until the one after; `undefined` if records are missing or the end has come. */
  #nextPage(): NumberedPage | string | undefined {
    const below = this.#peek()
    if (typeof below === "string") return below
    if (below === undefined && !this.#isFed) return undefined
    let number = below?.[0]
    for (const { next } of this.#above) {
      if (next !== undefined && (number === undefined || next < number)) number = next
    }
    if (number === undefined) return undefined
    if (below?.[0] === number) this.#below = undefined
    return this.#above.some(({ next }) => next === number) ? this.#merge(number, below) : below
  }

  #merge(number: Words.MapKey, below: NumberedPage | undefined): NumberedPage {
    const page = (this.#merged ??= LocationPage.make(LocationPage.slotCount))
    LocationPage.clear(page)
    if (below?.[0] === number) LocationPage.setRange(page, 0, below[1].words, 0, below[1].length)
    for (const snapshot of this.#above) if (snapshot.next === number) snapshot.takeInto(page)
    return [number, page]
  }

  /** The next page below, or what is wrong with it. */
  #peek(): NumberedPage | string | undefined {
    if (this.#below !== undefined) return this.#below
    this.#below = this.#known?.next()
    const record = this.#records[this.#nextRecord]
    if (this.#below !== undefined || record === undefined) return this.#below
    const number = Keys.pageNumberIn(record.key)
    const { ledgerId } = this.#selection
    if (number === undefined) return `the key of a page of ledger ${ledgerId} is malformed`
    const page = (this.#decoded ??= LocationPage.make(LocationPage.slotCount))
    LocationPage.clear(page)
    const problem = LocationPage.decodeInto(page, record.value)
    if (problem !== undefined) return `page ${number} of ledger ${ledgerId} is rotten: ${problem}`
    this.#nextRecord += 1
    this.#below = [number, page]
    return this.#below
  }

  #collect(found: Array<EntryLocation>, [number, { length, words }]: NumberedPage): void {
    const { from, ledgerId, to } = this.#selection
    // Not by `entryIn` where it is not needed: this is the loop that a scan spends its time in.
    const firstEntry = typeof number === "number" ? number * LocationPage.slotCount : undefined
    const first = number === pageOf(from) ? slotOf(from) : 0
    const end = number === pageOf(to) ? Math.min(slotOf(to) + 1, length) : length
    for (let slot = first; slot < end; slot++) {
      const high = words[2 * slot + 1] ?? -1
      if (high < 0) continue
      const entryId = firstEntry === undefined ? entryIn(number, slot) : BigInt(firstEntry + slot)
      const location = Words.join(high, words[2 * slot] ?? 0)
      // They were an entry id and a location when they were added.
      found.push({ ledgerId, entryId: entryId as EntryId, location: location as Location })
    }
  }
}
