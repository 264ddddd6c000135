/**
 * What a memtable held of a ledger at one moment, to be read page by page while
 * the memtable goes on. As compact as it was there.
 */
import * as LocationPage from "../../LocationPage.ts"
import type * as Words from "../words.ts"

/** Pages in the order of their numbers; each has the chunks from its own first one up to that of the next page. */
export interface Added {
  readonly numbers: ReadonlyArray<Words.MapKey>
  readonly firstChunks: ReadonlyArray<number>
  /** The first slot of each chunk. */
  readonly firstSlots: Uint8Array
  /** The words of each chunk: the low and the high one of each location. */
  readonly words: Int32Array
  readonly slotsPerChunk: number
}

export class LedgerSnapshot {
  readonly #added: Added
  #nth = 0

  constructor(added: Added) {
    this.#added = added
  }

  /** The number of the page that comes next, if one does. */
  get next(): Words.MapKey | undefined {
    return this.#added.numbers[this.#nth]
  }

  /** Sets the slots of the next page that were added to, and goes on to the page behind it. */
  takeInto(page: LocationPage.LocationPage): void {
    const { firstChunks, firstSlots, slotsPerChunk, words } = this.#added
    const end = firstChunks[this.#nth + 1] ?? firstSlots.length
    for (let chunk = firstChunks[this.#nth] ?? end; chunk < end; chunk++) {
      LocationPage.setRange(page, firstSlots[chunk] ?? 0, words, chunk * slotsPerChunk * 2, slotsPerChunk)
    }
    this.#nth += 1
  }
}
