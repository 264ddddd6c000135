/**
 * The pages and ledger records in RocksDB, and those of them that are in memory.
 *
 * Memory has what readers asked for. Only a checkpoint changes pages and records;
 * memory changes once its write has been acknowledged. A page that a reader read while a checkpoint wrote pages of its
 * ledger does not go into memory, because the checkpoint may have put a newer
 * one there.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as LocationPage from "./LocationPage.ts"
import * as Errors from "../errors.ts"
import * as Keys from "./keys.ts"
import { maxPageSize, type unread } from "./PageCache.ts"
import type { PageCaches } from "./PageCaches.ts"
import type { PageId } from "./pages.ts"
import { PagesInMemory } from "./PagesInMemory.ts"
import * as Records from "./records.ts"
import * as Words from "../words.ts"

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** Something to be written about a ledger. */
export type PageWrite =
  /** Removes all of its pages. */
  | { readonly _tag: "Delete"; readonly ledgerId: LedgerId }
  /** Puts the bytes of a page in place of the one that is there. */
  | ({ readonly _tag: "Page"; readonly value: Uint8Array } & PageId)
  /** Puts its record, or removes it if it has none any more. */
  | { readonly _tag: "Record"; readonly ledgerId: LedgerId; readonly record: Records.LedgerRecord | undefined }

/** Slots of a page. */
export interface PageSlots extends PageId {
  readonly slots: ReadonlyArray<number>
}

/** The pages and ledger records of a database. */
export class PageStore {
  readonly #database: RocksDB.RocksDB["Service"]
  readonly #cache: PageCaches
  /** Counts the writes to a ledger, for groups of ledgers. */
  readonly #versions = new Uint32Array(1024)
  /** A page to decode into. */
  readonly #decoded = LocationPage.make(LocationPage.slotCount)
  /** A page to load into from memory. */
  readonly #loaded = LocationPage.make(LocationPage.slotCount)

  constructor(database: RocksDB.RocksDB["Service"], cache: PageCaches) {
    this.#database = database
    this.#cache = cache
  }

  /** The location of an entry, if its page is in memory. */
  find(ledgerId: LedgerId, entryId: EntryId): Location | undefined | typeof unread {
    return this.#cache.find(ledgerId, entryId)
  }

  /** The record of a ledger, if it is in memory. */
  findRecord(ledgerId: LedgerId): Records.LedgerRecord | undefined | typeof unread {
    return this.#cache.record(ledgerId)
  }

  /** Sets the slots of a page that is in memory in one that is empty, and answers whether it is. */
  load(id: PageId, into: LocationPage.LocationPage): boolean {
    return this.#cache.load(id, into)
  }

  /** The pages of a ledger from one to another, if all of them are in memory and not too many. */
  inMemory(ledgerId: LedgerId, from: Words.MapKey, to: Words.MapKey): PagesInMemory | undefined {
    // Above 2^53 numbers do not count on.
    if (typeof from === "bigint" || typeof to === "bigint" || to - from >= PagesInMemory.most) return undefined
    for (let number = from; number <= to; number++) if (!this.#cache.has({ ledgerId, number })) return undefined
    return new PagesInMemory(this.#cache, ledgerId, from, to, this.#loaded)
  }

  /** The bytes of pages in the database, none where there are none. Memory does not keep them. */
  stored(ids: ReadonlyArray<PageId>): Answer<ReadonlyArray<Uint8Array | undefined>> {
    return Effect.suspend(() =>
      ids.length === 0
        ? Effect.succeed([])
        : this.#database.getMany(ids.map(({ ledgerId, number }) => Keys.page(ledgerId, number)))
    )
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
      const keepsAll = pages.length * maxPageSize <= this.#cache.capacity / 4
      const versions = pages.map(({ ledgerId }) => this.#version(ledgerId))
      return Effect.flatMap(this.stored(pages), (values) => {
        const found: Array<ReadonlyArray<Location | undefined>> = []
        for (const [at, page] of pages.entries()) {
          const isCurrent = versions[at] === this.#version(page.ledgerId)
          const locations =
            keepsAll || page.slots.length > 1 ? this.#decode(page, values[at], isCurrent) : locate(page, values[at])
          if (typeof locations === "string") {
            return Effect.fail(Errors.corruption(damaged(page, locations), this.#where(operation)))
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
        if (version === this.#version(ledgerId)) this.#cache.putRecord(ledgerId, record)
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
          return Effect.fail(Errors.corruption(`the record of ledger ${ledgerId} is damaged`, this.#where(operation)))
        }
        records.push(record)
      }
      return Effect.succeed(records)
    })
  }

  /** Writes in order, all or nothing. What memory has of it is replaced then. */
  write(writes: ReadonlyArray<PageWrite>): Answer<void> {
    return Effect.suspend(() =>
      Effect.flatMap(this.#database.write(writes.map(operationOf), { durability: "buffered" }), () =>
        this.#remember(writes)
      )
    )
  }

  #remember(writes: ReadonlyArray<PageWrite>): Effect.Effect<void> {
    const deleted: Array<LedgerId> = []
    for (const write of writes) {
      this.#bumpVersion(write.ledgerId)
      if (write._tag === "Delete") deleted.push(write.ledgerId)
    }
    const put = Effect.sync(() => {
      for (const write of writes) {
        if (write._tag === "Page") this.#replacePage(write, write.value)
        else if (write._tag === "Record") this.#cache.replaceRecord(write.ledgerId, write.record)
      }
    })
    // A ledger is deleted before anything is put.
    return deleted.length === 0 ? put : Effect.andThen(this.#cache.dropLedgers(deleted), put)
  }

  #replacePage(id: PageId, value: Uint8Array): void {
    if (!this.#cache.has(id)) return
    const page = this.#decoded
    LocationPage.clear(page)
    if (LocationPage.decodeInto(page, value) === undefined) this.#cache.putPage(id, page)
  }

  #decode(
    id: PageSlots,
    value: Uint8Array | undefined,
    isCurrent: boolean
  ): ReadonlyArray<Location | undefined> | string {
    const page = this.#decoded
    LocationPage.clear(page)
    const problem = value === undefined ? undefined : LocationPage.decodeInto(page, value)
    if (problem !== undefined) return problem
    if (isCurrent) this.#cache.putPage(id, page)
    return id.slots.map((slot) => LocationPage.get(page, slot))
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

/** What is wrong with a page. */
export const damaged = ({ ledgerId, number }: PageId, problem: string): string =>
  `page ${number} of ledger ${ledgerId} is damaged: ${problem}`

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
  if (write._tag === "Page") return { type: "put", key: Keys.page(ledgerId, write.number), value: write.value }
  const key = Keys.ledger(ledgerId)
  return write.record === undefined
    ? { type: "remove", key }
    : { type: "put", key, value: Records.encodeLedger(write.record) }
}
