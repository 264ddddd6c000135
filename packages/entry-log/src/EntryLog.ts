/**
 * BookKeeper entry logs as a scoped service: append entries to them, read them
 * back by location, scan them all.
 *
 * - An append is answered once the operating system has the entry: it can be
 *   read at once, and is on disk after the next `sync`. So append, sync, and
 *   only then index.
 * - One writer a directory. It starts a new log with its first append, as
 *   BookKeeper does, and never writes to an old one. A log that reaches its
 *   largest size is sealed with its ledgers map; the last one stays unsealed.
 *   An entry that is larger than that gets a log of its own.
 * - `readOnly` opens what another one writes: no lock, and nothing is created or
 *   changed. Logs and entries that are added later are seen, and logs that have
 *   been removed or replaced are let go of: at once where the logs are listed
 *   (`logs`, `scan`) or a read fails, and else within two seconds.
 * - When the scope closes, operations answer `Closed`, those in flight are
 *   waited for, and the log is synced. An operation counts as in flight until
 *   the operating system has answered, also if its fiber was interrupted.
 * - No size that is read from a file is trusted with more memory than
 *   `maxEntrySize`.
 *
 * Only files named as BookKeeper names entry logs (`1f.log`) are read; others
 * that end in `.log` are told of with a warning at the open, and left alone.
 */
import type * as ByteSize from "effect/ByteSize"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import type { EntryId } from "./EntryId.ts"
import * as EntryLogError from "./EntryLogError.ts"
import { acquire, type OpenDirectory } from "./internal/acquire.ts"
import { resolve, type Settings } from "./internal/options.ts"
import { reading } from "./internal/reading.ts"
import type { Statistics } from "./internal/Statistics.ts"
import { writing } from "./internal/writing.ts"
import type { LedgerId } from "./LedgerId.ts"
import type { Location } from "./Location.ts"

export type { Statistics } from "./internal/Statistics.ts"

/** An entry of a ledger. */
export interface Entry {
  readonly ledgerId: LedgerId
  readonly entryId: EntryId
  readonly payload: Uint8Array
}

/** An entry, and where it is. */
export interface LocatedEntry extends Entry {
  readonly location: Location
}

/** The options of a scan. */
export interface ScanOptions {
  /** The id of the first log to scan. Default: 0. */
  readonly fromLog?: number | undefined
  /** Whether to read the payloads too; without, they are empty. Default: true. */
  readonly payloads?: boolean | undefined
  /**
   * Whether to pass over damage, and logs that cannot be read, where a scan fails otherwise: it goes on with the next
   * bytes that can be read as entries. Default: false.
   */
  readonly salvage?: boolean | undefined
  /** Is told of what `salvage` passes over, before the entries that follow. Default: a warning is logged. */
  readonly onPassedOver?: ((passedOver: PassedOver) => Effect.Effect<void>) | undefined
}

/** What a scan with `salvage` has passed over. */
export interface PassedOver {
  /** The path of the log. */
  readonly file: string
  /** The first byte that was passed over. */
  readonly from: number
  /** How many bytes; 0 where all could be read, and yet the log should have held something else. */
  readonly bytes: number
  /** What is wrong with them. */
  readonly why: string
}

/** A place in the logs, between two frames: a log, and the byte at which the next frame begins with its size. */
export interface LogPosition {
  readonly logId: number
  readonly position: number
}

/**
 * An entry or a record as it stands in a log. A record has the ledger id -1 and an entry id of its writer's choice. The
 * next frame begins at the position of this one's location plus its size.
 */
export interface Frame {
  readonly ledgerId: bigint
  readonly entryId: bigint
  readonly location: Location
  /** Of the body, in bytes. */
  readonly size: number
  /** Ledger id, entry id and payload, as they are on disk; empty without payloads. */
  readonly body: Uint8Array
}

/** The options of a scan of frames. */
export interface FrameScanOptions extends Omit<ScanOptions, "fromLog"> {
  /**
   * Where to begin: at the location of a frame, or at a place between two. If its log is not there, at the beginning of
   * the one after; if the log ends before it, the scan fails with `Corruption`. Default: the first log.
   */
  readonly from?: Location | LogPosition | undefined
  /** The id of the last log to scan. Default: the last one there is. */
  readonly toLog?: number | undefined
}

/** An entry to read, and where it should be. */
export interface EntryKey {
  readonly ledgerId: LedgerId
  readonly entryId: EntryId
  readonly location: Location
}

/** The records that a log with an id begins with, as frames of ledger -1; the same ones whenever it is asked. */
export interface Preamble {
  (logId: number): Uint8Array
}

/** The size of a log, and what it is. */
export interface LogSummary extends Pick<LogFile, "id" | "size" | "sealed"> {
  /** Whether it is being written here. Such a log cannot be removed. */
  readonly writing: boolean
}

