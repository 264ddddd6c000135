/**
 * Decoded pages and ledger records in memory, bounded in bytes.
 *
 * What is absent in the database is cached too: an empty page, a ledger without
 * a record. A clock decides what goes: a hand walks the ring of all items and
 * removes the first one that was not used since it last came by. So a hit costs
 * one write, and items that are read once go before those read again.
 */
import * as LocationPage from "../LocationPage.ts"
import type { LedgerRecord } from "./records.ts"
import type { MapKey } from "./words.ts"

/** A cache of at most so many bytes, by the sizes it assumes. */
export class PageCache {
  /** In bytes. */
  readonly capacity: number
  readonly #ledgers = new Map<MapKey, CachedLedger>()
  #hand: Item | undefined
  #bytes = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** How many bytes the items take up, about. */
  get bytes(): number {
    return this.#bytes
  }

  /** A page, or `undefined` if it is not in memory. */
  page(ledger: MapKey, number: MapKey): LocationPage.LocationPage | undefined {
    const item = this.#ledgers.get(ledger)?.pages.get(number)
    if (item === undefined) return undefined
    item.used = true
    return item.page
  }

  /** The record of a ledger in a box, since there may be none; or `undefined` if that is not in memory. */
  record(ledger: MapKey): CachedRecord | undefined {
    const item = this.#ledgers.get(ledger)?.record
    if (item !== undefined) item.used = true
    return item
  }

  /** Whether a page is in memory; does not count as its use. */
  hasPage(ledger: MapKey, number: MapKey): boolean {
    return this.#ledgers.get(ledger)?.pages.has(number) === true
  }

  /** Puts the record of a ledger in place of the one that is there, if there is one. */
  replaceRecord(ledger: MapKey, record: LedgerRecord | undefined): void {
    if (this.#ledgers.get(ledger)?.record !== undefined) this.putRecord(ledger, record)
  }

  /** Puts a page in place of the one that is there. Nobody may change it from now on. */
  putPage(ledger: MapKey, number: MapKey, page: LocationPage.LocationPage): void {
    const cached = this.#ledgerOf(ledger)
    const item = cached.pages.get(number)
    if (item !== undefined) this.#unlink(item)
    const added = new PageItem(cached, number, page)
    cached.pages.set(number, added)
    this.#link(added)
    this.#evict()
  }

  /** Puts the record of a ledger, or that it has none, in place of the one that is there. */
  putRecord(ledger: MapKey, record: LedgerRecord | undefined): void {
    const cached = this.#ledgerOf(ledger)
    if (cached.record !== undefined) this.#unlink(cached.record)
    cached.record = new RecordItem(cached, record)
    this.#link(cached.record)
    this.#evict()
  }

  /** Forgets the pages and the record of a ledger. */
  dropLedger(ledger: MapKey): void {
    const cached = this.#ledgers.get(ledger)
    if (cached === undefined) return
    for (const item of cached.pages.values()) this.#unlink(item)
    if (cached.record !== undefined) this.#unlink(cached.record)
    this.#ledgers.delete(ledger)
  }

  #ledgerOf(key: MapKey): CachedLedger {
    const known = this.#ledgers.get(key)
    if (known !== undefined) return known
    const ledger: CachedLedger = { key, pages: new Map(), record: undefined }
    this.#ledgers.set(key, ledger)
    return ledger
  }

  /** Puts an item where the hand comes by last. */
  #link(item: Item): void {
    this.#bytes += item.size
    const next = this.#hand
    if (next === undefined) {
      this.#hand = item
      return
    }
    item.next = next
    item.previous = next.previous
    next.previous.next = item
    next.previous = item
  }

  #unlink(item: Item): void {
    this.#bytes -= item.size
    if (this.#hand === item) this.#hand = item.next === item ? undefined : item.next
    item.previous.next = item.next
    item.next.previous = item.previous
  }

  #evict(): void {
    while (this.#bytes > this.capacity && this.#hand !== undefined) {
      const item = this.#hand
      if (item.used) {
        item.used = false
        this.#hand = item.next
        continue
      }
      this.#unlink(item)
      item.forget()
      const { key, pages, record } = item.ledger
      if (pages.size === 0 && record === undefined) this.#ledgers.delete(key)
    }
  }
}

/** What the cache knows of a ledger's record. */
export interface CachedRecord {
  readonly record: LedgerRecord | undefined
}

interface CachedLedger {
  readonly key: MapKey
  readonly pages: Map<MapKey, PageItem>
  record: RecordItem | undefined
}

abstract class Item {
  readonly ledger: CachedLedger
  readonly size: number
  used = false
  next: Item = this
  previous: Item = this

  constructor(ledger: CachedLedger, size: number) {
    this.ledger = ledger
    this.size = size
  }

  /** Takes the item out of its ledger. */
  abstract forget(): void
}

class PageItem extends Item {
  readonly number: MapKey
  readonly page: LocationPage.LocationPage

  constructor(ledger: CachedLedger, number: MapKey, page: LocationPage.LocationPage) {
    super(ledger, itemSize + LocationPage.sizeInMemory(page))
    this.number = number
    this.page = page
  }

  forget(): void {
    this.ledger.pages.delete(this.number)
  }
}

class RecordItem extends Item implements CachedRecord {
  readonly record: LedgerRecord | undefined

  constructor(ledger: CachedLedger, record: LedgerRecord | undefined) {
    super(ledger, recordSize)
    this.record = record
  }

  forget(): void {
    this.ledger.record = undefined
  }
}

/** The bytes of an item and its places in the maps, and those of a record with its ledger; measured on Node 24. */
const itemSize = 150
const recordSize = 450
