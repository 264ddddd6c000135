/**
 * Entry logs in, index out: builds the index anew from the entry logs alone.
 *
 * The new index is built beside the old one, in `<database>.rebuild`, checked,
 * and then put in its place in one step. Whatever fails, and whenever the
 * process is killed, `database` is the old index or the new one, whole. What a
 * killed rebuild has left beside it the next one removes.
 *
 * The old index may be missing or corrupt, but it must not be in use: while a
 * rebuild runs, it holds its lock. Of an entry that is in the logs more than
 * once, the one in the latest log, then at the latest position, holds. Logs that
 * are rotten fail the rebuild. Memory is bounded, whatever is in the logs.
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
import { Changes } from "./internal/Changes.ts"
import { LogSizes } from "./internal/LogSizes.ts"
import * as LogSync from "./internal/LogSync.ts"
import * as Store from "./internal/Store.ts"
import * as Verification from "./internal/verification.ts"
import * as Workspace from "./internal/Workspace.ts"

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
  /** The largest entry in the logs; a larger one is corruption. Default: that of `EntryLog`. */
  readonly maxEntrySize?: ByteSize.Input | undefined
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
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    const workspace = yield* Workspace.open(options.database)
    const scan = yield* Effect.scoped(build(options, workspace))
    const { entries, ledgers } = yield* Effect.scoped(check(workspace))
    yield* workspace.install
    const duration = Duration.millis((yield* Clock.currentTimeMillis) - start)
    return { ...scan, entries: BigInt(entries), ledgers, duration }
  }).pipe(
    Effect.scoped,
    // The databases that a rebuild opens are no resources of the application.
    Effect.provideService(Lifecycle.Lifecycle, () => Effect.void),
    Effect.withSpan("IndexRebuild.rebuild", {
      attributes: { database: options.database, entryLogs: options.entryLogs }
    })
  )

/** How many entries share a commit. */
const batchSize = 100_000

const build: (
  options: Options,
  workspace: Workspace.Workspace
) => Effect.Effect<
  Pick<RebuildSummary, "scanned" | "excluded" | "logs" | "bytes">,
  RocksDBError.RocksDBError | EntryLogError.EntryLogError,
  Scope.Scope | Engine.Engine
> = Effect.fnUntraced(function* (options: Options, { path }: Workspace.Workspace) {
  const { directory, maxEntrySize } = { directory: options.entryLogs, maxEntrySize: options.maxEntrySize }
  const entryLog = yield* EntryLog.make({ directory, maxEntrySize, readOnly: true })
  const logSizes = yield* LogSizes.read(entryLog.directory)
  const database = yield* RocksDB.make({ path })
  const store = yield* Store.open(database, sizes)
  const includes = options.includes ?? (() => true)
  const onProgress = options.onProgress ?? (() => Effect.void)
  let scanned = 0
  let excluded = 0
  let changes = new Changes()
  const commit = (bytes: number) =>
    Effect.suspend(() => {
      const taken = changes
      changes = new Changes()
      return Effect.andThen(store.commit(taken, "buffered"), onProgress({ scanned, bytes, totalBytes: logSizes.total }))
    })
  yield* Stream.runForEachArray(entryLog.scan({ payloads: false }), (entries) => {
    for (const { entryId, ledgerId, location } of entries) {
      scanned += 1
      if (includes(ledgerId)) changes.add(ledgerId, entryId, location)
      else excluded += 1
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
  return { scanned, excluded, logs: logSizes.count, bytes: logSizes.total }
})

const sizes: Store.Sizes = { pageCache: 64 * 1024 * 1024, writeBuffer: 128 * 1024 * 1024 }

const check = ({ path }: Workspace.Workspace) =>
  Effect.flatMap(RocksDB.make({ path, readOnly: true }), Verification.verify)
