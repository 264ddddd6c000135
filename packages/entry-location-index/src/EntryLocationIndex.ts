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
 * nothing else may write to those. Others may keep records from 0a on: those that
 * are written by a batch change together with the index. A database
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
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Arguments from "./internal/arguments.ts"
import * as Batches from "./internal/commit/batch.ts"
import * as CallerRecords from "./internal/CallerRecords.ts"
import { WriteBatch } from "./internal/WriteBatch.ts"
import * as Checkpointer from "./internal/checkpoint/Checkpointer.ts"
import * as Committer from "./internal/commit/Committer.ts"
import * as Compactor from "./internal/checkpoint/Compactor.ts"
import { Gathering, type Take } from "./internal/commit/Gathering.ts"
import { Gate } from "./internal/Gate.ts"
import { Moves } from "./internal/commit/Moves.ts"
import * as Keys from "./internal/pages/keys.ts"
import type { Selection } from "./internal/read/EntryMerge.ts"
import { locate, Lookups } from "./internal/read/Lookups.ts"
import * as Settings from "./internal/options.ts"
import * as Scans from "./internal/read/scans.ts"
import type { Statistics } from "./internal/Statistics.ts"
import * as Store from "./internal/Store.ts"
import { inTurns } from "./internal/turns.ts"

export type { Durations } from "@effect-bookie/lifecycle/Timer"
export type { Endings, Outcomes, Statistics } from "./internal/Statistics.ts"

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

/** An entry that has been copied from one location to another. */
export interface EntryMove extends EntryLocationId {
  readonly from: Location.Location
  readonly to: Location.Location
}

/** Many of them, each at the same place in all columns. */
export interface EntryMoveColumns {
  readonly ledgerIds: BigInt64Array
  readonly entryIds: BigInt64Array
  readonly from: BigInt64Array
  readonly to: BigInt64Array
}

/** Entries of a ledger by their ids, and where each is. */
export interface EntryColumns {
  readonly entryIds: BigInt64Array<ArrayBuffer>
  readonly locations: BigInt64Array<ArrayBuffer>
}

/** The options of a commit. */
export interface CommitOptions {
  /** When it is acknowledged: once it is on disk, or once the operating system has it. By default as the index says. */
  readonly durability?: RocksDB.Durability | undefined
}

/** Records of a caller's own in the database of an index. */
export interface Records {
  /** The value of a record, or `undefined`. */
  readonly get: (key: Uint8Array) => Effect.Effect<Uint8Array | undefined, RocksDBError.RocksDBError>
  /** The records of a range by their keys, as they stood when the stream began. */
  readonly scan: (
    range?: RocksDB.Range | undefined,
    options?: RocksDB.StreamOptions | undefined
  ) => Stream.Stream<RocksDB.Entry, RocksDBError.RocksDBError>
}

/** Changes that are gathered one by one, and committed together. */
export interface Batch {
  /** How many changes it holds. */
  readonly size: number
  /** Adds an entry to the batch. An id that is out of range is told by `commit`. */
  readonly add: (ledgerId: LedgerId.LedgerId, entryId: EntryId.EntryId, location: Location.Location) => void
  /** Removes all entries that a ledger has, also those that were added to the batch before. */
  readonly deleteLedger: (ledgerId: LedgerId.LedgerId) => void
  /**
   * Writes a record of the caller's own. Its key begins with a byte from 0a on; key and value are copied. What is written
   * by a batch must be written by batches alone.
   */
  readonly put: (key: Uint8Array, value: Uint8Array) => void
  /** Removes such a record; it need not be there. */
  readonly remove: (key: Uint8Array) => void
  /** Removes the records from one key up to, and without, another. The commit reads them: 16 MiB of them at most. */
  readonly removeRange: (range: { readonly gte: Uint8Array; readonly lt: Uint8Array }) => void
  /**
   * Makes the changes, all or none, those of records too. Then the batch is empty and can be used again. If it fails, the batch is
   * as it was, with what was added since, so the same commit can be tried again; one that holds an id out of range always
   * fails with `InvalidArgument`. One that is interrupted goes on, and the next one waits for it: so once a commit has
   * succeeded, all that was added before is in the index.
   */
  readonly commit: Effect.Effect<void, RocksDBError.RocksDBError>
  /** The same with options. A commit that shares its write with one that is synced is synced, too. */
  readonly commitWith: (options?: CommitOptions | undefined) => Effect.Effect<void, RocksDBError.RocksDBError>
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
  readonly memtableSize?: ByteSize.Input | undefined
  /**
   * How often at most the room of deleted ledgers is given back by compacting their pages, in the background. What fails
   * is tried again, less often. Default: every 10 seconds.
   */
  readonly compactionInterval?: Duration.Input | undefined
}

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** An index of entry locations. */
export interface Service {
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
  /**
   * Moves entries that have been copied, each only if its location is still the one it was copied from: one that was
   * deleted, or added anew, is left as it is. All are moved at once, or none. Answers how many were. Each entry is there
   * once. Some ten thousand at a time are enough to be fast.
   */
  readonly moveLocations: (
    moves: ReadonlyArray<EntryMove> | EntryMoveColumns,
    options?: CommitOptions | undefined
  ) => Answer<number>
  /** Makes an empty batch, which takes up 24 to 48 bytes of memory an entry. */
  readonly makeBatch: Effect.Effect<Batch>
  /** The location of an entry, or `undefined`. */
  readonly getLocation: (ledgerId: LedgerId.LedgerId, entryId: EntryId.EntryId) => Answer<Location.Location | undefined>
  /** The locations of entries in their order, `undefined` where there is none. */
  readonly getLocations: (ids: ReadonlyArray<EntryLocationId>) => Answer<ReadonlyArray<Location.Location | undefined>>
  /** The highest entry id of a ledger, or `undefined` if it has no entries. */
  readonly getLastEntryInLedger: (ledgerId: LedgerId.LedgerId) => Answer<EntryId.EntryId | undefined>
  /** The entries of a ledger by their ids, as they stood when the stream began. */
  readonly entries: (
    ledgerId: LedgerId.LedgerId,
    range?: EntryRange | undefined
  ) => Stream.Stream<EntryLocation, RocksDBError.RocksDBError>
  /** The same in columns of some thousand entries, several times as fast. */
  readonly entryColumns: (
    ledgerId: LedgerId.LedgerId,
    range?: EntryRange | undefined
  ) => Stream.Stream<EntryColumns, RocksDBError.RocksDBError>
  /** The ledgers that have entries by their ids, as they stood when the stream began. */
  readonly ledgers: Stream.Stream<LedgerId.LedgerId, RocksDBError.RocksDBError>
  /** Removes all entries of a ledger; it need not have any. */
  readonly deleteLedger: (ledgerId: LedgerId.LedgerId) => Answer<void>
  /** Removes all entries of ledgers, of all of them or of none. */
  readonly deleteLedgers: (ledgerIds: ReadonlyArray<LedgerId.LedgerId>) => Answer<void>
  /** How many entries the index holds, exactly. */
  readonly entryCount: Answer<bigint>
  /** Records of callers' own, which batches write. */
  readonly records: Records
  /** Brings everything that has been acknowledged to disk, also what was committed as "buffered". */
  readonly sync: Answer<void>
  /** Rewrites the files of the index, which gives back the room of what was deleted or overwritten. */
  readonly compact: Answer<void>
}

