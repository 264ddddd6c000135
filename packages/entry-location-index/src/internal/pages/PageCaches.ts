/**
 * A page cache in parts, of which each has some pages and ledger records. Its
 * tables are so small that none takes long when it grows or is searched through,
 * however large all of it is.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import type * as Effect from "effect/Effect"
import type { LocationPage } from "./LocationPage.ts"
import { PageCache, type Pages, type unread } from "./PageCache.ts"
import type { PageId } from "./pages.ts"
import type { LedgerRecord } from "./records.ts"
import { inTurns } from "../turns.ts"
import * as Words from "../words.ts"

/** A cache of at most so many bytes, in parts. */
export class PageCaches implements Pages {
  /** In bytes. */
  readonly capacity: number
  readonly #parts: ReadonlyArray<PageCache>
  readonly #first: PageCache
  /** By how much the hash of a key is shifted to be the number of its part. */
  readonly #shift: number

  constructor(capacity: number) {
    this.capacity = capacity
    const bits = Math.min(Math.max(Math.floor(Math.log2(capacity / smallestPart)), 0), mostBits)
    const size = Math.floor(capacity / 2 ** bits)
    this.#first = new PageCache(size)
    this.#parts = [this.#first, ...Array.from({ length: 2 ** bits - 1 }, () => new PageCache(size))]
    this.#shift = 32 - bits
  }

  /** How many bytes the parts take up. */
  get bytes(): number {
    return this.#parts.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  find(ledgerId: LedgerId, entryId: EntryId): Location | undefined | typeof unread {
    const ledgerLow = Words.low(ledgerId)
    const high = Words.high(entryId)
    const low = Words.low(entryId)
    const part = this.#part(ledgerLow, (high << 24) | (low >>> 8))
    return part.findWords(Words.high(ledgerId), ledgerLow, high, low)
  }

  record(ledgerId: LedgerId): LedgerRecord | undefined | typeof unread {
    return this.#partOfRecord(ledgerId).record(ledgerId)
  }

  has(id: PageId): boolean {
    return this.#partOf(id).has(id)
  }

  load(id: PageId, into: LocationPage): boolean {
    return this.#partOf(id).load(id, into)
  }

  putPage(id: PageId, page: LocationPage): void {
    this.#partOf(id).putPage(id, page)
  }

  putRecord(ledgerId: LedgerId, record: LedgerRecord | undefined): void {
    this.#partOfRecord(ledgerId).putRecord(ledgerId, record)
  }

  replaceRecord(ledgerId: LedgerId, record: LedgerRecord | undefined): void {
    this.#partOfRecord(ledgerId).replaceRecord(ledgerId, record)
  }

  /** Forgets the pages and the records of ledgers. Looks at all that there is, so it takes many of them at once. */
  dropLedgers(ledgerIds: ReadonlyArray<LedgerId>): Effect.Effect<void> {
    let nth = 0
    return inTurns(() => {
      this.#parts[nth++]?.dropLedgers(ledgerIds)
      return nth >= this.#parts.length
    })
  }

  #partOf({ ledgerId, number }: PageId): PageCache {
    return this.#part(Words.low(ledgerId), typeof number === "bigint" ? Words.low(number) : number | 0)
  }

  #partOfRecord(ledgerId: LedgerId): PageCache {
    return this.#part(Words.low(ledgerId), 0)
  }

  #part(ledgerLow: number, pageLow: number): PageCache {
    if (this.#shift === 32) return this.#first
    const hash = Math.imul(ledgerLow ^ Math.imul(pageLow, 0x85eb_ca6b), 0x9e37_79b1)
    return this.#parts[hash >>> this.#shift] ?? this.#first
  }
}

/** The least that a part has of a cache in parts, in bytes: its table is of 8 MiB at most, as it has less than twice as much. */
const smallestPart = 8 * 1024 * 1024

/** So many parts are 2 to this. */
const mostBits = 10
