/**
 * An index from (ledger, entry) to the location of the entry in an entry log,
 * on a RocksDB database, as a scoped service.
 *
 * A write that has been acknowledged is visible to every later read and, unless
 * durability is "buffered", on disk. One that failed has left nothing behind.
 * Writes that come at the same time share one batch and one sync. Ids are
 * bigints in 0..2^63-1, both ends valid; a call with one outside fails with
 * `InvalidArgument`, and nothing of it is done. Once the index is being
 * released every operation answers `Closed`.
 *
 * Of the database the keys whose first byte is below 0a belong to the index, and
 * nothing else may write to those. Others may keep records from 0a on. A database
 * that has something else among the index's keys, such as BookKeeper's own index,
 * is `UnsupportedFormat`, and left as it is.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type * as Location from "@effect-bookie/entry-log/Location"
import { Lifecycle } from "@effect-bookie/lifecycle"
import * as OwnScope from "@effect-bookie/lifecycle/OwnScope"
import { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import type * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Arguments from "./internal/arguments.ts"
import * as Batches from "./internal/commit/batch.ts"
import { Changes } from "./internal/Changes.ts"
import * as Checkpointer from "./internal/checkpoint/Checkpointer.ts"
import * as Committer from "./internal/commit/Committer.ts"
import * as Compactor from "./internal/checkpoint/Compactor.ts"
import { Gathering, type Take } from "./internal/commit/Gathering.ts"
import { Gate } from "./internal/Gate.ts"
import * as Keys from "./internal/pages/keys.ts"
import { Lookups } from "./internal/read/Lookups.ts"
import * as Settings from "./internal/options.ts"
import * as Scans from "./internal/read/scans.ts"
import type { Statistics } from "./internal/Statistics.ts"
import * as Store from "./internal/Store.ts"
import { inTurns } from "./internal/turns.ts"

export type { Durations, Outcomes, Statistics } from "./internal/Statistics.ts"

/** The id of an entry. */
export interface EntryLocationId {
  readonly ledgerId: LedgerId.LedgerId
  readonly entryId: EntryId.EntryId
}

/** An entry, and where it is. */
export interface EntryLocation extends EntryLocationId {
  readonly location: Location.Location
}

/** Which entries of a ledger; both ends are included, and an absent one leaves that side open. */
export interface EntryRange {
  readonly from?: EntryId.EntryId | undefined
  readonly to?: EntryId.EntryId | undefined
}

/** Entries that are gathered one by one, and committed together. */
export interface Batch {
  /** How many times `add` was called since the batch was last empty. */
  readonly size: number
  /** Adds an entry to the batch. An id that is out of range is told by `commit`. */
  readonly add: (ledgerId: LedgerId.LedgerId, entryId: EntryId.EntryId, location: Location.Location) => void
  /**
   * Adds the entries to the index, all or none. Then the batch is empty and can be used again. If it fails, the batch is
   * as it was, with what was added since, so the same commit can be tried again; one that holds an id out of range always
   * fails with `InvalidArgument`. One that is interrupted goes on, and the next one waits for it: so once a commit has
   * succeeded, all that was added before is in the index.
   */
  readonly commit: Effect.Effect<void, RocksDBError.RocksDBError>
}

