/**
 * Make of the pages of a ledger what its scans answer: entries one by one, or
 * columns of them.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import * as LocationPage from "../pages/LocationPage.ts"
import { entryIn, type NumberedPage, pageOf, slotOf } from "../pages/pages.ts"
import * as Words from "../words.ts"
import type { Collector, Selection } from "./EntryMerge.ts"
import { chunkSize } from "./Merge.ts"

/** An entry and its location. */
export interface EntryLocation {
  readonly ledgerId: LedgerId
  readonly entryId: EntryId
  readonly location: Location
}

/** Entries of a ledger by their ids, and where each is. */
export interface EntryColumns {
  readonly entryIds: BigInt64Array<ArrayBuffer>
  readonly locations: BigInt64Array<ArrayBuffer>
}

/** Gathers entries. */
export class Entries implements Collector<EntryLocation> {
  #found: Array<EntryLocation> = []

  get size(): number {
    return this.#found.length
  }

  add(selection: Selection, [number, { length, words }]: NumberedPage): void {
    const { ledgerId } = selection
    const found = this.#found
    // Not by `entryIn` where it is not needed: this is the loop that a scan spends its time in.
    const firstEntry = typeof number === "number" ? number * LocationPage.slotCount : undefined
    const end = endIn(selection, number, length)
    for (let slot = firstIn(selection, number); slot < end; slot++) {
      const high = words[2 * slot + 1] ?? -1
      if (high < 0) continue
      const entryId = firstEntry === undefined ? entryIn(number, slot) : BigInt(firstEntry + slot)
      const location = Words.join(high, words[2 * slot] ?? 0)
      // They were an entry id and a location when they were added.
      found.push({ ledgerId, entryId: entryId as EntryId, location: location as Location })
    }
  }

  take(): ReadonlyArray<EntryLocation> {
    const found = this.#found
    this.#found = []
    return found
  }
}

/**
 * Gathers columns, word by word: no entry costs a bigint. All of them gather in the same place, since what is gathered is
 * taken before anybody else has a turn.
 */
export class Columns implements Collector<EntryColumns> {
  #size = 0

  get size(): number {
    return this.#size
  }

  add(selection: Selection, [number, { length, words }]: NumberedPage): void {
    const first = entryIn(number, 0)
    const firstHigh = Words.high(first)
    const firstLow = Words.low(first)
    const end = endIn(selection, number, length)
    let at = 2 * this.#size
    for (let slot = firstIn(selection, number); slot < end; slot++) {
      const high = words[2 * slot + 1] ?? -1
      if (high < 0) continue
      entryWords[at + Words.highAt] = firstHigh
      entryWords[at + Words.lowAt] = firstLow | slot
      locationWords[at + Words.highAt] = high
      locationWords[at + Words.lowAt] = words[2 * slot] ?? 0
      at += 2
    }
    this.#size = at / 2
  }

  take(): ReadonlyArray<EntryColumns> {
    const size = this.#size
    this.#size = 0
    if (size === 0) return []
    // One piece of memory for both, which is most of what a short ledger costs.
    const both = new BigInt64Array(2 * size)
    both.set(entryIds.subarray(0, size))
    both.set(locations.subarray(0, size), size)
    return [{ entryIds: both.subarray(0, size), locations: both.subarray(size) }]
  }
}

/** Where columns are gathered: there is room for a page as long as there is less than a chunk. */
const entryIds = new BigInt64Array(chunkSize + LocationPage.slotCount)
const locations = new BigInt64Array(chunkSize + LocationPage.slotCount)
const entryWords = new Int32Array(entryIds.buffer)
const locationWords = new Int32Array(locations.buffer)

/** The first slot of a page that is selected, and the one after the last. */
const firstIn = ({ from }: Selection, number: Words.MapKey): number => (number === pageOf(from) ? slotOf(from) : 0)
const endIn = ({ to }: Selection, number: Words.MapKey, length: number): number =>
  number === pageOf(to) ? Math.min(slotOf(to) + 1, length) : length
