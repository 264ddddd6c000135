/**
 * How the index lies in RocksDB, and what of it is in memory.
 *
 * Invariants:
 *
 * - A ledger has a record exactly if it has entries; the record counts them and
 *   names the last one. The metadata record counts those of all ledgers. A
 *   commit writes all of them in one batch.
 * - Memory changes only once a batch has been acknowledged, and then at once.
 * - A page that a reader read while a commit changed its ledger does not go
 *   into the cache, because the commit may have put a newer one there.
 * - When a write failed, what the database holds is read again: it is the state
 *   before the batch or, if only the sync failed, the one after it.
 * - There is one commit at a time.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as LocationPage from "../LocationPage.ts"
import type { Changes } from "./Changes.ts"
import * as CommitPlan from "./CommitPlan.ts"
import * as Errors from "./errors.ts"
import * as Keys from "./keys.ts"
import { PageCache } from "./PageCache.ts"
import { type PageId, pageOf } from "./pages.ts"
import * as Records from "./records.ts"
import { Counts } from "./Statistics.ts"
import * as Words from "./words.ts"

/**
 * The store of a database, for the current scope. The first to open it reads the metadata and says how large the page
 * cache is; those who open it too while it is open share the memory, the count and the order of the commits, so that two
 * indexes on one database are one. Writes nothing.
 */
export const open: (
  database: RocksDB.RocksDB["Service"],
  pageCacheSize: number
) => Effect.Effect<Store, RocksDBError.RocksDBError, Scope.Scope> = Effect.fnUntraced(function* (
  database: RocksDB.RocksDB["Service"],
  pageCacheSize: number
) {
  const { store } = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const shared = opened.get(database) ?? { store: new Store(database, pageCacheSize), users: 0 }
      shared.users += 1
      opened.set(database, shared)
      return shared
    }),
    (shared) =>
      Effect.sync(() => {
        shared.users -= 1
        if (shared.users === 0) opened.delete(database)
      })
  )
  yield* store.count("open")
  return store
})

/** The stores that are open. */
const opened = new WeakMap<RocksDB.RocksDB["Service"], { readonly store: Store; users: number }>()

/** The records of an index. */
export class Store {
  readonly database: RocksDB.RocksDB["Service"]
  readonly counts: Counts
  readonly #cache: PageCache
  /** Counts the commits that changed a ledger, for groups of ledgers. */
  readonly #versions = new Uint32Array(1024)
  /** Held by the commit under way. */
  readonly #writing = Semaphore.makeUnsafe(1)
  /** Whether the count is to be read: at first, and when a write has failed. */
  #suspect = true