/** The options of an index. */
export interface Options {
  /** When a write is acknowledged: once it is on disk, or once the operating system has it. Default: "sync". */
  readonly durability?: RocksDB.Durability | undefined
  /**
   * How much memory decoded pages and ledger records may take up. Default: 64 MiB. Of two indexes on one database, which
   * share it, the first says how much.
   */
  readonly pageCacheSize?: ByteSize.Input | undefined
  /**
   * How much memory may be taken up by what is in the journal and not in pages yet, which is also what the next open has
   * to read again: from 10 bytes an entry to 220 where each ledger has but one. The last commit comes on top. A commit
   * that finds it full waits until there is room, a minute at most. Default: 96 MiB.
   */
  readonly writeBufferSize?: ByteSize.Input | undefined
  /**
   * How often at most the room of deleted ledgers is given back by compacting their pages, in the background. What fails
   * is tried again, less often. Default: every 10 seconds.
   */
  readonly compactionInterval?: Duration.Input | undefined
}

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** An index of entry locations. */
export class EntryLocationIndex extends Context.Service<
  EntryLocationIndex,
  {
    /** The directory of the database. */
    readonly path: string
    /** Counts for gauges: plain numbers that change by themselves. */
    readonly statistics: Statistics
    /** Adds the location of an entry, or overwrites it. */
    readonly addLocation: (
      ledgerId: LedgerId.LedgerId,
      entryId: EntryId.EntryId,
      location: Location.Location
    ) => Answer<void>
    /** Adds the locations of entries, or overwrites them, all or none. Of one entry twice, the later location holds. */
    readonly addLocations: (entries: ReadonlyArray<EntryLocation>) => Answer<void>
    /**
     * Tells where entries have been moved to. Like `addLocations`: an entry that the index does not have is added, also
     * to a ledger that has been deleted, so leave those out.
     */
    readonly updateLocations: (entries: ReadonlyArray<EntryLocation>) => Answer<void>
    /** Makes an empty batch, which takes up 24 to 48 bytes of memory an entry. */
    readonly makeBatch: Effect.Effect<Batch>
    /** The location of an entry, or `undefined`. */
    readonly getLocation: (
      ledgerId: LedgerId.LedgerId,
      entryId: EntryId.EntryId
    ) => Answer<Location.Location | undefined>
    /** The locations of entries in their order, `undefined` where there is none. */
    readonly getLocations: (ids: ReadonlyArray<EntryLocationId>) => Answer<ReadonlyArray<Location.Location | undefined>>
    /** The highest entry id of a ledger, or `undefined` if it has no entries. */
    readonly getLastEntryInLedger: (ledgerId: LedgerId.LedgerId) => Answer<EntryId.EntryId | undefined>
    /** The entries of a ledger by their ids, as they stood when the stream began. */
    readonly entries: (
      ledgerId: LedgerId.LedgerId,
      range?: EntryRange | undefined
    ) => Stream.Stream<EntryLocation, RocksDBError.RocksDBError>
    /** The ledgers that have entries by their ids, as they stood when the stream began. */
    readonly ledgers: Stream.Stream<LedgerId.LedgerId, RocksDBError.RocksDBError>
    /** Removes all entries of a ledger; it need not have any. */
    readonly deleteLedger: (ledgerId: LedgerId.LedgerId) => Answer<void>
    /** Removes all entries of ledgers, of all of them or of none. */
    readonly deleteLedgers: (ledgerIds: ReadonlyArray<LedgerId.LedgerId>) => Answer<void>
    /** How many entries the index holds, exactly. */
    readonly entryCount: Answer<bigint>
    /** Rewrites the files of the index, which gives back the room of what was deleted or overwritten. */
    readonly compact: Answer<void>
  }
>()("@effect-bookie/entry-location-index/EntryLocationIndex") {}

/** Opens the index of a database in the current scope. */
export const make: (
  options?: Options | undefined
) => Effect.Effect<EntryLocationIndex["Service"], RocksDBError.RocksDBError, Scope.Scope | RocksDB.RocksDB> =
  Effect.fnUntraced(function* (options?: Options | undefined) {
    const { path } = yield* RocksDB.RocksDB
    return yield* OwnScope.open(open(options), () => RocksDBError.closed({ operation: "open", path }))
  })

/** Provides the index of the database. */
export const layer = (
  options?: Options | undefined
): Layer.Layer<EntryLocationIndex, RocksDBError.RocksDBError, RocksDB.RocksDB> =>
  Layer.effect(EntryLocationIndex, make(options))

/**
 * The steps of the release, in the opposite order: refuse what is new, commit what was accepted, stop writing pages, stop
 * compacting, drop what a failed commit has left. Nothing is written after the release has been told.
 */
const open = Effect.fnUntraced(function* (options: Options | undefined) {
  const database = yield* RocksDB.RocksDB
  const settings = yield* Settings.resolve(options, database.path)
  let isOpen = false
  yield* Effect.addFinalizer(() => Effect.suspend(() => (isOpen ? Lifecycle.released(resource) : Effect.void)))
  const store = yield* Store.open(database, {
    pageCache: settings.pageCacheSize,
    writeBuffer: settings.writeBufferSize
  })
  isOpen = true
  yield* Lifecycle.acquired(resource)
  const gate = new Gate(store)
  const compactor = yield* Compactor.make(store, settings.compactionInterval)
  yield* Checkpointer.run(store)
  const committer = yield* Committer.make(database.path, (changes) =>
    Effect.map(store.attempt(changes, settings.durability), (deleted) => compactor.add(deleted))
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => gate.close()))
  return service(gate, store, committer)
})

const resource = "entry-location-index"

