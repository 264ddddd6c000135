/**
 * A storage of ledgers as a scoped service: append entries to a ledger, read
 * them, follow them as they come, fence it, delete it.
 *
 * A ledger is a sequence of entries that grows at its end. An entry is some
 * bytes, and its id is its place in the ledger: 0, 1, 2, … without a gap.
 *
 * - What has been acknowledged is there: whole, in the order of the calls, and,
 *   unless its durability is "buffered", on disk. Of an append that was not
 *   acknowledged the entry is there whole or not at all, and of an `appendAll` a
 *   prefix may be there.
 * - What has been fenced takes no more entries, and what has been deleted never
 *   comes back. No ledger id and no entry id is ever given twice.
 * - Arguments are checked and used when the effect runs. What no storage could
 *   accept fails with `InvalidArgument`, and nothing of that call is done.
 * - An interrupted fiber leaves at once. What it asked for may yet be done.
 * - When the scope closes, operations answer `Closed` and tails end with it; what
 *   is in flight is waited for, and then brought to disk.
 */
import type { EntryLocationIndex } from "@effect-bookie/entry-location-index/EntryLocationIndex"
import type * as EntryId from "@effect-bookie/entry-log/EntryId"
import { EntryLog } from "@effect-bookie/entry-log/EntryLog"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as OwnScope from "@effect-bookie/lifecycle/OwnScope"
import type * as ByteSize from "effect/ByteSize"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import * as Directory from "./internal/disk/directory.ts"
import * as DiskBackend from "./internal/disk/DiskBackend.ts"
import * as Rebuild from "./internal/rebuild/rebuild.ts"
import * as Storage from "./internal/Storage.ts"
import * as MemoryBackend from "./internal/memory/MemoryBackend.ts"
import { defaults, resolve } from "./internal/options.ts"
import type { Statistics } from "./internal/Statistics.ts"
import { closed, invalidArgument, type LedgerStorageError } from "./LedgerStorageError.ts"

export type { Durations } from "@effect-bookie/lifecycle/Timer"
export type { Statistics } from "./internal/Statistics.ts"

/** When an append is acknowledged: once it is on disk, or once the operating system has it. */
export type Durability = "sync" | "buffered"

/** What is known of a ledger. Ids are bigints, and what is counted is a number. */
export interface LedgerInfo {
  readonly ledgerId: LedgerId.LedgerId
  readonly createdAt: DateTime.Utc
  /** What the creator of the ledger gave it; empty by default. */
  readonly metadata: Uint8Array
  /** Whether the ledger takes no more entries. */
  readonly fenced: boolean
  /** The highest entry id, or `undefined` if there is none yet. */
  readonly lastEntryId: EntryId.EntryId | undefined
  /** How many entries the ledger has. */
  readonly entries: number
  /** How many bytes the payloads of its entries have in all. */
  readonly length: number
}

/** Which entry of which ledger. */
export interface EntryKey {
  readonly ledgerId: LedgerId.LedgerId
  readonly entryId: EntryId.EntryId
}

/** An entry of a ledger. */
export interface Entry extends EntryKey {
  readonly payload: Uint8Array
}

/** Consecutive entries of a ledger; both ends are included. */
export interface EntryRange {
  readonly from: EntryId.EntryId
  readonly to: EntryId.EntryId
}

/** How to create a ledger. */
export interface CreateOptions {
  /**
   * By default the id after the highest that was ever given, or, where that was the largest of all, the lowest that was
   * never given.
   */
  readonly ledgerId?: LedgerId.LedgerId | undefined
  /** Kept with the ledger, at most 64 KiB. Default: empty. */
  readonly metadata?: Uint8Array | undefined
}

/** The options of an append. */
export interface AppendOptions {
  /** By default the durability of the storage. */
  readonly durability?: Durability | undefined
}

/** Which entries of a ledger to follow; both ends are included, and an absent one leaves that side open. */
export interface TailRange {
  readonly from?: EntryId.EntryId | undefined
  readonly to?: EntryId.EntryId | undefined
}

/** Which entries of a ledger, and in which order. */
export interface Range extends TailRange {
  /** From the last entry to the first. Default: false. */
  readonly reverse?: boolean | undefined
}

/** How to collect. */
export interface CollectOptions {
  /** Like the option of the collector, for this collection. */
  readonly garbageTarget?: number | undefined
  /** Like the option of the collector, for this collection. */
  readonly rate?: ByteSize.Input | undefined
}

/** What a collection has done. */
export interface Collection {
  /** The entry logs that are gone. */
  readonly removedLogs: ReadonlyArray<number>
  /** How many bytes they had. */
  readonly removedBytes: number
  readonly copiedEntries: number
  /** How many bytes were written for the copies. */
  readonly copiedBytes: number
  /** The entry logs that had to be left although they hold garbage above the target. */
  readonly left: ReadonlyArray<LeftLog>
}

