/**
 * The pages and ledger records in RocksDB, and those of them that are in memory.
 *
 * Memory has what readers asked for. Only a checkpoint changes pages and records;
 * memory changes once its write has been acknowledged. A page that a reader read while a checkpoint wrote pages of its
 * ledger does not go into memory, because the checkpoint may have put a newer
 * one there.
 */
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as LocationPage from "../LocationPage.ts"
import * as Errors from "./errors.ts"
import * as Keys from "./keys.ts"
import type { CachedRecord, PageCache } from "./PageCache.ts"
import type { NumberedPage, PageId } from "./pages.ts"
import * as Records from "./records.ts"
import * as Words from "./words.ts"

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** Something to be written about a ledger. */
export type PageWrite =
  /** Removes all of its pages. */
  | { readonly _tag: "Delete"; readonly ledgerId: LedgerId }
  /** Puts the bytes of a page in place of the one that is there. */
  | { readonly _tag: "Page"; readonly ledgerId: LedgerId; readonly number: Words.MapKey; readonly value: Uint8Array }
  /** Puts its record, or removes it if it has none any more. */
  | { readonly _tag: "Record"; readonly ledgerId: LedgerId; readonly record: Records.LedgerRecord | undefined }

/** Slots of a page. */
export interface PageSlots extends PageId {
  readonly slots: ReadonlyArray<number>
}

/** A page as it is in memory or in the database, if there is one. */
export type StoredPage = LocationPage.LocationPage | Uint8Array | undefined

/** The pages and ledger records of a database. */
export class PageStore {
  readonly #database: RocksDB.RocksDB["Service"]
  readonly #cache: PageCache
  /** Counts the writes to a ledger, for groups of ledgers. */
  readonly #versions = new Uint32Array(1024)

  constructor(database: RocksDB.RocksDB["Service"], cache: PageCache) {
    this.#database = database
    this.#cache = cache
  }

  /** A page, if it is in memory. */
  cachedPage(ledgerId: LedgerId, number: Words.MapKey): LocationPage.LocationPage | undefined {
    return this.#cache.page(Words.mapKey(ledgerId), number)
  }

  /** The record of a ledger in a box, if it is in memory. */
  cachedRecord(ledgerId: LedgerId): CachedRecord | undefined {
    return this.#cache.record(Words.mapKey(ledgerId))
  }

  /** The pages of a ledger from one to another, if all of them are in memory. */
  cachedPages(ledgerId: LedgerId, from: Words.MapKey, to: Words.MapKey): ReadonlyArray<NumberedPage> | undefined {
    // Above 2^53 numbers do not count on.
    if (typeof from === "bigint" || typeof to === "bigint") return undefined
    const key = Words.mapKey(ledgerId)
    const pages: Array<NumberedPage> = []
    for (let number = from; number <= to; number++) {
      const page = this.#cache.page(key, number)
      if (page === undefined) return undefined
      pages.push([number, page])
    }
    return pages
  }

