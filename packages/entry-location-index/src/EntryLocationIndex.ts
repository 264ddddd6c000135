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
 * The database belongs to the index: its keys begin with the bytes 00 to 03, and
 * nothing else may write to those.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type * as Location from "@effect-bookie/entry-log/Location"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Arguments from "./internal/arguments.ts"
import { Changes } from "./internal/Changes.ts"
import * as Checkpointer from "./internal/journal/Checkpointer.ts"
import * as Committer from "./internal/Committer.ts"
import * as Compactor from "./internal/Compactor.ts"
import { Gate } from "./internal/Gate.ts"
import * as Keys from "./internal/keys.ts"
import { Lookups } from "./internal/Lookups.ts"
import * as Scans from "./internal/scans/scans.ts"
import type { Statistics } from "./internal/Statistics.ts"
import * as Store from "./internal/Store.ts"

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
   * as it was, so the same commit can be tried again; one that holds an id out of range always fails with
   * `InvalidArgument`. If it is interrupted, the entries have left the batch and may or may not be added.
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
   * to read again: from 10 bytes an entry to 220 where each ledger has but one. The last commit comes on top. Default: 96
   * MiB.
   */
  readonly writeBufferSize?: ByteSize.Input | undefined
  /**
   * How often at most the room of deleted ledgers is given back by compacting their pages, in the background. Default:
   * every 10 seconds.
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
    // A scope of its own, so that its steps follow one another even where the finalizers around them run at once.
    const scope = yield* Scope.fork(yield* Effect.scope, "sequential")
    return yield* open(options ?? {}).pipe(
      Scope.provide(scope),
      Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
    )
  })

/** Provides the index of the database. */
export const layer = (
  options?: Options | undefined
): Layer.Layer<EntryLocationIndex, RocksDBError.RocksDBError, RocksDB.RocksDB> =>
  Layer.effect(EntryLocationIndex, make(options))

/**
 * The steps of the release, in the opposite order: refuse what is new, commit what was accepted, stop writing pages, stop
 * compacting.
 */
const open = Effect.fnUntraced(function* (options: Options) {
  const database = yield* RocksDB.RocksDB
  const settings = yield* resolve(options, database.path)
  const store = yield* Store.open(database, {
    pageCache: settings.pageCacheSize,
    writeBuffer: settings.writeBufferSize
  })
  const gate = new Gate(database)
  yield* Lifecycle.scoped("entry-location-index", Effect.void, Effect.void)
  const compactor = yield* Compactor.make(store, settings.compactionInterval)
  yield* Checkpointer.run(store)
  const committer = yield* Committer.make(database.path, (changes) =>
    Effect.map(store.commit(changes, settings.durability), (deletedLedgers) => compactor.add(deletedLedgers))
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => gate.close()))
  return service(gate, store, committer)
})

interface Settings {
  readonly durability: RocksDB.Durability
  /** In bytes. */
  readonly pageCacheSize: number
  /** In bytes. */
  readonly writeBufferSize: number
  readonly compactionInterval: Duration.Duration
}

/** In bytes. */
const defaultPageCacheSize = 64 * 1024 * 1024
const defaultWriteBufferSize = 96 * 1024 * 1024

const resolve = (options: Options, path: string): Answer<Settings> => {
  const durability = options.durability ?? "sync"
  const pageCacheSize = options.pageCacheSize === undefined ? defaultPageCacheSize : bytes(options.pageCacheSize)
  const writeBufferSize =
    options.writeBufferSize === undefined ? defaultWriteBufferSize : bytes(options.writeBufferSize)
  const compactionInterval = Duration.fromInput(options.compactionInterval ?? "10 seconds")
  const refuse = (problem: string) => Effect.fail(RocksDBError.invalidArgument(problem, { operation: "open", path }))
  if (durability !== "sync" && durability !== "buffered") return refuse(`there is no durability ${String(durability)}`)
  if (Number.isNaN(pageCacheSize)) return refuse("pageCacheSize must be a size")
  if (Number.isNaN(writeBufferSize)) return refuse("writeBufferSize must be a size")
  if (Option.isNone(compactionInterval) || Duration.isNegative(compactionInterval.value)) {
    return refuse("compactionInterval must be a duration")
  }
  return Effect.succeed({ durability, pageCacheSize, writeBufferSize, compactionInterval: compactionInterval.value })
}

/** A size in bytes, or NaN if it cannot be read or is not exact. */
const bytes = (input: ByteSize.Input): number =>
  Option.getOrElse(Option.flatMap(ByteSize.fromInput(input), ByteSize.toNumber), () => Number.NaN)

