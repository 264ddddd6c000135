/**
 * Entry logs in, index out: builds the index anew from the entry logs alone.
 *
 * The new index is built beside the old one, in `<database>.rebuild`, checked,
 * and then put in its place in one step. Whatever fails, and whenever the
 * process is killed, `database` is the old index or the new one, whole. What a
 * killed rebuild has left beside it the next one removes, and nothing else.
 *
 * - The old index may be missing or corrupt, but it must not be in use: it is
 *   locked for as long as a rebuild runs. What is no index of this package is not
 *   replaced: coming from BookKeeper, build the index into a directory of its own.
 *   A database that cannot be read is one if it has a file `INDEX`, or if
 *   `overwrite: true` says so; what others kept in it goes with it.
 * - Of an entry that is in the logs more than once, the one in the latest log, then
 *   at the latest position, holds.
 * - It never replaces an index by one that lost what the logs should hold. Damage
 *   that no crash can have left in a log, or no log at all beside an index with
 *   entries, fails it. `salvage: true` takes what is left, and the summary says what
 *   was passed over.
 * - What cannot be finished is refused before the work: a database that is a mount
 *   point, a file system that does not exchange directories, a disk with less room
 *   than the smallest index of so many entries takes.
 * - Memory is bounded, whatever is in the logs.
 *
 * What BookKeeper's format cannot tell no rebuild notices: it has no checksums, so
 * in a log that is not sealed an id may have become another, or a size that of
 * exactly two entries.
 *
 * **Example**
 *
 * ```ts
 * import { IndexRebuild } from "@effect-bookie/entry-location-index"
 * import { Console } from "effect"
 *
 * const program = IndexRebuild.rebuild({
 *   entryLogs: "/var/bookie/logs",
 *   database: "/var/bookie/index",
 *   includes: (ledgerId) => ledgerId !== 7n,
 *   onProgress: ({ bytes, totalBytes }) => Console.log(`${bytes} of ${totalBytes} bytes`)
 * })
 * ```
 */
