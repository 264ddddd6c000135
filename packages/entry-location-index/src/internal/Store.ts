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
 * - When a write failed, its journal records are dropped, and callers' records
 *   in it set back: by a write at once, or if that fails too, before the next
 *   commit or in its batch.
 * - If memory cannot follow what was acknowledged, the store is broken: nothing is answered or written any more, and
 *   the next open reads what is on disk.
 * - There is one commit and one checkpoint at a time. Everything else reads.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import { type RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { CallerRecords, type RecordWrite } from "./CallerRecords.ts"
import type { WriteBatch } from "./WriteBatch.ts"
import * as Errors from "./errors.ts"
import * as Checkpoint from "./checkpoint/Checkpoint.ts"
import type { CommitPlan } from "./commit/CommitPlan.ts"
import { type Base, CommitPreparation } from "./commit/CommitPreparation.ts"
import { Unreadable } from "./commit/Unreadable.ts"
import type { LedgerSnapshot } from "./memtable/LedgerSnapshot.ts"
import { Memtable } from "./memtable/Memtable.ts"
import * as IndexMarker from "./indexMarker.ts"
import * as Recovery from "./journal/Recovery.ts"
import { SnapshotLock } from "./checkpoint/SnapshotLock.ts"
import * as Keys from "./pages/keys.ts"
import { unread } from "./pages/PageCache.ts"
import { PageCaches } from "./pages/PageCaches.ts"
import { PageStore } from "./pages/PageStore.ts"
import { pageOf } from "./pages/pages.ts"
import type { PagesInMemory } from "./pages/PagesInMemory.ts"
import * as Records from "./pages/records.ts"
import type { Span } from "./checkpoint/spans.ts"
import { Counts } from "./Statistics.ts"
import * as Words from "./words.ts"

/** How much memory a store may use. */
export interface Sizes {
  /** For decoded pages and ledger records, in bytes. */
  readonly pageCache: number
  /** For what is in the journal and not in pages, in bytes. */
  readonly memtables: number
}

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/**
 * The store of a database, for the current scope. The first to open it reads the metadata and the journal, and says how
 * much memory there is; those who open it too while it is open share the memory, the count and the order of the commits,
 * so that two indexes on one database are one. Writes nothing. The last one to leave waits for what is still written,
 * and so does whoever comes meanwhile.
 */
export const open: (
  database: RocksDB.RocksDB["Service"],
  sizes: Sizes
) => Effect.Effect<Store, RocksDBError.RocksDBError, Scope.Scope> = Effect.fnUntraced(function* (
  database: RocksDB.RocksDB["Service"],
  sizes: Sizes
) {
  const place = placeOf(database)
  const store = yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      while (place.closed !== undefined) yield* restore(Deferred.await(place.closed))
      place.users += 1
      yield* Effect.addFinalizer(() => leave(place))
      return (place.store ??= new Store(database, sizes))
    })
  )
  yield* store.recover
  return store
})

/** Where the store of a database is while it is open. */
interface Place {
  store: Store | undefined
  users: number
  /** Answers those who come while it is being closed. */
  closed: Deferred.Deferred<void> | undefined
}

const places = new WeakMap<RocksDB.RocksDB["Service"], Place>()

const placeOf = (database: RocksDB.RocksDB["Service"]): Place => {
  const place = places.get(database) ?? { store: undefined, users: 0, closed: undefined }
  places.set(database, place)
  return place
}

const leave = (place: Place): Effect.Effect<void> =>
  Effect.suspend(() => {
    place.users -= 1
    const { store } = place
    if (place.users > 0 || store === undefined) return Effect.void
    const closed = Deferred.makeUnsafe<void>()
    place.closed = closed
    const emptied = Effect.sync(() => {
      place.store = undefined
      place.closed = undefined
      Deferred.doneUnsafe(closed, Exit.void)
    })
    return Effect.ensuring(store.close, emptied)
  })

/** How long those who commit wait for room in the memtables. */
const patience = Duration.minutes(1)