/** An entry log that a collection had to leave. */
export interface LeftLog {
  readonly logId: number
  /** Why it was left, and what to do about it. */
  readonly message: string
}

/** How to check a storage. */
export interface CheckOptions {
  /** How many bytes a second are read at most. By default as many as can be. */
  readonly rate?: ByteSize.Input | undefined
}

/** Something that a storage holds and should not, or should hold and does not. */
export interface Inconsistency {
  /**
   * `DamagedEntry`: its bytes are not what was written. `MissingEntry`: it should be there and is not. `StrayEntry`: it
   * is there, of a ledger that does not exist or beyond its last entry.
   */
  readonly _tag: "DamagedEntry" | "MissingEntry" | "StrayEntry"
  readonly ledgerId: LedgerId.LedgerId
  readonly entryId: EntryId.EntryId
  /** What is wrong, and where. */
  readonly message: string
}

/** The options of the collector, which gives the room of deleted ledgers back in the background. */
export interface CollectorOptions {
  /** How long it waits between two collections. Default: 1 minute. */
  readonly interval?: Duration.Input | undefined
  /**
   * How much of all bytes may be garbage before logs that hold some are copied, from 0 to 1. Logs that hold nothing else
   * are removed in any case. Default: 0.3.
   */
  readonly garbageTarget?: number | undefined
  /** How many bytes a second it reads at most. By default as many as appends leave it. */
  readonly rate?: ByteSize.Input | undefined
  /** How much room appends leave free, so that it can work on a full disk. By default what it needs. */
  readonly reserve?: ByteSize.Input | undefined
}

/** The options of a storage. */
export interface Options {
  /** The durability of appends that do not say. Everything else is on disk before it is acknowledged. Default: "sync". */
  readonly durability?: Durability | undefined
  /**
   * How many bytes of appends may be in flight, about. Callers beyond it wait, in their order; an append that is larger
   * than all of it goes alone. Default: 64 MiB.
   */
  readonly maxBytesInFlight?: ByteSize.Input | undefined
  /** How many bytes of the entries that came last are kept in memory, for readers at the tail. Default: 32 MiB. */
  readonly recentEntries?: ByteSize.Input | undefined
  /** How many bytes a stream of entries reads ahead at most. Default: 1 MiB. */
  readonly readAhead?: ByteSize.Input | undefined
  /** Opens beside the owner, without a lock and without writing. Default: false. */
  readonly readOnly?: boolean | undefined
  readonly collector?: CollectorOptions | undefined
}

type Answer<A> = Effect.Effect<A, LedgerStorageError>
type Answers<A> = Stream.Stream<A, LedgerStorageError>

