/**
 * The entries of a ledger: what the memtables held, laid over the pages below.
 * A collector makes of a page what is answered.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { RocksDB } from "@effect-bookie/rocksdb"
import * as LocationPage from "../pages/LocationPage.ts"
import * as Keys from "../pages/keys.ts"
import type { LedgerSnapshot } from "../memtable/LedgerSnapshot.ts"
import type { NumberedPage } from "../pages/pages.ts"
import type { PagesInMemory } from "../pages/PagesInMemory.ts"
import type * as Words from "../words.ts"
import { chunkSize, type Merge } from "./Merge.ts"

/** Which entries: those of a ledger from one to another, both included. */
export interface Selection {
  readonly ledgerId: LedgerId
  readonly from: EntryId
  readonly to: EntryId
}

/** Gathers the entries of pages, and answers them as items. */
export interface Collector<A> {
  /** How many entries have been gathered. */
  readonly size: number
  /** Gathers those of a page that are selected. */
  readonly add: (selection: Selection, page: NumberedPage) => void
  /** What has been gathered, which is then no longer; no items if there are no entries. */
  readonly take: () => ReadonlyArray<A>
}

export class EntryMerge<A> implements Merge<A> {
  readonly #collector: Collector<A>
  readonly #selection: Selection
  readonly #above: ReadonlyArray<LedgerSnapshot>
  readonly #known: PagesInMemory | undefined
  #records: ReadonlyArray<RocksDB.Entry> = []
  #nextRecord = 0
  #isFed: boolean
  /** What the next answer is, if that is known already. */
  #ahead: ReadonlyArray<A> | string | undefined
  /** The next page below, if it has been looked at. */
  #below: NumberedPage | undefined
  /** Buffers, made when they are needed. */
  #decoded: LocationPage.LocationPage | undefined
  #merged: LocationPage.LocationPage | undefined

  /**
   * Begins with what the memtables, the oldest first, held. `known` are the pages below, if it is known which, and then
   * nothing is fed; `undefined` if records are.
   */
  constructor(
    collector: Collector<A>,
    selection: Selection,
    above: ReadonlyArray<LedgerSnapshot>,
    known: PagesInMemory | "none" | undefined
  ) {
    this.#collector = collector
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
  detach(): void {
    this.#ahead = this.take()
    // There is a page for each number, so none waits for its turn while those above have theirs.
    this.#known?.keep()
  }

  take(): ReadonlyArray<A> | string {
    const ahead = this.#ahead
    this.#ahead = undefined
    return ahead ?? this.#collectAll()
  }

  #collectAll(): ReadonlyArray<A> | string {
    const collector = this.#collector
    while (collector.size < chunkSize) {
      const page = this.#nextPage()
      // What was found before a damaged page is answered first.
      if (typeof page === "string") return collector.size > 0 ? collector.take() : page
      if (page === undefined) break
      collector.add(this.#selection, page)
    }
    return collector.take()
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
    if (problem !== undefined) return `page ${number} of ledger ${ledgerId} is damaged: ${problem}`
    this.#nextRecord += 1
    this.#below = [number, page]
    return this.#below
  }
}