/** The index of entry locations of a database, as a service. */
export class EntryLocationIndex extends Context.Service<EntryLocationIndex, Service>()(
  "@effect-bookie/entry-location-index/EntryLocationIndex"
) {}

/** Opens the index of a database in the current scope. */
export const make: (
  options?: Options | undefined
) => Effect.Effect<Service, RocksDBError.RocksDBError, Scope.Scope | RocksDB.RocksDB> = Effect.fnUntraced(function* (
  options?: Options | undefined
) {
  const { path } = yield* RocksDB.RocksDB
  return yield* OwnScope.open(open(options), () => RocksDBError.closed({ operation: "open", path }))
})

/** Provides the index of the database. */
export const layer = (
  options?: Options | undefined
): Layer.Layer<EntryLocationIndex, RocksDBError.RocksDBError, RocksDB.RocksDB> =>
  Layer.effect(EntryLocationIndex, make(options))

/**
 * Every option from the environment, or wherever the `ConfigProvider` looks; each may be absent: `ROCKSDB_DURABILITY`, as
 * the database reads it, so that one setting says for both when a write is acknowledged,
 * `ENTRY_LOCATION_INDEX_PAGE_CACHE_SIZE="64 MiB"`, `ENTRY_LOCATION_INDEX_MEMTABLE_SIZE` and
 * `ENTRY_LOCATION_INDEX_COMPACTION_INTERVAL="10 seconds"`.
 */
export const config: Config.Config<Options> = Config.all({
  durability: optional(Config.Literals(["sync", "buffered"], "ROCKSDB_DURABILITY")),
  pageCacheSize: optional(Config.ByteSize("ENTRY_LOCATION_INDEX_PAGE_CACHE_SIZE")),
  memtableSize: optional(Config.ByteSize("ENTRY_LOCATION_INDEX_MEMTABLE_SIZE")),
  compactionInterval: optional(Config.Duration("ENTRY_LOCATION_INDEX_COMPACTION_INTERVAL"))
})

/** Provides the index with options from Effect's Config: by default all of them, as {@link config} reads them. */
export const layerConfig = (
  options: Config.Wrap<Options> = config
): Layer.Layer<EntryLocationIndex, RocksDBError.RocksDBError | Config.ConfigError, RocksDB.RocksDB> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))

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
    memtables: settings.memtableSize
  })
  isOpen = true
  yield* Lifecycle.acquired(resource)
  const gate = new Gate(store)
  const compactor = yield* Compactor.make(store, settings.compactionInterval)
  yield* Checkpointer.run(store)
  const committer = yield* Committer.make(
    database.path,
    (changes, { durability = settings.durability, moves }: Committer.How) =>
      moves === undefined
        ? Effect.map(store.attempt(changes, durability), (deleted) => compactor.add(deleted))
        : store.attemptOf(
            Effect.map(locate(store, "moveLocations", moves.entries), (locations) => moves.changes(locations)),
            durability
          )
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => gate.close()))
  return service(gate, store, committer)
})