  /** Pages, none where there are none: those in memory from there; the others as bytes, and memory does not keep them. */
  stored(ids: ReadonlyArray<PageId>): Answer<ReadonlyArray<StoredPage>> {
    return Effect.suspend(() => {
      const pages: Array<StoredPage> = []
      const missing: Array<Uint8Array> = []
      for (const { ledgerId, number } of ids) {
        const page = this.#cache.page(Words.mapKey(ledgerId), number)
        if (page === undefined) missing.push(Keys.page(ledgerId, number))
        pages.push(page)
      }
      if (missing.length === 0) return Effect.succeed(pages)
      return Effect.map(this.#database.getMany(missing), (values) => {
        let nth = 0
        for (const [at, page] of pages.entries()) if (page === undefined) pages[at] = values[nth++]
        return pages
      })
    })
  }

  /** Sets the slots of a stored page in one that is empty, or says what is wrong with it. */
  load({ ledgerId, number }: PageId, stored: StoredPage, into: LocationPage.LocationPage): string | undefined {
    if (stored === undefined) return undefined
    if (stored instanceof Uint8Array) {
      const problem = LocationPage.decodeInto(into, stored)
      return problem === undefined ? undefined : `page ${number} of ledger ${ledgerId} is rotten: ${problem}`
    }
    LocationPage.setRange(into, 0, stored.words, 0, stored.length)
    return undefined
  }

  /**
   * Reads slots of pages, and answers the locations page by page, `undefined` where there is none. Memory keeps the pages;
   * but of so many that they would drive out much of what it has, only those of which more than one slot was asked for.
   */
  readSlots(
    operation: string,
    pages: ReadonlyArray<PageSlots>
  ): Answer<ReadonlyArray<ReadonlyArray<Location | undefined>>> {
    return Effect.suspend(() => {
      const keepsAll = pages.length * LocationPage.maxSizeInMemory <= this.#cache.capacity / 4
      const versions = pages.map(({ ledgerId }) => this.#version(ledgerId))
      const keys = pages.map(({ ledgerId, number }) => Keys.page(ledgerId, number))
      return Effect.flatMap(this.#database.getMany(keys), (values) => {
        const found: Array<ReadonlyArray<Location | undefined>> = []
        for (const [at, page] of pages.entries()) {
          const isCurrent = versions[at] === this.#version(page.ledgerId)
          const locations =
            keepsAll || page.slots.length > 1 ? this.#decode(page, values[at], isCurrent) : locate(page, values[at])
          if (typeof locations === "string") {
            const problem = `page ${page.number} of ledger ${page.ledgerId} is rotten: ${locations}`
            return Effect.fail(Errors.corruption(problem, this.#where(operation)))
          }
          found.push(locations)
        }
        return Effect.succeed(found)
      })
    })
  }

  /** Reads the record of a ledger, and keeps it in memory. */
  readRecord(operation: string, ledgerId: LedgerId): Answer<Records.LedgerRecord | undefined> {
    return Effect.suspend(() => {
      const version = this.#version(ledgerId)
      return Effect.map(this.readRecords(operation, [ledgerId]), ([record]) => {
        if (version === this.#version(ledgerId)) this.#cache.putRecord(Words.mapKey(ledgerId), record)
        return record
      })
    })
  }

  /** Reads the records of ledgers. */
  readRecords(
    operation: string,
    ledgerIds: ReadonlyArray<LedgerId>
  ): Answer<ReadonlyArray<Records.LedgerRecord | undefined>> {
    return Effect.flatMap(this.#database.getMany(ledgerIds.map(Keys.ledger)), (values) => {
      const records: Array<Records.LedgerRecord | undefined> = []
      for (const [at, ledgerId] of ledgerIds.entries()) {
        const value = values[at]
        const record = value === undefined ? undefined : Records.decodeLedger(value)
        if (value !== undefined && record === undefined) {
          return Effect.fail(Errors.corruption(`the record of ledger ${ledgerId} is rotten`, this.#where(operation)))
        }
        records.push(record)
      }
      return Effect.succeed(records)
    })
  }

  /** Writes in order, all or nothing. What memory has of it is replaced then. */
  write(writes: ReadonlyArray<PageWrite>): Answer<void> {
    return Effect.suspend(() =>
      Effect.map(this.#database.write(writes.map(operationOf), { durability: "buffered" }), () =>
        this.#remember(writes)
      )
    )
  }

  #remember(writes: ReadonlyArray<PageWrite>): void {
    for (const write of writes) {
      const key = Words.mapKey(write.ledgerId)
      this.#bumpVersion(write.ledgerId)
      if (write._tag === "Page") this.#replacePage(key, write.number, write.value)
      else if (write._tag === "Record") this.#cache.replaceRecord(key, write.record)
      else this.#cache.dropLedger(key)
    }
  }

  #replacePage(key: Words.MapKey, number: Words.MapKey, value: Uint8Array): void {
    if (!this.#cache.hasPage(key, number)) return
    const page = LocationPage.decode(value)
    if (Result.isSuccess(page)) this.#cache.putPage(key, number, page.success)
  }

  #decode(
    { ledgerId, number, slots }: PageSlots,
    value: Uint8Array | undefined,
    isCurrent: boolean
  ): ReadonlyArray<Location | undefined> | string {
    const page = LocationPage.make()
    const problem = value === undefined ? undefined : LocationPage.decodeInto(page, value)
    if (problem !== undefined) return problem
    if (isCurrent) this.#cache.putPage(Words.mapKey(ledgerId), number, page)
    return slots.map((slot) => LocationPage.get(page, slot))
  }

  #version(ledgerId: LedgerId): number | undefined {
    return this.#versions[Words.low(ledgerId) & 1023]
  }

  #bumpVersion(ledgerId: LedgerId): void {
    const group = Words.low(ledgerId) & 1023
    this.#versions[group] = (this.#versions[group] ?? 0) + 1
  }

  #where(operation: string): RocksDBError.Where {
    return { operation, path: this.#database.path }
  }
}

const locate = ({ slots }: PageSlots, value: Uint8Array | undefined): ReadonlyArray<Location | undefined> | string => {
  const locations: Array<Location | undefined> = []
  for (const slot of slots) {
    const location = value === undefined ? undefined : LocationPage.locate(value, slot)
    if (typeof location === "string") return location
    locations.push(location)
  }
  return locations
}

const operationOf = (write: PageWrite): RocksDB.Operation => {
  const { ledgerId } = write
  if (write._tag === "Delete") return { type: "removeRange", ...Keys.pagesOf(ledgerId) }
  if (write._tag === "Page") {
    return { type: "put", key: Keys.page(ledgerId, write.number), value: write.value }
  }
  const key = Keys.ledger(ledgerId)
  return write.record === undefined
    ? { type: "remove", key }
    : { type: "put", key, value: Records.encodeLedger(write.record) }
}