/** Ledgers of a log, and how many bytes each takes up in it, size fields included. */
export interface LedgerColumns {
  readonly ledgerIds: BigInt64Array
  readonly bytes: Float64Array
}

/** Writes to logs of its own, beside those of the entry log, as for copies. */
export interface Writer {
  /** As that of the entry log. */
  readonly appendFrames: (frames: Uint8Array) => Effect.Effect<BigInt64Array, EntryLogError.EntryLogError>
  /** Brings what this writer has appended to disk. Once it has failed, every later call fails with the same error. */
  readonly sync: Effect.Effect<void, EntryLogError.EntryLogError>
  /** Seals its log and brings it to disk. The next append goes to a new one. */
  readonly rollOver: Effect.Effect<void, EntryLogError.EntryLogError>
}

/** An entry log file. */
export interface LogFile {
  readonly id: number
  /** In bytes. */
  readonly size: number
  /** Whether the log was rolled over, and ends with its ledgers map. */
  readonly sealed: boolean
  /** How many bytes each ledger takes up in the log, size fields included. */
  readonly ledgers: ReadonlyMap<LedgerId, number>
}

/** How to open a directory of entry logs. */
export interface Options {
  /** The directory of the logs. It is created unless `readOnly`. */
  readonly directory: string
  /**
   * A log is rolled over before its entries take it past this size, at most 2 GiB - 1. An entry that no such log has
   * room for gets one of its own. Default: 1 GiB.
   */
  readonly maxLogSize?: ByteSize.Input | undefined
  /**
   * The largest entry, its ids (16 bytes) included, at most 2 GiB - 1: a larger one is not written, and is corruption
   * where it is read.
   * Default: 5121 KiB, a little more than the 5 MiB of BookKeeper.
   */
  readonly maxEntrySize?: ByteSize.Input | undefined
  /** Reads what another one writes: takes no lock, creates and changes nothing. Default: false. */
  readonly readOnly?: boolean | undefined
  /** Records to begin each new log with, such as whose it is: they stand there as soon as it does. Default: none. */
  readonly preamble?: Preamble | undefined
}

