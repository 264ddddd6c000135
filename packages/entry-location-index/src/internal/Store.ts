/**
 * How the index lies in RocksDB, and what of it is in memory.
 *
 * A commit writes one journal record, whatever pages it touches; a memtable
 * holds what the journal says. Once that is large it is frozen, and a checkpoint
 * writes it into the pages, some at a time, while the next memtable takes what
 * comes.
 *
 * Invariants:
 *
 * - What the index holds is the pages, with the frozen memtable over them, and
 *   the current one over that. At the open the journal makes the memtable that
 *   was lost.
 * - Everything in a journal record is absolute: the locations, how many entries
 *   a ledger has and which is its last, how many there are in all. So records
 *   may be applied again over pages that a checkpoint has written in part.
 * - After all of its pages, a checkpoint writes one batch that moves the
 *   metadata to its last journal record, and drops the journal up to there. It
 *   need not be synced: RocksDB's log loses its end first, so what was synced
 *   of the journal is there as long as the checkpoint may be lost.
 * - Once no memtable holds a ledger, it has a record exactly if it has entries.
 * - Memory changes only once a batch has been acknowledged, and then at once.
 * - When a write failed, its journal records are dropped: by a write at once, or
 *   if that fails too, in the batch of the next commit.
 * - There is one commit and one checkpoint at a time. Everything else reads.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as LocationPage from "../LocationPage.ts"
import * as Call from "./Changes.ts"
import { Changes } from "./Changes.ts"
import * as Errors from "./errors.ts"
import * as Checkpoint from "./journal/Checkpoint.ts"
import { type CommitPlan, Planner, Presence, type UnknownPage } from "./journal/CommitPlan.ts"
import * as JournalRecord from "./journal/JournalRecord.ts"
import type { LedgerSnapshot } from "./journal/LedgerSnapshot.ts"
import { Memtable } from "./journal/Memtable.ts"
import { Runs } from "./journal/Runs.ts"
import { SnapshotLock } from "./journal/SnapshotLock.ts"
import { doubled } from "./journal/columns.ts"
import * as Keys from "./keys.ts"
import { PageCache, unread } from "./PageCache.ts"
import { PageStore, rotten } from "./PageStore.ts"
import { type PageId, pageOf } from "./pages.ts"
import type { PagesInMemory } from "./PagesInMemory.ts"
import * as Records from "./records.ts"
import { Counts } from "./Statistics.ts"
import * as Words from "./words.ts"

/** How much memory a store may use. */
export interface Sizes {
  /** For decoded pages and ledger records, in bytes. */
  readonly pageCache: number
  /** For what is in the journal and not in pages, in bytes. */
  readonly writeBuffer: number
}

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/**
 * The store of a database, for the current scope. The first to open it reads the metadata and the journal, and says how
 * much memory there is; those who open it too while it is open share the memory, the count and the order of the commits,
 * so that two indexes on one database are one. Writes nothing.
 */
export const open: (
  database: RocksDB.RocksDB["Service"],
  sizes: Sizes
) => Effect.Effect<Store, RocksDBError.RocksDBError, Scope.Scope> = Effect.fnUntraced(function* (
  database: RocksDB.RocksDB["Service"],
  sizes: Sizes
) {
  const { store } = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const shared = opened.get(database) ?? { store: new Store(database, sizes), users: 0 }
      shared.users += 1
      opened.set(database, shared)
      return shared
    }),
    (shared) =>
      Effect.suspend(() => {
        shared.users -= 1
        if (shared.users > 0) return Effect.void
        opened.delete(database)
        return shared.store.settle
      })
  )
  yield* store.recover
  return store
})

/** The stores that are open. */
const opened = new WeakMap<RocksDB.RocksDB["Service"], { readonly store: Store; users: number }>()

/** The records of an index. */
export class Store implements Checkpoint.Target {
  readonly database: RocksDB.RocksDB["Service"]
  readonly counts: Counts
  readonly pages: PageStore
  /** Shared by scans while they take their snapshots. */
  readonly snapshotLock = new SnapshotLock()
  /** Open while there is something to checkpoint. */
  readonly checkpointDue = Latch.makeUnsafe()
  readonly #sizes: Sizes
  readonly #planner = new Planner()
  /** Held by the commit under way. */
  readonly #writing = Semaphore.makeUnsafe(1)
  /** Held by the checkpoint under way. */
  readonly #checkpointing = Semaphore.makeUnsafe(1)
  /** A buffer for the slots of the ledgers of a commit. */
  #slots = new Int32Array(16)
  #memtable = new Memtable()
  #frozen: Checkpoint.Frozen | undefined
  /** An empty memtable, whose room is used again. */
  #spare: Memtable | undefined
  /** The sequence number of the last journal record. */
  #sequence = 0
  /** The size of the journal of the memtable, in bytes. */
  #journalSize = 0
  #isRecovered = false
  #hasMetadata = false
  /** Whether a write failed that may have left journal records behind the last one. */
  #isSuspect = false