/** A storage of ledgers. */
export interface Service {
  /** Which storage this is, in errors and metrics: its directory, or another name that its backend has for it. */
  readonly name: string
  /** Counts for gauges: plain numbers that change by themselves. */
  readonly statistics: Statistics
  /** Creates a ledger. `LedgerExists` if one of that id exists or ever existed. */
  readonly createLedger: (options?: CreateOptions | undefined) => Answer<LedgerInfo>
  /** What is known of a ledger, or `undefined` if there is none. */
  readonly ledger: (ledgerId: LedgerId.LedgerId) => Answer<LedgerInfo | undefined>
  /** The ledgers by their ids. One that is created or deleted meanwhile may be among them or not. */
  readonly ledgers: Answers<LedgerInfo>
  /**
   * Appends an entry and answers its id, the next one of the ledger: 0, 1, 2, … in the order of the calls. `NoLedger`
   * or `Fenced` if the ledger takes none. The payload is taken when there is room for it; until then it must not
   * change.
   *
   * @example
   * ```ts
   * import { LedgerStorage } from "@effect-bookie/ledger-storage"
   * import { Console, Effect } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const storage = yield* LedgerStorage.LedgerStorage
   *   const { ledgerId } = yield* storage.createLedger()
   *
   *   // Appends that are under way together share a write and a sync, and keep the order of their calls.
   *   const ids = yield* Effect.forEach(
   *     ["a", "b", "c"],
   *     (text) => storage.append(ledgerId, new TextEncoder().encode(text)),
   *     { concurrency: "unbounded" }
   *   )
   *   yield* Console.log(ids.join()) // 0,1,2
   *
   *   // Another owner takes over: this one's appends fail from now on.
   *   yield* storage.fence(ledgerId)
   *   const end = yield* storage.append(ledgerId, new Uint8Array(1)).pipe(
   *     Effect.as("appended"),
   *     Effect.catchReason("LedgerStorageError", "Fenced", () => Effect.succeed("fenced"))
   *   )
   *   yield* Console.log(end) // fenced
   * })
   *
   * await Effect.runPromise(Effect.provide(program, LedgerStorage.layerMemory))
   * ```
   */
  readonly append: (
    ledgerId: LedgerId.LedgerId,
    payload: Uint8Array,
    options?: AppendOptions | undefined
  ) => Answer<EntryId.EntryId>
  /** Appends at least one entry, with consecutive ids. For the rest like `append`. */
  readonly appendAll: (
    ledgerId: LedgerId.LedgerId,
    payloads: ReadonlyArray<Uint8Array>,
    options?: AppendOptions | undefined
  ) => Answer<EntryRange>
  /** An entry, or `undefined` if the ledger has none of that id. `NoLedger` if there is no such ledger. */
  readonly read: (ledgerId: LedgerId.LedgerId, entryId: EntryId.EntryId) => Answer<Entry | undefined>
  /** Entries in the order of their keys, `undefined` where there is none. `NoLedger` if one of the ledgers is missing. */
  readonly readMany: (keys: ReadonlyArray<EntryKey>) => Answer<ReadonlyArray<Entry | undefined>>
  /**
   * The entries of a ledger as it stood when the stream began. `NoLedger` if there is no such ledger, also if it is
   * deleted meanwhile.
   */
  readonly entries: (ledgerId: LedgerId.LedgerId, range?: Range | undefined) => Answers<Entry>
  /**
   * The entries of a ledger, and then each one as it is acknowledged. Ends with the last of the range, or with the
   * last one of a fenced ledger. Fails with `NoLedger` if the ledger is deleted, and with `Closed` once the storage is
   * released. A follower may be as slow as it likes: it costs the writers nothing, and misses nothing.
   *
   * @example
   * ```ts
   * import { LedgerStorage } from "@effect-bookie/ledger-storage"
   * import { Console, Effect, Fiber, Stream } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const storage = yield* LedgerStorage.LedgerStorage
   *   const { ledgerId } = yield* storage.createLedger()
   *
   *   const follower = yield* storage.tail(ledgerId).pipe(
   *     Stream.map(({ entryId, payload }) => `${entryId}: ${new TextDecoder().decode(payload)}`),
   *     Stream.runForEach((line) => Console.log(line)),
   *     Effect.forkChild
   *   )
   *   yield* storage.append(ledgerId, new TextEncoder().encode("hello"))
   *   yield* storage.fence(ledgerId) // the last entry: the tail ends with it
   *   yield* Fiber.join(follower)
   * })
   *
   * await Effect.runPromise(Effect.provide(program, LedgerStorage.layerMemory))
   * ```
   */
  readonly tail: (ledgerId: LedgerId.LedgerId, range?: TailRange | undefined) => Answers<Entry>
  /**
   * Fences a ledger and answers its last state: no append succeeds from now on, and those that did are in it. Durable,
   * and may be repeated. `NoLedger` if there is no such ledger.
   */
  readonly fence: (ledgerId: LedgerId.LedgerId) => Answer<LedgerInfo>
  /**
   * Deletes a ledger. Appends that came before are waited for, later ones fail with `NoLedger`, and so does every read
   * from then on. It need not exist, so that a delete of which one does not know how it ended can be repeated.
   */
  readonly deleteLedger: (ledgerId: LedgerId.LedgerId) => Answer<void>
  /** Deletes ledgers, which shares the cost. Of a call that was not acknowledged, some may be deleted. */
  readonly deleteLedgers: (ledgerIds: ReadonlyArray<LedgerId.LedgerId>) => Answer<void>
  /**
   * Gives the room of deleted ledgers back now, as the collector does by and by. On disk there is no collector yet: it
   * removes nothing, and says so.
   */
  readonly collect: (options?: CollectOptions | undefined) => Answer<Collection>
  /** Reads and verifies every entry, and tells of each that is wrong. */
  readonly check: (options?: CheckOptions | undefined) => Answers<Inconsistency>
}

/** The service of a storage of ledgers: `yield* LedgerStorage.LedgerStorage` answers a {@link Service}. */
export class LedgerStorage extends Context.Service<LedgerStorage, Service>()(
  "@effect-bookie/ledger-storage/LedgerStorage"
) {}

/** The options of a storage below one directory. */
export interface DirectoryOptions extends Options {
  /** The directory of the storage, which is created unless it is there. Its logs are in `logs`, its index in `index`. */
  readonly directory: string
  /** How large an entry log gets. Default: 1 GiB. */
  readonly maxLogSize?: ByteSize.Input | undefined
  /**
   * The largest entry, of which 40 bytes are not payload, at least 128 KiB. One that was written with a larger one cannot
   * be read with a smaller one. Default: 5121 KiB.
   */
  readonly maxEntrySize?: ByteSize.Input | undefined
}

/**
 * Provides a storage on the entry logs and the index of the context, which are to be its alone. It syncs what is
 * acknowledged whatever their own durability is.
 */