/** A directory of entry logs. */
export interface Service {
  /** The directory of the logs, absolute. */
  readonly directory: string
  /** The largest entry, its ids (16 bytes) included, in bytes. */
  readonly maxEntrySize: number
  /** Counts of what has been appended, synced and read, which `EntryLogMetrics` turns into metrics. */
  readonly statistics: Statistics
  /**
   * Appends an entry and answers where it is. `InvalidArgument` if it is larger than an entry may be. The payload
   * must not change before the append has been acknowledged.
   */
  readonly append: (
    ledgerId: LedgerId,
    entryId: EntryId,
    payload: Uint8Array
  ) => Effect.Effect<Location, EntryLogError.EntryLogError>
  /**
   * Appends entries in their order and answers their locations in that order. The array is read when the effect
   * runs; with an entry that is invalid then, none is appended. If it fails otherwise, or because a payload has changed
   * while it waited, some of them may stand in the logs; appending all of them again is safe, since of an entry that is
   * there twice the latest holds.
   *
   * @example
   * ```ts
   * import { EntryId, EntryLog, LedgerId } from "@effect-bookie/entry-log"
   * import { Console, Effect } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const log = yield* EntryLog.EntryLog
   *   const ledgerId = LedgerId.make(7)
   *   const entries = ["hello", "world"].map((text, id) => ({
   *     ledgerId,
   *     entryId: EntryId.make(id),
   *     payload: new TextEncoder().encode(text)
   *   }))
   *
   *   const [, second] = yield* log.appendAll(entries)
   *   yield* log.sync // on disk: the locations may now be kept
   *   if (second === undefined) return
   *
   *   const payload = yield* log.read(ledgerId, EntryId.make(1), second)
   *   yield* Console.log(new TextDecoder().decode(payload)) // world
   * })
   *
   * await Effect.runPromise(Effect.provide(program, EntryLog.layerTemp()))
   * ```
   */
  readonly appendAll: (
    entries: ReadonlyArray<Entry>
  ) => Effect.Effect<ReadonlyArray<Location>, EntryLogError.EntryLogError>
  /**
   * Appends entries and records that are encoded as they are to stand in the log, one behind the other: int32 size,
   * int64 ledger id, int64 entry id, and so on, big-endian. Answers the location of each. A record has the ledger id -1
   * and any entry id but -2; scans and rebuilds pass over it, as BookKeeper does.
   *
   * They are there all, or none: after a failure nothing of them is left. Where even that fails, every later append and
   * sync does, too, so that nothing comes to stand behind them. A killed process may leave the first ones. They go to
   * one log, if a log has room for them all. `InvalidArgument` where a frame does not hold, or is above `maxEntrySize`.
   * The bytes must not change, nor be transferred, before this has been answered.
   */
  readonly appendFrames: (frames: Uint8Array) => Effect.Effect<BigInt64Array, EntryLogError.EntryLogError>
  /**
   * Brings every entry whose append has been acknowledged to disk; read-only, there is none. Once this has failed,
   * entries may be lost, and every later append and sync fails with the same `IOError`, which is not retryable.
   */
  readonly sync: Effect.Effect<void, EntryLogError.EntryLogError>
  /**
   * The payload of the entry at a location, in memory of its own. `NotFound` if there is no log or no entry there,
   * `WrongEntry` if it is not the one asked for.
   */
  readonly read: (
    ledgerId: LedgerId,
    entryId: EntryId,
    location: Location
  ) => Effect.Effect<Uint8Array, EntryLogError.EntryLogError>
  /**
   * The entries by log id, then position, of the logs that are there when the stream begins and as far as they are
   * written when it comes to them. It fails with `Corruption`, which names the file and the byte, at damage that no
   * crash can have left, and with `Closed` once the entry log is. A torn tail ends only its own log: a log that is not
   * sealed, and in which nothing that can be read as an entry follows. The payloads of one buffer, 256 KiB, share its
   * memory: they cannot be transferred to another thread, and each keeps all of it alive, so copy what you keep or send.
   *
   * @example
   * ```ts
   * import { EntryId, EntryLog, LedgerId } from "@effect-bookie/entry-log"
   * import { Console, Effect, Stream } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const log = yield* EntryLog.EntryLog
   *   for (const id of [0, 1, 2]) yield* log.append(LedgerId.make(7), EntryId.make(id), new Uint8Array(100))
   *
   *   // How many bytes each ledger has, without reading them.
   *   const lengths = new Map<LedgerId.LedgerId, number>()
   *   for (const { ledgers } of yield* log.logs) {
   *     for (const [ledgerId, bytes] of ledgers) lengths.set(ledgerId, (lengths.get(ledgerId) ?? 0) + bytes)
   *   }
   *   yield* Console.log(lengths.get(LedgerId.make(7))) // 360
   *
   *   // Where the entries are, of what can be read of a damaged directory.
   *   const entries = log.scan({
   *     payloads: false,
   *     salvage: true,
   *     onPassedOver: ({ bytes, file, why }) => Effect.logWarning(`${bytes} bytes of ${file}: ${why}`)
   *   })
   *   yield* Console.log(yield* Stream.runCount(entries)) // 3
   * })
   *
   * await Effect.runPromise(Effect.provide(program, EntryLog.layerTemp()))
   * ```
   */
  readonly scan: (options?: ScanOptions | undefined) => Stream.Stream<LocatedEntry, EntryLogError.EntryLogError>
  /**
   * The entries and records from a place on, in the order of a `scan`, and with its promises about damage, torn tails
   * and memory. It begins to hold the ledgers map of a sealed log against its entries with the first log that it reads
   * from its beginning on.
   */
  readonly scanFrames: (options?: FrameScanOptions | undefined) => Stream.Stream<Frame, EntryLogError.EntryLogError>
  /**
   * The bodies of many entries, in the order of the keys: ledger id, entry id and payload, as they are on disk.
   * `undefined` where there is no log, or no such entry at the location; `Corruption` where its size cannot be.
   * Neighbours are read together, and share their memory: copy what you keep or send.
   */
  readonly readBodies: (
    keys: ReadonlyArray<EntryKey>
  ) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, EntryLogError.EntryLogError>
  /**
   * The logs by their ids, each with all of its ledgers in memory. Those that are not sealed are scanned for them.
   */
  readonly logs: Effect.Effect<ReadonlyArray<LogFile>, EntryLogError.EntryLogError>
  /** The logs by their ids, without their ledgers. */
  readonly logSummaries: Effect.Effect<ReadonlyArray<LogSummary>, EntryLogError.EntryLogError>
  /**
   * The ledgers of a log, in parts. Those of a sealed log come from its ledgers map, in the memory of one part, if that
   * holds. Else, and of a log that is not sealed, its entries are scanned, in the memory of its ledgers; `Corruption` if
   * they cannot all be read.
   */
  readonly ledgersOf: (logId: number) => Stream.Stream<LedgerColumns, EntryLogError.EntryLogError>
  /**
   * Seals the log that is being written, if there are entries in it, and brings it to disk. The next append goes to a
   * new one.
   */
  readonly rollOver: Effect.Effect<void, EntryLogError.EntryLogError>
  /**
   * Removes a log that nobody writes to any more, for good. Reads of it under way may fail with `NotFound`, or come
   * through. `NotFound` if it is not there, `InvalidArgument` if it is being written.
   */
  readonly removeLog: (logId: number) => Effect.Effect<void, EntryLogError.EntryLogError>
  /**
   * Makes a writer to logs of its own, whose ids come from the same sequence. Its log is sealed and on disk when the
   * scope closes, and synced at the latest when the entry log is released. Without a preamble its logs begin as the
   * others do.
   */
  readonly makeWriter: (
    options?: { readonly preamble?: Preamble | undefined } | undefined
  ) => Effect.Effect<Writer, EntryLogError.EntryLogError, Scope.Scope>
}