  constructor(database: RocksDB.RocksDB["Service"], sizes: Sizes) {
    this.database = database
    this.#sizes = sizes
    const cache = new PageCache(sizes.pageCache)
    this.pages = new PageStore(database, cache)
    this.counts = new Counts(cache, this)
  }

  /** What is not in pages yet, the oldest first. */
  get memtables(): ReadonlyArray<Memtable> {
    return this.#frozen === undefined ? [this.#memtable] : [this.#frozen.memtable, this.#memtable]
  }

  /** How much memory that takes up, about, in bytes. */
  get bytes(): number {
    return this.#memtable.bytes + (this.#frozen?.memtable.bytes ?? 0)
  }

  /** The location of an entry, as far as memory knows. */
  find(ledgerId: LedgerId, entryId: EntryId): Location | undefined | typeof unread {
    const above = this.#hasMemtables ? this.#findInMemtables(ledgerId, entryId) : unread
    return above === unread ? this.pages.find(ledgerId, entryId) : above
  }

  /** The record of a ledger, as far as memory knows. */
  findRecord(ledgerId: LedgerId): Records.LedgerRecord | undefined | typeof unread {
    const high = Words.high(ledgerId)
    const low = Words.low(ledgerId)
    const frozen = this.#frozen?.memtable
    const slot = this.#memtable.slotOf(high, low)
    if (slot >= 0 && this.#memtable.isKnown(slot)) return this.#memtable.record(slot)
    const below = frozen?.slotOf(high, low) ?? -1
    if (frozen !== undefined && below >= 0 && frozen.isKnown(below)) return frozen.record(below)
    return this.pages.findRecord(ledgerId)
  }

  /** What the memtables, the oldest first, hold of the pages of a ledger now. */
  snapshots(ledgerId: LedgerId, from: Words.MapKey, to: Words.MapKey): ReadonlyArray<LedgerSnapshot> {
    let above: Array<LedgerSnapshot> = []
    for (const memtable of this.memtables) {
      const slot = memtable.slotOf(Words.high(ledgerId), Words.low(ledgerId))
      if (slot < 0) continue
      if (memtable.isDeleted(slot)) above = []
      above.push(memtable.snapshot(slot, from, to))
    }
    return above
  }

  /** The same, and the pages below, if memory has all of them; none if none of them counts. */
  pagesInMemory(
    ledgerId: LedgerId,
    from: Words.MapKey,
    to: Words.MapKey
  ): { readonly above: ReadonlyArray<LedgerSnapshot>; readonly below: PagesInMemory | "none" } | undefined {
    const record = this.findRecord(ledgerId)
    if (record === unread) return undefined
    if (record === undefined) return { above: [], below: "none" }
    const lastPage = pageOf(record.lastEntry)
    const last = to < lastPage ? to : lastPage
    const below = this.isCovered(ledgerId, from) ? "none" : this.pages.inMemory(ledgerId, from, last)
    return below === undefined ? undefined : { above: this.snapshots(ledgerId, from, last), below }
  }

  /** Whether a memtable says that no page of a ledger below counts from one on: it is deleted, or has none there. */
  isCovered(ledgerId: LedgerId, from: Words.MapKey): boolean {
    return this.memtables.some((memtable) => {
      const slot = memtable.slotOf(Words.high(ledgerId), Words.low(ledgerId))
      return slot >= 0 && !memtable.mayCover(slot, from)
    })
  }

  readonly isDeletedSince = (ledgerId: LedgerId): boolean => isDeletedIn(this.#memtable, ledgerId)

  /** Makes changes, all or none, and answers the ledgers that were deleted. */
  commit(changes: Changes, durability: RocksDB.Durability): Answer<ReadonlyArray<LedgerId>> {
    const commit = Effect.gen({ self: this }, function* () {
      yield* this.#makeRoom()
      const slots = yield* this.#slotsOf(changes)
      const plan = yield* this.#plan(changes, slots)
      yield* this.#writeJournal(plan, durability)
      this.#memtable.apply(changes, plan.runs, (nth) => plan.runs.slot(nth))
      this.counts.entries = plan.entries
      const deleted = deletedIn(plan, changes, this.#memtable)
      if (this.#isFull) this.#freeze()
      return deleted
    })
    return this.#writing.withPermit(commit)
  }

  /** Writes the frozen memtable into the pages, if there is one. One at a time; those that come meanwhile wait. */
  readonly checkpoint: Answer<void> = Effect.suspend(() =>
    this.#checkpointing.withPermit(
      Effect.suspend(() => {
        const frozen = this.#frozen
        if (frozen === undefined) return Effect.void
        return Effect.map(Checkpoint.write(frozen, this), () => {
          this.#frozen = undefined
          this.checkpointDue.closeUnsafe()
          frozen.memtable.clear()
          this.#spare = frozen.memtable
        })
      })
    )
  )

  /** Writes everything into the pages. */
  readonly flush: Answer<void> = Effect.suspend(() =>
    // Where nothing can be written, nothing is to be prepared for it.
    this.database
      .write([])
      .pipe(
        Effect.andThen(this.checkpoint),
        Effect.andThen(this.#writing.withPermit(Effect.sync(() => this.#freeze()))),
        Effect.andThen(this.checkpoint)
      )
  )

  /** Drops what a failed write may have left behind, if that has not succeeded yet. */
  readonly settle: Effect.Effect<void> = this.#writing.withPermit(this.#settle("sync"))

  /** Reads the metadata and the journal, if that has not been done. */
  readonly recover: Answer<void> = Effect.suspend(() =>
    this.#writing.withPermit(Effect.suspend(() => (this.#isRecovered ? Effect.void : this.#recover())))
  )

  /** Whether there is something that is not in pages yet. */
  get #hasMemtables(): boolean {
    return !this.#memtable.isEmpty || this.#frozen !== undefined
  }

  /** The location of an entry, as far as the memtables know. */
  #findInMemtables(ledgerId: LedgerId, entryId: EntryId): Location | undefined | typeof unread {
    const found = findIn(this.#memtable, ledgerId, entryId)
    if (found !== unread || this.#frozen === undefined) return found
    return findIn(this.#frozen.memtable, ledgerId, entryId)
  }

  /** Whether a checkpoint is due. Entries that are written again and again fill the journal alone. */
  get #isFull(): boolean {
    return Math.max(this.#memtable.bytes, this.#journalSize) >= this.#sizes.writeBuffer / 2
  }

  /** Lets a checkpoint begin with what the memtable holds; only between commits, and one at a time. */
  #freeze(): void {
    if (this.#frozen !== undefined) return
    if (this.#memtable.isEmpty) {
      // It only knows the ledgers of commits that changed nothing, or failed.
      this.#memtable.clear()
      return
    }
    this.#frozen = { memtable: this.#memtable, sequence: this.#sequence, entries: this.counts.entries }
    this.#memtable = this.#spare ?? new Memtable()
    this.#spare = undefined
    this.#journalSize = 0
    this.checkpointDue.openUnsafe()
  }

  /** Waits for the checkpoint under way if the memtable behind it is full too. */
  #makeRoom(): Answer<void> {
    if (!this.#isFull) return Effect.void
    return Effect.map(this.checkpoint, () => this.#freeze())
  }

  #recover(): Answer<void> {
    return Effect.gen({ self: this }, function* () {
      const bytes = yield* this.database.get(Keys.metadata)
      if (bytes === undefined) {
        yield* this.#checkEmpty()
      } else {
        const metadata = Records.decodeMetadata(bytes)
        if (metadata._tag === "Malformed") {
          return yield* Effect.fail(Errors.corruption("the metadata record is malformed", this.#where("open")))
        }
        if (metadata._tag === "OtherVersion") {
          const problem = `the index has format version ${metadata.version}, not ${Records.formatVersion}`
          return yield* Effect.fail(Errors.unsupportedFormat(problem, this.#where("open")))
        }
        this.#hasMetadata = true
        this.#memtable.clear()
        this.#journalSize = 0
        this.#sequence = metadata.checkpoint
        this.counts.entries = metadata.entries
        yield* this.#replayAll()
      }
      this.#isRecovered = true
    })
  }

  /** A database without a metadata record is a new one, so it has none of the others. */
  #checkEmpty(): Answer<void> {
    return Effect.flatMap(this.database.first({ ...Keys.everything, gte: Keys.allLedgers.gte }), (entry) =>
      entry === undefined
        ? Effect.void
        : Effect.fail(
            Errors.unsupportedFormat(
              "there are records where those of an index are, but none that says its version",
              this.#where("open")
            )
          )
    )
  }

  /** Applies the journal records that follow. No more of them are there than `writeBuffer` and a commit allow. */
  #replayAll(): Answer<void> {
    const changes = new Changes()
    const runs = new Runs()
    return Stream.runForEach(this.database.stream(Keys.journalFrom(this.#sequence + 1)), (entry) => {
      const problem = this.#replay(entry, changes, runs)
      return problem === undefined ? Effect.void : Effect.fail(Errors.corruption(problem, this.#where("open")))
    })
  }

  /** Applies the next journal record, or says what is wrong with it. The changes and the runs are buffers. */
  #replay({ key, value }: RocksDB.Entry, changes: Changes, runs: Runs): string | undefined {
    const sequence = Keys.sequenceIn(key)
    if (sequence !== this.#sequence + 1) return `the journal goes on with ${sequence} after ${this.#sequence}`
    const record = JournalRecord.decode(value, changes, runs)
    if (typeof record === "string") return `journal record ${sequence} is rotten: ${record}`
    const memtable = this.#memtable
    const { words } = record.changes
    let slot = -1
    memtable.apply(record.changes, record.runs, (nth) => {
      const at = record.runs.start(nth) * Call.stride
      slot = memtable.slotAfter(slot, words[at + Call.ledgerHighAt] ?? 0, words[at + Call.ledgerLowAt] ?? 0)
      return slot
    })
    this.#sequence = sequence
    this.#journalSize += value.length
    this.counts.entries = record.entries
    return undefined
  }

  /** The slots of the ledgers, run by run. What the ledgers are is known then. */
  #slotsOf(changes: Changes): Answer<Int32Array> {
    const memtable = this.#memtable
    const { words } = changes
    let slots = this.#slots
    let slot = -1
    let runs = 0
    const unknown: Array<number> = []
    for (let call = 0; call < changes.size; call = changes.endOfRun(call)) {
      const at = call * Call.stride
      slot = memtable.slotAfter(slot, words[at + Call.ledgerHighAt] ?? 0, words[at + Call.ledgerLowAt] ?? 0)
      if (!memtable.isKnown(slot)) {
        // An index without entries has no ledgers that would have to be looked for.
        const record = this.counts.entries === 0 ? undefined : this.findRecord(memtable.ledgerId(slot))
        if (record === unread) unknown.push(slot)
        else memtable.standOn(slot, record)
      }
      if (runs === slots.length) slots = doubled(slots)
      slots[runs++] = slot
    }
    this.#slots = slots
    if (unknown.length === 0) return Effect.succeed(slots)
    const ledgerIds = unknown.map((slot) => memtable.ledgerId(slot))
    return Effect.map(this.pages.readRecords("commit", ledgerIds), (records) => {
      for (const [at, slot] of unknown.entries()) memtable.standOn(slot, records[at])
      return slots
    })
  }

  #plan(changes: Changes, slots: Int32Array): Answer<CommitPlan> {
    const memtable = this.#memtable
    const plan = (presence: Presence) => this.#planner.plan(changes, memtable, slots, this.counts.entries, presence)
    const first = plan(new Presence())
    if (first._tag === "CommitPlan") return Effect.succeed(first)
    return Effect.map(this.#presenceOf(first.pages), (presence) => {
      const second = plan(presence)
      if (second._tag !== "CommitPlan") throw new Error("the same changes ask for other pages")
      return second
    })
  }

  /** Which slots of pages are set, in memory or in the database. */
  #presenceOf(unknown: ReadonlyArray<UnknownPage>): Answer<Presence> {
    const presence = new Presence()
    const below: Array<PageId & UnknownPage> = []
    const page = LocationPage.make(LocationPage.slotCount)
    for (const { number, slot } of unknown) {
      const slots = new Uint8Array(LocationPage.slotCount)
      presence.set(slot, number, slots)
      if (this.#markInMemtables(slots, { number, slot })) continue
      const id = { ledgerId: this.#memtable.ledgerId(slot), number, slot }
      LocationPage.clear(page)
      if (this.pages.load(id, page)) mark(slots, page)
      else below.push(id)
    }
    return Effect.flatMap(this.pages.stored(below), (values) => {
      for (const [at, id] of below.entries()) {
        const slots = presence.get(id.slot, id.number)
        const value = values[at]
        if (slots === undefined || value === undefined) continue
        LocationPage.clear(page)
        const problem = LocationPage.decodeInto(page, value)
        if (problem !== undefined) return Effect.fail(Errors.corruption(rotten(id, problem), this.#where("commit")))
        mark(slots, page)
      }
      return Effect.succeed(presence)
    })
  }

  /** Marks the slots that are set in memtables, and answers whether no page below counts. */
  #markInMemtables(slots: Uint8Array, { number, slot }: UnknownPage): boolean {
    const ledgerId = this.#memtable.ledgerId(slot)
    for (const memtable of [this.#memtable, this.#frozen?.memtable]) {
      const own = memtable?.slotOf(Words.high(ledgerId), Words.low(ledgerId)) ?? -1
      if (memtable === undefined || own < 0) continue
      const page = LocationPage.make()
      memtable.addPageTo(page, own, number)
      mark(slots, page)
      if (!memtable.mayCover(own, number)) return true
    }
    return false
  }

  #writeJournal(plan: CommitPlan, durability: RocksDB.Durability): Answer<void> {
    const operations: Array<RocksDB.Operation> = []
    // Nothing to do is still for the database to accept or to refuse.
    if (plan.records.length === 0) return this.database.write(operations)
    if (this.#isSuspect) operations.push(this.#dropUnacknowledged())
    if (!this.#hasMetadata) {
      operations.push({ type: "put", key: Keys.metadata, value: Records.encodeMetadata(0, 0) })
    }
    let sequence = this.#sequence
    for (const value of plan.records) operations.push({ type: "put", key: Keys.journal(++sequence), value })
    return this.database.write(operations, { durability }).pipe(
      Effect.map(() => {
        this.#isSuspect = false
        this.#hasMetadata = true
        this.#sequence = sequence
        for (const { length } of plan.records) this.#journalSize += length
      }),
      Effect.onError(() => this.#distrust(durability))
    )
  }

  /** After a failed write: drops what it may have left behind. If that fails too, the next commit or the release does it. */
  #distrust(durability: RocksDB.Durability): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isSuspect = true
      return this.#settle(durability)
    })
  }

  #settle(durability: RocksDB.Durability): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.#isSuspect ? this.database.write([this.#dropUnacknowledged()], { durability }) : Effect.void
    ).pipe(
      Effect.map(() => {
        this.#isSuspect = false
      }),
      Effect.ignore
    )
  }

  #dropUnacknowledged(): RocksDB.Operation {
    return { type: "removeRange", ...Keys.journalFrom(this.#sequence + 1) }
  }

  #where(operation: string): RocksDBError.Where {
    return { operation, path: this.database.path }
  }
}

const findIn = (memtable: Memtable, ledgerId: LedgerId, entryId: EntryId): Location | undefined | typeof unread => {
  const slot = memtable.slotOf(Words.high(ledgerId), Words.low(ledgerId))
  if (slot < 0) return unread
  const location = memtable.get(slot, Words.high(entryId), Words.low(entryId))
  return location === undefined && !memtable.isDeleted(slot) ? unread : location
}

const isDeletedIn = (memtable: Memtable, ledgerId: LedgerId): boolean => {
  const slot = memtable.slotOf(Words.high(ledgerId), Words.low(ledgerId))
  return slot >= 0 && memtable.isDeleted(slot)
}

const deletedIn = ({ runs }: CommitPlan, changes: Changes, memtable: Memtable): ReadonlyArray<LedgerId> => {
  const deleted: Array<LedgerId> = []
  for (let nth = 0; nth < runs.size; nth++) {
    if (changes.isDelete(runs.start(nth)) && runs.slot(nth) >= 0) deleted.push(memtable.ledgerId(runs.slot(nth)))
  }
  return deleted
}

const mark = (slots: Uint8Array, page: LocationPage.LocationPage): void => {
  for (let slot = 0; slot < page.length; slot++) if (LocationPage.has(page, slot)) slots[slot] = 1
}
