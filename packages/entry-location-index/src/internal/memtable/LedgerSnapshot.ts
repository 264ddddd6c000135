/**
 * What a memtable held of a ledger at one moment, to be read page by page while
 * the memtable goes on. It costs the memtable little, however much it holds: a
 * few chunks are copied, and of many the memtable copies what it changes later.
 */
import * as LocationPage from "../pages/LocationPage.ts"
import type * as Words from "../words.ts"
import { type ChunkOrder, type Chunks, firstSlotOf, pageOfChunk, segmentOf, slotsPerChunk, wordOf } from "./chunks.ts"

export class LedgerSnapshot {
  readonly #chunks: Chunks
  readonly #order: ChunkOrder
  readonly #last: Words.MapKey
  #chunk = -1
  #number: Words.MapKey | undefined

  /** Of chunks in their order, those of the pages from one to another. */
  constructor(chunks: Chunks, order: ChunkOrder, from: Words.MapKey, to: Words.MapKey) {
    this.#chunks = chunks
    this.#order = order
    this.#last = to
    do this.#advance()
    while (this.#number !== undefined && this.#number < from)
  }

  /** The number of the page that comes next, if one does. */
  get next(): Words.MapKey | undefined {
    return this.#number
  }

  /** Sets the slots of the next page that were added to, and goes on to the page behind it. */
  takeInto(page: LocationPage.LocationPage): void {
    const number = this.#number
    if (number === undefined) return
    while (this.#number === number) {
      const words = this.#chunks.segments[segmentOf(this.#chunk)]
      const first = firstSlotOf(this.#chunks, this.#chunk)
      if (words !== undefined) LocationPage.setRange(page, first, words, wordOf(this.#chunk), slotsPerChunk)
      this.#advance()
    }
  }

  #advance(): void {
    this.#chunk = this.#order.next()
    const number = this.#chunk < 0 ? undefined : pageOfChunk(this.#chunks, this.#chunk)
    this.#number = number === undefined || number > this.#last ? undefined : number
  }
}