/** The records of an index. */
export class Store implements Checkpoint.Target, Base {
  readonly database: RocksDB.RocksDB["Service"]
  readonly counts: Counts
  readonly pages: PageStore
  /** Shared by scans while they take their snapshots. */
  readonly snapshotLock = new SnapshotLock()
  /** Open while there is something to checkpoint. */
  readonly checkpointDue = Latch.makeUnsafe()
  readonly #sizes: Sizes
  readonly #preparation = new CommitPreparation()
  readonly #records: CallerRecords
  /** Held by the commit under way. */
  readonly #writing = Semaphore.makeUnsafe(1)
  /** The checkpoint under way. */
  #checkpointing: Fiber.Fiber<void, RocksDBError.RocksDBError> | undefined
  /** When the first of those who commit began to wait for the checkpoint under way, in nanoseconds. */
  #waitingSince: bigint | undefined
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
  #isMarked = false
  /** Whether a write failed that may have left journal records behind the last one. */
  #isSuspect = false
  /** What sets the callers' records back that it may have changed. */
  #undo: RecordWrite["undo"] = []
  #isClosing = false
  /** What kept memory from following what was acknowledged. */
  #broken: { readonly cause: unknown } | undefined

  constructor(database: RocksDB.RocksDB["Service"], sizes: Sizes) {
    this.database = database
    this.#sizes = sizes
    this.#records = new CallerRecords(database)
    const cache = new PageCaches(sizes.pageCache)
    this.pages = new PageStore(database, cache)
    this.counts = new Counts(cache, this)
  }

  get path(): string {
    return this.database.path
  }

  /** How many entries the index holds. */
  get entries(): number {
    return this.counts.entries
  }

  /** Whether nothing is answered any more. */
  get isBroken(): boolean {
    return this.#broken !== undefined
  }