const service = (gate: Gate, store: Store.Store, committer: Committer.Committer): EntryLocationIndex["Service"] => {
  const { database } = store
  const lookups = new Lookups(gate, store)
  const submit = (operation: string, changes: Changes): Answer<void> =>
    Effect.suspend(() => (gate.closed ? gate.refuse(operation) : committer.submit(operation, changes)))
  const add = (operation: string, entries: ReadonlyArray<EntryLocation>): Answer<void> =>
    Effect.suspend(() => {
      const changes = new Changes()
      for (const { entryId, ledgerId, location } of entries) {
        const problem = Arguments.checkLocation(ledgerId, entryId, location)
        if (problem !== undefined) return gate.refuseArgument(operation, problem)
        changes.add(ledgerId, entryId, location)
      }
      return submit(operation, changes)
    })
  const remove = (operation: string, ledgerIds: ReadonlyArray<LedgerId.LedgerId>): Answer<void> =>
    Effect.suspend(() => {
      const changes = new Changes()
      for (const ledgerId of ledgerIds) {
        const problem = Arguments.checkLedgerId(ledgerId)
        if (problem !== undefined) return gate.refuseArgument(operation, problem)
        changes.deleteLedger(ledgerId)
      }
      return submit(operation, changes)
    })

  return EntryLocationIndex.of({
    path: database.path,
    statistics: store.counts,
    addLocation: (ledgerId, entryId, location) => add("addLocation", [{ ledgerId, entryId, location }]),
    addLocations: (entries) => add("addLocations", entries),
    updateLocations: (entries) => add("updateLocations", entries),
    makeBatch: Effect.sync(() => makeBatch(gate, (changes) => submit("commit", changes))),
    getLocation: (ledgerId, entryId) => Effect.suspend(() => lookups.location(ledgerId, entryId)),
    getLocations: (ids) => Effect.suspend(() => lookups.locations(ids)),
    getLastEntryInLedger: (ledgerId) => Effect.suspend(() => lookups.lastEntry(ledgerId)),
    entries: (ledgerId, range) => entries(gate, store, ledgerId, range),
    ledgers: Stream.suspend(() =>
      gate.closed ? Stream.fromEffect(gate.refuse("ledgers")) : Scans.ledgers(gate, store)
    ),
    deleteLedger: (ledgerId) => remove("deleteLedger", [ledgerId]),
    deleteLedgers: (ledgerIds) => remove("deleteLedgers", ledgerIds),
    entryCount: Effect.suspend(() =>
      gate.closed ? gate.refuse("entryCount") : Effect.sync(() => BigInt(store.counts.entries))
    ),
    compact: Effect.suspend(() =>
      gate.closed ? gate.refuse("compact") : Effect.andThen(store.flush, database.compact(Keys.everything))
    )
  })
}

const entries = (
  gate: Gate,
  store: Store.Store,
  ledgerId: LedgerId.LedgerId,
  range: EntryRange | undefined
): Stream.Stream<EntryLocation, RocksDBError.RocksDBError> => {
  const from = range?.from ?? firstEntry
  const to = range?.to ?? lastEntry
  const problem = Arguments.checkEntryId(ledgerId, from) ?? Arguments.checkEntryId(ledgerId, to)
  if (problem !== undefined) return Stream.fromEffect(gate.refuseArgument("entries", problem))
  return Stream.suspend(() => {
    if (gate.closed) return Stream.fromEffect(gate.refuse("entries"))
    return from > to ? Stream.empty : Scans.entries(gate, store, { ledgerId, from, to })
  })
}

const firstEntry = EntryId.make(0n)
const lastEntry = EntryId.make(0x7fff_ffff_ffff_ffffn)

const makeBatch = (gate: Gate, submit: (changes: Changes) => Answer<void>): Batch => {
  let changes = new Changes()
  /** What an earlier commit has left, whose room is used again. */
  let spare: Changes | undefined
  let firstProblem: string | undefined
  return {
    get size() {
      return changes.size
    },
    add: (ledgerId, entryId, location) => {
      firstProblem ??= Arguments.checkLocation(ledgerId, entryId, location)
      if (firstProblem === undefined) changes.add(ledgerId, entryId, location)
    },
    commit: Effect.suspend(() => {
      if (firstProblem !== undefined) return gate.refuseArgument("commit", firstProblem)
      const taken = changes
      changes = spare ?? new Changes()
      spare = undefined
      return submit(taken).pipe(
        Effect.tap(() =>
          Effect.sync(() => {
            taken.clear()
            spare = taken
          })
        ),
        Effect.tapError(() =>
          Effect.sync(() => {
            changes = Changes.merge([taken, changes])
          })
        )
      )
    })
  }
}
