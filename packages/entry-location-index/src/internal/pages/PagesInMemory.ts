/**
 * Pages of a ledger that are all in the page cache, to be read one after another
 * as they are now.
 */
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import * as LocationPage from "./LocationPage.ts"
import type { Pages } from "./PageCache.ts"
import type { NumberedPage } from "./pages.ts"

/** Pages from one number to another. */
export class PagesInMemory {
  /** How many there may be: copies of them take up 4 MiB. */
  static readonly most = 2048
  readonly #cache: Pages
  readonly #ledgerId: LedgerId
  readonly #last: number
  #next: number
  /** The next pages, once they have been copied. */
  #copies: ReadonlyArray<LocationPage.LocationPage> | undefined
  readonly #read: LocationPage.LocationPage

  /** `buffer` is what pages are read into. */
  constructor(cache: Pages, ledgerId: LedgerId, from: number, to: number, buffer: LocationPage.LocationPage) {
    this.#cache = cache
    this.#ledgerId = ledgerId
    this.#next = from
    this.#last = to
    this.#read = buffer
  }

  /** Whether there are more. */
  get hasNext(): boolean {
    return this.#next <= this.#last
  }

  /** The next page, if there is one: until the one after, or until somebody else has a turn if it is not a copy. */
  next(): NumberedPage | undefined {
    if (!this.hasNext) return undefined
    const number = this.#next++
    const copy = this.#copies?.[this.#copies.length - 1 - (this.#last - number)]
    if (copy !== undefined) return [number, copy]
    LocationPage.clear(this.#read)
    this.#cache.load({ ledgerId: this.#ledgerId, number }, this.#read)
    return [number, this.#read]
  }

  /** Copies the pages that were not read yet, before somebody else has a turn and changes them. */
  keep(): void {
    const copies: Array<LocationPage.LocationPage> = []
    for (let number = this.#next; number <= this.#last; number++) {
      const page = LocationPage.make(LocationPage.slotCount)
      this.#cache.load({ ledgerId: this.#ledgerId, number }, page)
      copies.push(page)
    }
    this.#copies = copies
  }
}