const service = (gate: Gate, store: Store.Store, committer: Committer.Committer): EntryLocationIndex["Service"] => {
  const { database } = store
  const lookups = new Lookups(gate, store)
  const submit = (operation: string, submission: Committer.Submission): Answer<void> =>
    Effect.suspend(() => (gate.closed ? gate.refuse(operation) : committer.submit(operation, submission)))
  const gather = <A>(operation: string, what: string, list: ReadonlyArray<A>, take: Take<A>): Answer<void> =>
    Effect.suspend(() => {
      const gathering = Gathering.begin(what, list, take)
      if (typeof gathering === "string") return gate.refuseArgument(operation, gathering)
      const { changes, size } = gathering
      const refuse = (problem: string) => gate.refuseArgument(operation, problem)
      if (gathering.step()) {
        return gathering.problem === undefined ? submit(operation, { changes, size }) : refuse(gathering.problem)
      }
      // The others come behind it, however long it takes.
      const fill = Effect.flatMap(
        inTurns(() => gathering.step()),
        () => (gathering.problem === undefined ? Effect.void : refuse(gathering.problem))
      )
      return submit(operation, { changes, size, fill })
    })
  const one = (operation: string, take: (changes: Changes) => string | undefined): Answer<void> =>
    Effect.suspend(() => {
      const changes = new Changes(1)
      const problem = take(changes)
      return problem === undefined ? submit(operation, { changes, size: 1 }) : gate.refuseArgument(operation, problem)
    })

  return EntryLocationIndex.of({
    path: database.path,
    statistics: store.counts,
    addLocation: (ledgerId, entryId, location) =>
      one("addLocation", (changes) => add(changes, ledgerId, entryId, location)),
    addLocations: (entries) => gather("addLocations", "entries", entries, addEntry),
    updateLocations: (entries) => gather("updateLocations", "entries", entries, addEntry),
    makeBatch: Effect.sync(() => Batches.make(gate, (changes) => submit("commit", { changes, size: changes.size }))),
    getLocation: (ledgerId, entryId) => Effect.suspend(() => lookups.location(ledgerId, entryId)),
    getLocations: (ids) => Effect.suspend(() => lookups.locations(ids)),
    getLastEntryInLedger: (ledgerId) => Effect.suspend(() => lookups.lastEntry(ledgerId)),
    entries: (ledgerId, range) => Stream.suspend(() => entries(gate, store, ledgerId, range)),
    ledgers: Stream.suspend(() =>
      gate.closed ? Stream.fromEffect(gate.refuse("ledgers")) : Scans.ledgers(gate, store)
    ),
    deleteLedger: (ledgerId) => one("deleteLedger", (changes) => deleteLedger(changes, ledgerId)),
    deleteLedgers: (ledgerIds) => gather("deleteLedgers", "ledger ids", ledgerIds, deleteLedger),
    entryCount: Effect.suspend(() =>
      gate.closed ? gate.refuse("entryCount") : Effect.sync(() => BigInt(store.counts.entries))
    ),
    compact: Effect.suspend(() => (gate.closed ? gate.refuse("compact") : compact(gate, store)))
  })
}

/** Adds an entry to changes, or says what is wrong with it. */
const add = (
  changes: Changes,
  ledgerId: LedgerId.LedgerId,
  entryId: EntryId.EntryId,
  location: Location.Location
): string | undefined => {
  const problem = Arguments.checkLocation(ledgerId, entryId, location)
  if (problem === undefined) changes.add(ledgerId, entryId, location)
  return problem
}

const addEntry: Take<EntryLocation> = (changes, entry, nth) => {
  if (!Arguments.isObject(entry)) return `item ${nth} must be an entry, not ${Arguments.describe(entry)}`
  const { entryId, ledgerId, location } = entry
  return add(changes, ledgerId, entryId, location)
}

const deleteLedger = (changes: Changes, ledgerId: LedgerId.LedgerId): string | undefined => {
  const problem = Arguments.checkLedgerId(ledgerId)
  if (problem === undefined) changes.deleteLedger(ledgerId)
  return problem
}

const entries = (
  gate: Gate,
  store: Store.Store,
  ledgerId: LedgerId.LedgerId,
  range: EntryRange | undefined
): Stream.Stream<EntryLocation, RocksDBError.RocksDBError> => {
  const selection = Arguments.look(() => select(ledgerId, range))
  if (typeof selection === "string") return Stream.fromEffect(gate.refuseArgument("entries", selection))
  if (gate.closed) return Stream.fromEffect(gate.refuse("entries"))
  return selection.from > selection.to ? Stream.empty : Scans.entries(gate, store, selection)
}

/** The entries of a ledger that a range means, or what is wrong with it. */
const select = (ledgerId: LedgerId.LedgerId, range: EntryRange = {}) => {
  if (!Arguments.isObject(range)) return `the range must be an object, not ${Arguments.describe(range)}`
  const { from = firstEntry, to = lastEntry } = range
  return Arguments.checkEntryId(ledgerId, from) ?? Arguments.checkEntryId(ledgerId, to) ?? { ledgerId, from, to }
}

const firstEntry = EntryId.make(0n)
const lastEntry = EntryId.make(0x7fff_ffff_ffff_ffffn)

const compact = (gate: Gate, store: Store.Store): Answer<void> =>
  Effect.andThen(
    gate.whileOpen("compact", store.flush),
    Effect.suspend(() => (gate.closed ? gate.refuse("compact") : store.database.compact(Keys.everything)))
  )