/** The service of a directory of entry logs: `yield* EntryLog.EntryLog` answers a {@link Service}. */
export class EntryLog extends Context.Service<EntryLog, Service>()("@effect-bookie/entry-log/EntryLog") {}

/** Opens a directory of entry logs in the current scope. */
export const make: (options: Options) => Effect.Effect<Service, EntryLogError.EntryLogError, Scope.Scope> = (options) =>
  Effect.suspend(() => resolve(options)).pipe(
    Effect.flatMap((settings) => Effect.map(acquire(settings), (opened) => service(settings, opened)))
  )

/** Provides a directory of entry logs. */
export const layer = (options: Options): Layer.Layer<EntryLog, EntryLogError.EntryLogError> =>
  Layer.effect(EntryLog, make(options))

/**
 * Every option from the environment, or wherever the `ConfigProvider` looks: `ENTRY_LOG_DIRECTORY`,
 * `ENTRY_LOG_MAX_LOG_SIZE="1 GiB"`, `ENTRY_LOG_MAX_ENTRY_SIZE="5121 KiB"` and `ENTRY_LOG_READ_ONLY="false"`. All but the
 * directory may be absent. Each is the option of that name; those of a database, such as `ROCKSDB_READ_ONLY`, do not count
 * here.
 */
export const config: Config.Config<Options> = Config.all({
  directory: Config.NonEmptyString("ENTRY_LOG_DIRECTORY"),
  maxLogSize: optional(Config.ByteSize("ENTRY_LOG_MAX_LOG_SIZE")),
  maxEntrySize: optional(Config.ByteSize("ENTRY_LOG_MAX_ENTRY_SIZE")),
  readOnly: optional(Config.Boolean("ENTRY_LOG_READ_ONLY"))
})

/**
 * Provides a directory whose options come from Effect's Config: by default all of them, as {@link config} reads them.
 *
 * @example
 * ```ts
 * import { EntryLog } from "@effect-bookie/entry-log"
 * import { ConfigProvider, Console, Effect, Layer } from "effect"
 *
 * // In a test: what the environment has otherwise.
 * const EnvironmentTest = ConfigProvider.layer(
 *   ConfigProvider.fromUnknown({ ENTRY_LOG_DIRECTORY: "logs", ENTRY_LOG_MAX_LOG_SIZE: "256 MiB" })
 * )
 *
 * const program = Effect.andThen(EntryLog.EntryLog, ({ directory }) => Console.log(directory.endsWith("/logs"))) // true
 *
 * await Effect.runPromise(Effect.provide(program, Layer.provide(EntryLog.layerConfig(), EnvironmentTest)))
 * ```
 */
export const layerConfig = (
  options: Config.Wrap<Options> = config
): Layer.Layer<EntryLog, EntryLogError.EntryLogError | Config.ConfigError> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))

/** Provides a new directory, which is removed after the entry log has let go of it. For tests. */
export const layerTemp = (
  options?: Omit<Options, "directory"> | undefined
): Layer.Layer<EntryLog, EntryLogError.EntryLogError> =>
  Layer.effect(
    EntryLog,
    Effect.flatMap(temporaryDirectory, (directory) => make({ ...options, directory }))
  )

/** Where a config is absent, so is the option. */
function optional<A>(self: Config.Config<A>): Config.Config<A | undefined> {
  return Config.withDefault(self, undefined)
}

const temporaryDirectory: Effect.Effect<string, EntryLogError.EntryLogError, Scope.Scope> = Effect.acquireRelease(
  Effect.tryPromise({
    try: () => Fs.mkdtemp(Path.join(Os.tmpdir(), "effect-bookie-logs-")),
    catch: (cause) => EntryLogError.fromSystem(cause, { operation: "open", path: Os.tmpdir() })
  }),
  (directory) => Effect.promise(() => Fs.rm(directory, { recursive: true, force: true }))
)

const service = (settings: Settings, opened: OpenDirectory): Service =>
  EntryLog.of({
    directory: settings.directory,
    maxEntrySize: settings.maxEntrySize,
    statistics: opened.statistics,
    ...reading(settings, opened),
    ...writing(settings, opened)
  })
