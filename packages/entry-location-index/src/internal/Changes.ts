/**
 * What a commit is to change: for each ledger whether it is deleted first, and
 * the locations to add, already in pages.
 *
 * Deleting a ledger forgets what was to be added to it before, so the order of
 * the calls is kept without keeping the calls. The ids have been checked.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import * as LocationPage from "../LocationPage.ts"
import { pageOf, slotOf } from "./pages.ts"
import * as Words from "./words.ts"

/** What is to become of a ledger. */
export interface LedgerChange {
  readonly ledgerId: LedgerId
  /** Whether what the index has of it goes before the pages are added. */
  deleted: boolean
  /** The locations to add, by page number. */
  pages: Map<Words.MapKey, LocationPage.LocationPage>
}

/** The changes of one commit. */
export class Changes {
  /** The ledgers that change. */
  readonly ledgers = new Map<Words.MapKey, LedgerChange>()
  #size = 0
  // Mostly the next entry is of the same page as the last one: found again without a Map.
  #ledger: LedgerChange | undefined
  #pageNumber: Words.MapKey | undefined
  #page: LocationPage.LocationPage | undefined

  /** How many calls of `add` and `deleteLedger` these are. */
  get size(): number {
    return this.#size
  }

  /** Adds the location of an entry, or overwrites it. */
  add(ledgerId: LedgerId, entryId: EntryId, location: Location): void {
    this.#size += 1
    LocationPage.set(this.#pageOf(ledgerId, pageOf(entryId)), slotOf(entryId), location)
  }

  /** Deletes all that a ledger has until now. */
  deleteLedger(ledgerId: LedgerId): void {
    this.#size += 1
    const ledger = this.#ledgerOf(ledgerId)
    ledger.deleted = true
    ledger.pages = new Map()
    this.#pageNumber = undefined
  }

  #ledgerOf(ledgerId: LedgerId): LedgerChange {
    if (this.#ledger?.ledgerId === ledgerId) return this.#ledger
    const key = Words.mapKey(ledgerId)
    let ledger = this.ledgers.get(key)
    if (ledger === undefined) {
      ledger = { ledgerId, deleted: false, pages: new Map() }
      this.ledgers.set(key, ledger)
    }
    this.#ledger = ledger
    this.#pageNumber = undefined
    return ledger
  }

  #pageOf(ledgerId: LedgerId, number: Words.MapKey): LocationPage.LocationPage {
    const { pages } = this.#ledgerOf(ledgerId)
    if (this.#page !== undefined && this.#pageNumber === number) return this.#page
    let page = pages.get(number)
    if (page === undefined) {
      page = LocationPage.make()
      pages.set(number, page)
    }
    this.#pageNumber = number
    this.#page = page
    return page
  }

  /** Puts later changes over these. The pages of the later ones are shared, not copied. */
  #append(later: Changes): void {
    this.#size += later.size
    this.#ledger = undefined
    for (const [key, ledger] of later.ledgers) {
      const earlier = this.ledgers.get(key)
      if (earlier === undefined) {
        this.ledgers.set(key, { ...ledger, pages: new Map(ledger.pages) })
        continue
      }
      if (ledger.deleted) {
        earlier.deleted = true
        earlier.pages = new Map()
      }
      for (const [number, page] of ledger.pages) {
        const below = earlier.pages.get(number)
        earlier.pages.set(number, below === undefined ? page : LocationPage.overlay(below, page))
      }
    }
  }

  /** The changes of several commits as one, in their order. None of them is changed. */
  static merge(all: ReadonlyArray<Changes>): Changes {
    const [first] = all
    if (first !== undefined && all.length === 1) return first
    const merged = new Changes()
    for (const changes of all) merged.#append(changes)
    return merged
  }
}