const resource = "entry-location-index"

const service = (gate: Gate, store: Store.Store, committer: Committer.Committer): Service => {
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
  const one = (operation: string, take: (changes: WriteBatch) => string | undefined): Answer<void> =>
    Effect.suspend(() => {
      const changes = new WriteBatch(1)
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
    moveLocations: (moves, options) =>
      Effect.suspend(() => {
        const taken = Moves.of(moves)
        if (typeof taken === "string") return gate.refuseArgument("moveLocations", taken)
        const durability = Batches.durabilityOf(options)
        if (typeof durability === "object") return gate.refuseArgument("moveLocations", durability.problem)
        const submission = { changes: new WriteBatch(0), size: taken.entries.length, durability, moves: taken }
        return Effect.map(submit("moveLocations", submission), () => taken.moved)
      }),
    makeBatch: Effect.sync(() =>
      Batches.make(gate, (changes, durability) =>
        submit("commit", { changes, size: changes.size + changes.records.length, durability })
      )
    ),
    getLocation: (ledgerId, entryId) => Effect.suspend(() => lookups.location(ledgerId, entryId)),
    getLocations: (ids) => Effect.suspend(() => lookups.locations(ids)),
    getLastEntryInLedger: (ledgerId) => Effect.suspend(() => lookups.lastEntry(ledgerId)),
    entries: (ledgerId, range) => Stream.suspend(() => scan(gate, store, "entries", Scans.entries, ledgerId, range)),
    entryColumns: (ledgerId, range) =>
      Stream.suspend(() => scan(gate, store, "entryColumns", Scans.entryColumns, ledgerId, range)),
    ledgers: Stream.suspend(() =>
      gate.closed ? Stream.fromEffect(gate.refuse("ledgers")) : Scans.ledgers(gate, store)
    ),
    deleteLedger: (ledgerId) => one("deleteLedger", (changes) => deleteLedger(changes, ledgerId)),
    deleteLedgers: (ledgerIds) => gather("deleteLedgers", "ledger ids", ledgerIds, deleteLedger),
    entryCount: Effect.suspend(() =>
      gate.closed ? gate.refuse("entryCount") : Effect.sync(() => BigInt(store.counts.entries))
    ),
    records: {
      get: (key) => Effect.suspend(() => getRecord(gate, store, key)),
      scan: (range, options) => Stream.suspend(() => scanRecords(gate, store, range, options))
    },
    sync: Effect.suspend(() => (gate.closed ? gate.refuse("sync") : database.syncWal)),
    compact: Effect.suspend(() => (gate.closed ? gate.refuse("compact") : compact(gate, store)))
  })
}

/** Adds an entry to changes, or says what is wrong with it. */
const add = (
  changes: WriteBatch,
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

const deleteLedger = (changes: WriteBatch, ledgerId: LedgerId.LedgerId): string | undefined => {
  const problem = Arguments.checkLedgerId(ledgerId)
  if (problem === undefined) changes.deleteLedger(ledgerId)
  return problem
}

const scan = <A>(
  gate: Gate,
  store: Store.Store,
  operation: string,
  begin: (gate: Gate, store: Store.Store, selection: Selection) => Stream.Stream<A, RocksDBError.RocksDBError>,
  ledgerId: LedgerId.LedgerId,
  range: EntryRange | undefined
): Stream.Stream<A, RocksDBError.RocksDBError> => {
  const selection = Arguments.look(() => select(ledgerId, range))
  if (typeof selection === "string") return Stream.fromEffect(gate.refuseArgument(operation, selection))
  if (gate.closed) return Stream.fromEffect(gate.refuse(operation))
  return selection.from > selection.to ? Stream.empty : begin(gate, store, selection)
}

const getRecord = (gate: Gate, store: Store.Store, key: Uint8Array): Answer<Uint8Array | undefined> => {
  if (gate.closed) return gate.refuse("records.get")
  const problem = CallerRecords.checkKey(key)
  return problem === undefined ? store.database.get(key) : gate.refuseArgument("records.get", problem)
}

const scanRecords = (
  gate: Gate,
  store: Store.Store,
  range: RocksDB.Range = {},
  options: RocksDB.StreamOptions | undefined
): Stream.Stream<RocksDB.Entry, RocksDBError.RocksDBError> => {
  if (gate.closed) return Stream.fromEffect(gate.refuse("records.scan"))
  const within = Arguments.look(() => {
    if (!Arguments.isObject(range)) return `the range must be an object, not ${Arguments.describe(range)}`
    const { gt, gte, lt, lte } = range
    return { gt, gte: gte !== undefined && CallerRecords.checkKey(gte) === undefined ? gte : Keys.firstRecord, lt, lte }
  })
  return typeof within === "string"
    ? Stream.fromEffect(gate.refuseArgument("records.scan", within))
    : store.database.stream(within, options)
}

/** Where a config is absent, so is the option. */
function optional<A>(self: Config.Config<A>): Config.Config<A | undefined> {
  return Config.withDefault(self, undefined)
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