  constructor(database: RocksDB.RocksDB["Service"], pageCacheSize: number) {
    this.database = database
    this.#cache = new PageCache(pageCacheSize)
    this.counts = new Counts(this.#cache)
  }

  /** A page, if it is in memory. */
  cachedPage(ledgerId: LedgerId, entryId: EntryId): LocationPage.LocationPage | undefined {
    return this.#cache.page(Words.mapKey(ledgerId), pageOf(entryId))
  }

  /** Reads pages, empty ones where there are none, and keeps them in memory. */
  readPages(
    operation: string,
    ids: ReadonlyArray<PageId>
  ): Effect.Effect<ReadonlyArray<LocationPage.LocationPage>, RocksDBError.RocksDBError> {
    return Effect.suspend(() => {
      const versions = ids.map(({ ledgerId }) => this.#version(ledgerId))
      return Effect.map(this.#fetchPages(operation, ids), (pages) => {
        for (const [at, { ledgerId, number }] of ids.entries()) {
          const page = pages[at]
          if (page === undefined || versions[at] !== this.#version(ledgerId)) continue
          this.#cache.putPage(Words.mapKey(ledgerId), number, page)
        }
        return pages
      })
    })
  }

  /** The record of a ledger in a box, if it is in memory. */
  cachedRecord(ledgerId: LedgerId): { readonly record: Records.LedgerRecord | undefined } | undefined {
    return this.#cache.record(Words.mapKey(ledgerId))
  }

  /** Reads the record of a ledger, and keeps it in memory. */
  readRecord(
    operation: string,
    ledgerId: LedgerId
  ): Effect.Effect<Records.LedgerRecord | undefined, RocksDBError.RocksDBError> {
    return Effect.suspend(() => {
      const version = this.#version(ledgerId)
      return Effect.map(this.#fetchRecords(operation, [ledgerId]), ([record]) => {
        if (version === this.#version(ledgerId)) this.#cache.putRecord(Words.mapKey(ledgerId), record)
        return record
      })
    })
  }

  /** Makes changes, all or none, and answers the ledgers that were deleted. */
  commit(
    changes: Changes,
    durability: RocksDB.Durability
  ): Effect.Effect<ReadonlyArray<LedgerId>, RocksDBError.RocksDBError> {
    const commit = Effect.gen({ self: this }, function* () {
      yield* this.#settle("commit")
      const plan = yield* this.#plan(changes)
      const entries = this.counts.entries + plan.addedEntries
      if (plan.operations.length > 0) {
        plan.operations.push({ type: "put", key: Keys.metadata, value: Records.encodeMetadata(entries) })
      }
      yield* Effect.onError(this.database.write(plan.operations, { durability }), () => this.#distrust(changes))
      this.#apply(plan)
      this.counts.entries = entries
      return plan.deletedLedgers
    })
    return this.#writing.withPermit(commit)
  }

  /** How many entries the index has. */
  count(operation: string): Effect.Effect<number, RocksDBError.RocksDBError> {
    return Effect.suspend(() =>
      this.#suspect
        ? Effect.map(this.#writing.withPermit(this.#settle(operation)), () => this.counts.entries)
        : Effect.succeed(this.counts.entries)
    )
  }

  /** Reads the count if it is not known. */
  #settle(operation: string): Effect.Effect<void, RocksDBError.RocksDBError> {
    return Effect.suspend(() => (this.#suspect ? this.#readCount(operation) : Effect.void))
  }

  #readCount(operation: string): Effect.Effect<void, RocksDBError.RocksDBError> {
    return Effect.flatMap(this.database.get(Keys.metadata), (bytes) => {
      const metadata = bytes === undefined ? undefined : Records.decodeMetadata(bytes)
      if (metadata?._tag === "Malformed") {
        return Effect.fail(Errors.corruption("the metadata record is malformed", this.#where(operation)))
      }
      if (metadata?._tag === "OtherVersion") {
        const problem = `the index has format version ${metadata.version}, not ${Records.formatVersion}`
        return Effect.fail(Errors.unsupportedFormat(problem, this.#where(operation)))
      }
      return Effect.map(metadata === undefined ? this.#checkEmpty(operation) : Effect.void, () => {
        this.counts.entries = metadata?.entries ?? 0
        this.#suspect = false
      })
    })
  }

  /** A database without a metadata record is a new one, so it has no ledgers. */
  #checkEmpty(operation: string): Effect.Effect<void, RocksDBError.RocksDBError> {
    return Effect.flatMap(this.database.first({ ...Keys.everything, gte: Keys.allLedgers.gte }), (entry) =>
      entry === undefined
        ? Effect.void
        : Effect.fail(
            Errors.unsupportedFormat(
              "there are records where those of an index are, but none that says its version",
              this.#where(operation)
            )
          )
    )
  }

  #plan(changes: Changes): Effect.Effect<CommitPlan.CommitPlan, RocksDBError.RocksDBError> {
    return Effect.gen({ self: this }, function* () {
      const records = yield* this.#recordsOf(changes)
      const steps = CommitPlan.begin(changes, records, (ledgerId, number) =>
        this.#cache.page(Words.mapKey(ledgerId), number)
      )
      const pages = steps.unread.length === 0 ? [] : yield* this.#fetchPages("commit", steps.unread)
      return CommitPlan.finish(steps, pages)
    })
  }

  /** The records of the ledgers that change, in the order of the changes. */
  #recordsOf(
    changes: Changes
  ): Effect.Effect<ReadonlyArray<Records.LedgerRecord | undefined>, RocksDBError.RocksDBError> {
    const records: Array<Records.LedgerRecord | undefined> = []
    const unread: Array<LedgerId> = []
    const places: Array<number> = []
    for (const [key, { ledgerId }] of changes.ledgers) {
      const cached = this.#cache.record(key)
      if (cached === undefined) {
        unread.push(ledgerId)
        places.push(records.length)
      }
      records.push(cached?.record)
    }
    if (unread.length === 0) return Effect.succeed(records)
    return Effect.map(this.#fetchRecords("commit", unread), (found) => {
      for (const [at, place] of places.entries()) records[place] = found[at]
      return records
    })
  }

  #apply(plan: CommitPlan.CommitPlan): void {
    for (const { changed, pages, record } of plan.ledgers) {
      const key = Words.mapKey(changed.ledgerId)
      this.#bumpVersion(changed.ledgerId)
      if (changed.deleted) this.#cache.dropLedger(key)
      this.#cache.putRecord(key, record)
      for (const [number, page] of pages) this.#cache.putPage(key, number, page)
    }
  }

  /** After a failed write: forgets what it was about, and reads the count again. */
  #distrust(changes: Changes): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#suspect = true
      for (const [key, { ledgerId }] of changes.ledgers) {
        this.#bumpVersion(ledgerId)
        this.#cache.dropLedger(key)
      }
      // If this fails too, the next commit tries again first.
      return Effect.ignore(this.#settle("commit"))
    })
  }

  #fetchPages(
    operation: string,
    ids: ReadonlyArray<PageId>
  ): Effect.Effect<ReadonlyArray<LocationPage.LocationPage>, RocksDBError.RocksDBError> {
    const keys = ids.map(({ ledgerId, number }) => Keys.page(ledgerId, number))
    return Effect.flatMap(this.database.getMany(keys), (values) => {
      const pages: Array<LocationPage.LocationPage> = []
      for (const [at, { ledgerId, number }] of ids.entries()) {
        const value = values[at]
        if (value === undefined) {
          pages.push(LocationPage.make())
          continue
        }
        const page = LocationPage.decode(value)
        if (Result.isFailure(page)) {
          const problem = `page ${number} of ledger ${ledgerId} is rotten: ${page.failure}`
          return Effect.fail(Errors.corruption(problem, this.#where(operation)))
        }
        pages.push(page.success)
      }
      return Effect.succeed(pages)
    })
  }

  #fetchRecords(
    operation: string,
    ledgerIds: ReadonlyArray<LedgerId>
  ): Effect.Effect<ReadonlyArray<Records.LedgerRecord | undefined>, RocksDBError.RocksDBError> {
    return Effect.flatMap(this.database.getMany(ledgerIds.map(Keys.ledger)), (values) => {
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

  #version(ledgerId: LedgerId): number | undefined {
    return this.#versions[Words.low(ledgerId) & 1023]
  }

  #bumpVersion(ledgerId: LedgerId): void {
    const group = Words.low(ledgerId) & 1023
    this.#versions[group] = (this.#versions[group] ?? 0) + 1
  }

  #where(operation: string): RocksDBError.Where {
    return { operation, path: this.database.path }
  }
}