  /** The answer to an operation of a store that is broken. */
  refuse(operation: string): Answer<never> {
    return Effect.fail(Errors.broken(this.#broken?.cause, this.#where(operation)))
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

  /** Makes changes, all or none, and answers where the ledgers are that were deleted. */
  commit(changes: WriteBatch, durability: RocksDB.Durability): Answer<ReadonlyArray<Span>> {
    return Effect.catchTag(this.attempt(changes, durability), "Unreadable", ({ error }) => Effect.fail(error))
  }

  /** The same, and tells if it failed before anything was written, because of what these changes are about. */
  attempt(
    changes: WriteBatch,
    durability: RocksDB.Durability
  ): Effect.Effect<ReadonlyArray<Span>, RocksDBError.RocksDBError | Unreadable> {
    return this.#writing.withPermit(this.#attempt(changes, durability))
  }

  /** The same of changes that are made of what the index holds then: nothing else changes it meanwhile. */
  attemptOf(
    make: Answer<WriteBatch>,
    durability: RocksDB.Durability
  ): Effect.Effect<ReadonlyArray<Span>, RocksDBError.RocksDBError | Unreadable> {
    return this.#writing.withPermit(Effect.flatMap(make, (changes) => this.#attempt(changes, durability)))
  }

  /**
   * Writes the frozen memtable into the pages, if there is one. There is one checkpoint at a time; those who come meanwhile
   * wait for it, and who is interrupted leaves it to the others.
   */
  readonly checkpoint: Answer<void> = Effect.contextWith((context: Context.Context<never>) => {
    if (this.isBroken) return this.refuse("checkpoint")
    if (this.#isClosing) return this.#closed("checkpoint")
    const frozen = this.#frozen
    if (frozen === undefined) return Effect.void
    const underWay = this.#checkpointing ?? this.#begin(frozen, context)
    return Effect.flatMap(Fiber.await(underWay), (exit) =>
      Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? this.#closed("checkpoint") : exit
    )
  })

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

  /** Reads the metadata and the journal, if that has not been done. */
  readonly recover: Answer<void> = Effect.suspend(() =>
    this.#writing.withPermit(Effect.suspend(() => (this.#isRecovered ? Effect.void : this.#recover())))
  )

  /** Stops the checkpoint under way after the write that runs, and drops what a failed commit may have left behind. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#isClosing = true
    const stop = this.#checkpointing === undefined ? Effect.void : Fiber.interrupt(this.#checkpointing)
    const cleanUp = Effect.catch(this.#cleanUp("sync"), ({ message }) =>
      Effect.logWarning(
        `What a failed commit left behind is not removed, and may be there at the next open: ${message}`
      )
    )
    return Effect.andThen(stop, this.#writing.withPermit(cleanUp))
  })

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
    return Math.max(this.#memtable.bytes, this.#journalSize) >= this.#sizes.memtables / 2
  }

  /** Lets a checkpoint begin with what the memtable holds; only between commits, and one at a time. */
  #freeze(): void {
    if (this.#frozen !== undefined) return
    if (this.#memtable.isEmpty) {
      // It only knows the ledgers of commits that changed nothing, or failed.
      this.#memtable.clear()
      return
    }
    const next = this.#spare ?? new Memtable()
    this.#frozen = { memtable: this.#memtable, sequence: this.#sequence, entries: this.counts.entries }
    this.#memtable = next
    this.#spare = undefined
    this.#journalSize = 0
    this.checkpointDue.openUnsafe()
  }

  /** Begins a checkpoint, which ends when it is done, fails, or the store is closed. */
  #begin(frozen: Checkpoint.Frozen, context: Context.Context<never>): Fiber.Fiber<void, RocksDBError.RocksDBError> {
    const start = performance.now()
    const fiber = Effect.runForkWith(context)(Checkpoint.write(frozen, this))
    this.#checkpointing = fiber
    fiber.addObserver((exit) => {
      this.#checkpointing = undefined
      this.#waitingSince = undefined
      const { checkpoints } = this.counts
      if (Exit.isSuccess(exit)) {
        checkpoints.done.recordSince(start)
        this.#finish(frozen.memtable)
      } else if (!Cause.hasInterruptsOnly(exit.cause)) {
        checkpoints.failed.recordSince(start)
        this.counts.checkpointFailures += 1
      }
    })
    return fiber
  }

  /** The frozen memtable is in the pages. */
  #finish(memtable: Memtable): void {
    this.#frozen = undefined
    this.checkpointDue.closeUnsafe()
    this.counts.checkpointFailures = 0
    if (memtable.isShared) return
    memtable.clear()
    this.#spare = memtable
  }

  #attempt(
    changes: WriteBatch,
    durability: RocksDB.Durability
  ): Effect.Effect<ReadonlyArray<Span>, RocksDBError.RocksDBError | Unreadable> {
    return Effect.suspend(() => {
      const start = performance.now()
      return Effect.onExit(this.#tryCommit(changes, durability), (exit) =>
        Effect.sync(() => this.counts.commits[Exit.isSuccess(exit) ? "done" : "failed"].recordSince(start))
      )
    })
  }

  readonly #tryCommit = Effect.fnUntraced(function* (this: Store, changes: WriteBatch, durability: RocksDB.Durability) {
    if (this.isBroken) return yield* this.refuse("commit")
    yield* this.#makeRoom()
    if (this.#undo.length > 0) yield* this.#cleanUp(durability)
    const unreadable = Effect.mapError((error: RocksDBError.RocksDBError) => new Unreadable({ error }))
    const records = yield* unreadable(this.#records.prepare(changes.records))
    const { deleted, plan } = yield* unreadable(this.#preparation.prepare(changes, this.#memtable, this))
    yield* this.#write(plan, changes, records, durability)
    return deleted
  })

  /** Waits for the checkpoint under way if the memtable behind it is full too. */
  #makeRoom(): Answer<void> {
    if (!this.#isFull) return Effect.void
    if (this.#frozen === undefined) return Effect.sync(() => this.#freeze())
    const start = performance.now()
    return this.#awaitCheckpoint.pipe(
      Effect.ensuring(Effect.sync(() => this.counts.roomWaits.recordSince(start))),
      Effect.map(() => this.#freeze())
    )
  }

  /** Waits until the checkpoint under way ends, but with all others who commit no longer than they have patience. */
  readonly #awaitCheckpoint: Answer<void> = Clock.clockWith((clock) => {
    const now = clock.monotonicTimeNanosUnsafe()
    this.#waitingSince ??= now
    const waited = Duration.nanos(now - this.#waitingSince)
    return Effect.timeoutOrElse(this.checkpoint, {
      duration: Duration.max(Duration.subtract(patience, waited), Duration.zero),
      orElse: () => Effect.fail(Errors.noRoom(Duration.format(patience), this.#where("commit")))
    })
  })

  #recover(): Answer<void> {
    this.#memtable.clear()
    return Effect.map(Recovery.recover(this.database, this.#memtable), (recovered) => {
      this.#hasMetadata = recovered.hasMetadata
      this.#sequence = recovered.sequence
      this.#journalSize = recovered.journalSize
      this.counts.entries = recovered.entries
      this.#isRecovered = true
    })
  }

  /** Writes the journal records of a plan, and lets memory follow as soon as they are acknowledged. */
  #write(plan: CommitPlan, changes: WriteBatch, records: RecordWrite, durability: RocksDB.Durability): Answer<void> {
    const operations: Array<RocksDB.Operation> = []
    // Nothing to do is still for the database to accept or to refuse.
    if (plan.records.length + records.operations.length === 0) return this.database.write(operations)
    if (this.#isSuspect) operations.push(this.#dropUnacknowledged())
    for (const operation of records.operations) operations.push(operation)
    const hasMetadata = this.#hasMetadata || plan.records.length === 0
    if (!hasMetadata) {
      operations.push({ type: "put", key: Keys.metadata, value: Records.encodeMetadata(0, 0) })
    }
    let sequence = this.#sequence
    for (const value of plan.records) operations.push({ type: "put", key: Keys.journal(++sequence), value })
    return this.#mark.pipe(
      Effect.andThen(this.database.write(operations, { durability })),
      Effect.map(() => {
        this.#isSuspect = false
        this.#hasMetadata ||= !hasMetadata
        this.#sequence = sequence
        this.#records.accept(records)
        this.#follow(plan, changes)
      }),
      Effect.onError(() => this.#distrust(records, durability))
    )
  }

  /** Marks the directory before its first write. */
  readonly #mark: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#isMarked) return Effect.void
    this.#isMarked = true
    return Effect.promise(() => IndexMarker.write(this.path))
  })

  /** Changes memory as a plan says that has been written. There is no way back, so it must not be left half-way. */
  #follow({ entries, records, groups }: CommitPlan, changes: WriteBatch): void {
    try {
      this.#memtable.apply(changes, groups, (nth) => groups.slot(nth))
      this.counts.entries = entries
      for (const { length } of records) this.#journalSize += length
      if (this.#isFull) this.#freeze()
    } catch (cause) {
      this.#broken = { cause }
    }
  }

  /** After a failed write: drops what it may have left behind. If that fails too, the next commit or the release does it. */
  #distrust({ undo }: RecordWrite, durability: RocksDB.Durability): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isSuspect = true
      this.#undo = undo
      return Effect.ignore(this.#cleanUp(durability))
    })
  }

  #cleanUp(durability: RocksDB.Durability): Answer<void> {
    return Effect.suspend(() =>
      this.#isSuspect ? this.database.write([this.#dropUnacknowledged(), ...this.#undo], { durability }) : Effect.void
    ).pipe(
      Effect.map(() => {
        this.#isSuspect = false
        this.#undo = []
      })
    )
  }

  #dropUnacknowledged(): RocksDB.Operation {
    return { type: "removeRange", ...Keys.journalFrom(this.#sequence + 1) }
  }

  #closed(operation: string): Answer<never> {
    return Effect.fail(RocksDBError.closed(this.#where(operation)))
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
