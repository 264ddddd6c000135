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
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import type { EntryId } from "./EntryId.ts"
import * as EntryLogError from "./EntryLogError.ts"
import { acquire, type OpenDirectory } from "./internal/acquire.ts"
import * as Arguments from "./internal/arguments.ts"
import { Scan } from "./internal/Logs.ts"
import { resolve, type Settings } from "./internal/options.ts"
import type { Statistics } from "./internal/Statistics.ts"
import { readEntry } from "./internal/readEntry.ts"
import { take } from "./internal/refusal.ts"
import type { LedgerId } from "./LedgerId.ts"
import type { Location } from "./Location.ts"

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
}

/** A directory of entry logs. */
export interface Service {
  /** The directory of the logs, absolute. */
  readonly directory: string
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
   */
  readonly appendAll: (
    entries: ReadonlyArray<Entry>
  ) => Effect.Effect<ReadonlyArray<Location>, EntryLogError.EntryLogError>
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
   */
  readonly scan: (options?: ScanOptions | undefined) => Stream.Stream<LocatedEntry, EntryLogError.EntryLogError>
  /** The logs by their ids. Those that are not sealed are scanned for their ledgers. */
  readonly logs: Effect.Effect<ReadonlyArray<LogFile>, EntryLogError.EntryLogError>
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
 * `ENTRY_LOG_MAX_LOG_SIZE="1 GiB"`, `ENTRY_LOG_MAX_ENTRY_SIZE` and `ENTRY_LOG_READ_ONLY`. All but the directory may be
 * absent.
 */
export const config: Config.Config<Options> = Config.all({
  directory: Config.NonEmptyString("ENTRY_LOG_DIRECTORY"),
  maxLogSize: optional(Config.ByteSize("ENTRY_LOG_MAX_LOG_SIZE")),
  maxEntrySize: optional(Config.ByteSize("ENTRY_LOG_MAX_ENTRY_SIZE")),
  readOnly: optional(Config.Boolean("ENTRY_LOG_READ_ONLY"))
})

/** Provides a directory whose options come from Effect's Config: by default all of them, as {@link config} reads them. */
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

const service = (settings: Settings, opened: OpenDirectory): Service => {
  const { appender, descriptors, logs, operations } = opened
  const { directory } = settings

  const append = (
    where: EntryLogError.Where,
    read: () => ReadonlyArray<Arguments.Addition>
  ): Effect.Effect<ReadonlyArray<Location>, EntryLogError.EntryLogError> =>
    operations.run(where.operation, () => {
      const additions = take(where, read)
      if (appender === undefined) throw EntryLogError.readOnly(where)
      return appender.append(additions)
    })
  const ofOne = { operation: "append", path: directory }
  const ofAll = { operation: "appendAll", path: directory }

  return EntryLog.of({
    directory,
    statistics: opened.statistics,
    append: (ledgerId, entryId, payload) =>
      Effect.map(
        append(ofOne, () => [Arguments.addition(ledgerId, entryId, payload, settings)]),
        onlyLocation
      ),
    appendAll: (entries) => append(ofAll, () => Arguments.additions(entries, settings)),
    sync: operations.run("sync", () => appender?.sync() ?? Promise.resolve()),
    read: (ledgerId, entryId, location) =>
      operations.run("read", () => {
        take({ operation: "read", path: directory }, () => Arguments.checkRead(ledgerId, entryId, location))
        return readEntry(settings, descriptors, ledgerId, entryId, location)
      }),
    scan: (options) =>
      Stream.fromPull(
        Effect.map(
          operations.run("scan", async () => {
            return take({ operation: "scan", path: directory }, () => Arguments.scanSettings(options))
          }),
          (settings) => {
            const scan = new Scan(logs, settings)
            const next = Effect.tap(
              operations.run("scan", () => scan.next()),
              ({ passedOver }) => Effect.forEach(passedOver, settings.onPassedOver ?? warn, { discard: true })
            )
            return Effect.flatMap(next, ({ entries }) => (isNonEmpty(entries) ? Effect.succeed(entries) : Cause.done()))
          }
        )
      ),
    logs: operations.run("logs", () => logs.files())
  })
}

const warn = ({ bytes, file, from, why }: PassedOver): Effect.Effect<void> =>
  Effect.logWarning(`Passed over ${bytes} bytes of ${file}, from byte ${from} on: ${why}`)

const onlyLocation = (locations: ReadonlyArray<Location>): Location => {
  const location = locations[0]
  if (location === undefined) throw new Error("an append of one entry answered no location")
  return location
}

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is readonly [A, ...Array<A>] => values.length > 0