export const layer = (
  options: Options = {}
): Layer.Layer<LedgerStorage, LedgerStorageError, EntryLog | EntryLocationIndex> =>
  Layer.effect(
    LedgerStorage,
    Effect.flatMap(EntryLog, ({ directory }) => onDisk(options, directory))
  )

/** Provides a storage below one directory: entry logs, index and database. */
export const layerDirectory = (options: DirectoryOptions): Layer.Layer<LedgerStorage, LedgerStorageError> =>
  Layer.suspend(() => {
    const taken = { ...options }
    return Layer.provide(Layer.effect(LedgerStorage, onDisk(taken, taken.directory)), Directory.parts(taken))
  })

/** Provides a storage below a new directory, which is removed after it. For tests. */
export const layerTemp = (
  options?: Omit<DirectoryOptions, "directory"> | undefined
): Layer.Layer<LedgerStorage, LedgerStorageError> =>
  Layer.unwrap(Effect.map(Directory.temporary, (directory) => layerDirectory({ ...options, directory })))

/**
 * Options from the environment, or wherever the `ConfigProvider` looks: `LEDGER_STORAGE_DIRECTORY`,
 * `LEDGER_STORAGE_MAX_LOG_SIZE="1 GiB"`, `LEDGER_STORAGE_MAX_ENTRY_SIZE`, `LEDGER_STORAGE_DURABILITY="sync"`,
 * `LEDGER_STORAGE_MAX_BYTES_IN_FLIGHT`, `LEDGER_STORAGE_RECENT_ENTRIES` and `LEDGER_STORAGE_READ_AHEAD`. All but the
 * directory may be absent.
 */
export const config: Config.Config<DirectoryOptions> = Config.all({
  directory: Config.NonEmptyString("LEDGER_STORAGE_DIRECTORY"),
  maxLogSize: optional(Config.ByteSize("LEDGER_STORAGE_MAX_LOG_SIZE")),
  maxEntrySize: optional(Config.ByteSize("LEDGER_STORAGE_MAX_ENTRY_SIZE")),
  durability: optional(Config.Literals(["sync", "buffered"], "LEDGER_STORAGE_DURABILITY")),
  maxBytesInFlight: optional(Config.ByteSize("LEDGER_STORAGE_MAX_BYTES_IN_FLIGHT")),
  recentEntries: optional(Config.ByteSize("LEDGER_STORAGE_RECENT_ENTRIES")),
  readAhead: optional(Config.ByteSize("LEDGER_STORAGE_READ_AHEAD"))
})

/** Provides a storage whose options come from Effect's Config: by default all of them, as {@link config} reads them. */
export const layerConfig = (
  options: Config.Wrap<DirectoryOptions> = config
): Layer.Layer<LedgerStorage, LedgerStorageError | Config.ConfigError> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layerDirectory))

/** How to rebuild an index. */
export interface RebuildOptions extends Pick<DirectoryOptions, "directory" | "maxEntrySize"> {
  /** Is told after each log. */
  readonly onProgress?: ((progress: RebuildProgress) => Effect.Effect<void>) | undefined
}

/** How far a rebuild is. */
export interface RebuildProgress {
  /** How many logs have been read. */
  readonly logs: number
  /** How many there are. */
  readonly ofLogs: number
}

/** What a rebuilt index holds. */
export interface RebuildSummary {
  readonly ledgers: number
  readonly entries: bigint
}

/**
 * Makes the index of a storage below a directory anew, from its logs alone: which ledgers exist, which are fenced, their
 * entries, and nothing that was deleted. The one that is there is replaced once the new one is complete; a failure or a
 * kill before leaves it as it is. `Locked` while the storage has an owner.
 */
export const rebuild: (options: RebuildOptions) => Effect.Effect<RebuildSummary, LedgerStorageError> = Rebuild.rebuild

/** Provides a storage in memory: the same contract with nothing on disk, gone with its scope. For tests. */
export const layerMemory: Layer.Layer<LedgerStorage> = Layer.effect(
  LedgerStorage,
  Effect.suspend(() => Storage.make(MemoryBackend.make(), defaults))
)

const onDisk = Effect.fnUntraced(function* (options: Options, name: string) {
  const settings = yield* resolve(options, name)
  const where = { operation: "open", storage: name }
  if (settings.readOnly) {
    const problem = "a storage cannot be opened with readOnly yet. Open it without, once its owner has closed it"
    return yield* Effect.fail(invalidArgument(problem, where))
  }
  const open = Effect.flatMap(DiskBackend.make({ name, readAhead: settings.readAhead }), (backend) =>
    Storage.make(backend, settings)
  )
  return yield* OwnScope.open(open, () => closed(where))
})

/** Where a config is absent, so is the option. */
function optional<A>(self: Config.Config<A>): Config.Config<A | undefined> {
  return Config.withDefault(self, undefined)
}