import { EntryLog, type EntryLogError, type LedgerId } from "@effect-bookie/entry-log"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { type Engine, NativeEngine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import type * as ByteSize from "effect/ByteSize"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { WriteBatch } from "./internal/WriteBatch.ts"
import { LogSizes } from "./internal/rebuild/LogSizes.ts"
import * as LogSync from "./internal/rebuild/LogSync.ts"
import * as PreviousIndex from "./internal/rebuild/PreviousIndex.ts"
import * as RebuildErrors from "./internal/rebuild/errors.ts"
import { resolve, type Settings } from "./internal/rebuild/options.ts"
import * as RoomEstimate from "./internal/rebuild/RoomEstimate.ts"
import * as Store from "./internal/Store.ts"
import * as TargetDirectory from "./internal/rebuild/TargetDirectory.ts"
import * as Verification from "./internal/rebuild/verification.ts"
import * as Workspace from "./internal/rebuild/Workspace.ts"

/** What to rebuild, and from what. */
export interface Options {
  /** The directory of the entry logs. They are only read, and brought to disk. */
  readonly entryLogs: string
  /** The directory of the database that the index is in, or is to be in. */
  readonly database: string
  /**
   * Which ledgers exist. Entry logs keep the entries of deleted ledgers for a time, so without this those come back.
   * Default: all.
   */
  readonly includes?: ((ledgerId: LedgerId.LedgerId) => boolean) | undefined
  /** Is told how far the scan of the logs is, every so many entries and at its end. */
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
  /**
   * The largest entry in the logs; a larger one is corruption. Default: that of `EntryLog`. Give what the writer of the
   * logs was allowed, which in BookKeeper is its largest frame.
   */
  readonly maxEntrySize?: ByteSize.Input | undefined
  /**
   * Whether to take what is left of damaged logs, and of none, where a rebuild fails otherwise. `passedOver` in the
   * summary says what is missing. Default: false.
   */
  readonly salvage?: boolean | undefined
  /**
   * Whether to replace also a database of this engine that cannot be read, and of which nothing says that it was an index:
   * no file `INDEX`, which an index leaves beside its database at its first write. Default: false.
   */
  readonly overwrite?: boolean | undefined
}

/** How far a rebuild is. */
export interface Progress {
  /** How many entries have been found in the logs, left out and superseded ones included. */
  readonly scanned: number
  /** How many bytes of the logs have been scanned. */
  readonly bytes: number
  /** How many bytes the logs had when the rebuild began. */
  readonly totalBytes: number
}

/** What a rebuild has made. */
export interface RebuildSummary {
  /** How many entries the index has. */
  readonly entries: bigint
  /** How many ledgers they are of. */
  readonly ledgers: number
  /** How many entries were found in the logs. */
  readonly scanned: number
  /** How many of those were left out, because their ledger is not included. */
  readonly excluded: number
  /** How many logs there were. */
  readonly logs: number
  /** How many bytes the logs had. */
  readonly bytes: number
  /**
   * How many entries the old index had that the new one has not, also those of ledgers that are not included; 0 if there
   * was none, `undefined` if it could not be read.
   */
  readonly lost: bigint | undefined
  /** What `salvage` has passed over in the logs: the first 1000 places. */
  readonly passedOver: ReadonlyArray<EntryLog.PassedOver>
  /** How many bytes it has passed over in all places. */
  readonly passedOverBytes: number
  readonly duration: Duration.Duration
}

/** Builds the index anew, with the default engine. */
export const rebuild = (
  options: Options
): Effect.Effect<RebuildSummary, RocksDBError.RocksDBError | EntryLogError.EntryLogError> =>
  Effect.provide(rebuildWithoutEngine(options), NativeEngine.layer)

/** Builds the index anew, with the engine of the context. */
export const rebuildWithoutEngine = (
  options: Options
): Effect.Effect<RebuildSummary, RocksDBError.RocksDBError | EntryLogError.EntryLogError, Engine.Engine> =>
  Effect.flatMap(resolve(options), (settings) =>
    run(settings).pipe(
      Effect.scoped,
      // The databases that a rebuild opens are no resources of the application.
      Effect.provideService(Lifecycle.Lifecycle, () => Effect.void),
      Effect.withSpan("IndexRebuild.rebuild", {
        attributes: { database: settings.database, entryLogs: settings.entryLogs }
      })
    )
  )

const run = Effect.fnUntraced(function* (settings: Settings) {
  const start = yield* Clock.currentTimeMillis
  const { entryLogs, maxEntrySize } = settings
  const entryLog = yield* EntryLog.make({ directory: entryLogs, maxEntrySize, readOnly: true })
  const target = yield* TargetDirectory.open(settings, entryLog.directory)
  const logSizes = yield* LogSizes.read(entryLog.directory, settings.salvage)
  yield* refuseNothing("entry log", logSizes.count, settings, target)
  const workspace = yield* Workspace.open(target.path)
  yield* refuseTooLittleRoom(settings, entryLog, logSizes, workspace)
  const scan = yield* Effect.scoped(build(settings, entryLog, logSizes, workspace))
  yield* refuseNothing("entry", scan.scanned, settings, target)
  const found = yield* Effect.scoped(check(workspace, target))
  yield* target.install(workspace.path)
  const duration = Duration.millis((yield* Clock.currentTimeMillis) - start)
  return { ...scan, ...found, duration }
})

/** Fails if there is nothing to build an index from, beside one that may have entries. */
const refuseNothing = Effect.fnUntraced(function* (
  what: "entry log" | "entry",
  count: number,
  { entryLogs, salvage }: Settings,
  { hasDatabase, path }: TargetDirectory.TargetDirectory
) {
  if (count > 0 || salvage || !hasDatabase) return
  const previous = yield* Effect.scoped(PreviousIndex.read(path))
  const entries = previous?.entries
  if (entries !== 0n) yield* Effect.fail(RebuildErrors.nothingToRead(what, entryLogs, { database: path, entries }))
})

/** Fails if the smallest index of so many entries has no room. */
const refuseTooLittleRoom = Effect.fnUntraced(function* (
  { includes }: Settings,
  entryLog: EntryLog.EntryLog["Service"],
  logSizes: LogSizes,
  { directory }: Workspace.Workspace
) {
  const { entries, size } = yield* RoomEstimate.estimate(entryLog, logSizes, includes)
  const free = yield* RebuildErrors.attempt(directory, () => RoomEstimate.free(directory))
  if (size > free) yield* Effect.fail(RebuildErrors.noRoom(directory, { needed: size, free, entries }))
})

/** How many entries share a commit. */
const batchSize = 100_000

/** How many places of damage are told of. */
const mostPlaces = 1000

const build: (
  settings: Settings,
  entryLog: EntryLog.EntryLog["Service"],
  logSizes: LogSizes,
  workspace: Workspace.Workspace
) => Effect.Effect<
  Pick<RebuildSummary, "scanned" | "excluded" | "logs" | "bytes" | "passedOver" | "passedOverBytes">,
  RocksDBError.RocksDBError | EntryLogError.EntryLogError,
  Scope.Scope | Engine.Engine
> = Effect.fnUntraced(function* (
  { includes, onProgress, salvage }: Settings,
  entryLog: EntryLog.EntryLog["Service"],
  logSizes: LogSizes,
  { path }: Workspace.Workspace
) {
  const database = yield* RocksDB.make({ path, writeBufferSize: writeBufferSize(logSizes.total) })
  const store = yield* Store.open(database, sizes)
  const passedOver: Array<EntryLog.PassedOver> = []
  let passedOverBytes = 0
  let scanned = 0
  let excluded = 0
  let changes = new WriteBatch()
  const commit = (bytes: number) =>
    Effect.suspend(() => {
      const taken = changes
      changes = new WriteBatch()
      return Effect.andThen(store.commit(taken, "buffered"), onProgress({ scanned, bytes, totalBytes: logSizes.total }))
    })
  const onPassedOver = (damage: EntryLog.PassedOver) =>
    Effect.sync(() => {
      passedOverBytes += damage.bytes
      if (passedOver.length < mostPlaces) passedOver.push(damage)
    })
  yield* Stream.runForEachArray(entryLog.scan({ payloads: false, salvage, onPassedOver }), (entries) => {
    for (const { entryId, ledgerId, location } of entries) {
      scanned += 1
      const isIncluded = includes(ledgerId)
      if (isIncluded === true) changes.add(ledgerId, entryId, location)
      else if (isIncluded === false) excluded += 1
      else return Effect.fail(RebuildErrors.badIncludes(isIncluded, path))
    }
    const last = entries.at(-1)
    return changes.size < batchSize || last === undefined ? Effect.void : commit(logSizes.upTo(last.location))
  })
  yield* commit(logSizes.total)
  yield* store.flush
  // It only saves room, so one that has not enough of it is left out.
  yield* Effect.catchReason(database.compact(), "RocksDBError", "NoSpace", ({ message }) => Effect.logDebug(message))
  yield* database.syncWal
  yield* LogSync.sync(entryLog.directory)
  return { scanned, excluded, logs: logSizes.count, bytes: logSizes.total, passedOver, passedOverBytes }
})

/** RocksDB provides an eighth of it at once, which takes longer than all else where the logs are small. */
const writeBufferSize = (bytes: number): number => Math.min(64, 1 + Math.ceil(bytes / mebibyte)) * mebibyte

const mebibyte = 1024 * 1024

const sizes: Store.Sizes = { pageCache: 64 * 1024 * 1024, memtables: 128 * 1024 * 1024 }

/** Checks the new index, and counts what the old one had and it has not. */
const check = Effect.fnUntraced(function* (
  workspace: Workspace.Workspace,
  { hasDatabase, path }: TargetDirectory.TargetDirectory
) {
  const database = yield* RocksDB.make({ path: workspace.path, readOnly: true })
  const previous = hasDatabase ? yield* PreviousIndex.read(path) : undefined
  let common: number | undefined = 0
  const count: Verification.Look = (pages) =>
    previous === undefined || common === undefined || previous.entries === 0n
      ? Effect.void
      : Effect.match(previous.count(pages), {
          onSuccess: (found) => {
            if (common !== undefined) common += found
          },
          // It is replaced all the same.
          onFailure: () => {
            common = undefined
          }
        })
  const { entries, ledgers } = yield* Verification.verify(database, count)
  const before = hasDatabase ? previous?.entries : 0n
  const lost = before === undefined || common === undefined ? undefined : before - BigInt(common)
  return { entries: BigInt(entries), ledgers, lost }
})
