/**
 * Makes the index of a storage anew, from its logs alone.
 *
 * It is made beside the one that is there, and takes its place by a rename once
 * it is complete and on disk. Killed between, the storage has no index, which its
 * next open tells, and another rebuild makes. The lock of the logs keeps owners
 * away meanwhile.
 */
import * as EntryLocationIndex from "@effect-bookie/entry-location-index/EntryLocationIndex"
import * as EntryLog from "@effect-bookie/entry-log/EntryLog"
import * as RocksDB from "@effect-bookie/rocksdb/RocksDB"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import type { RebuildOptions, RebuildSummary } from "../../LedgerStorage.ts"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import { above, fromBelow } from "../disk/below.ts"
import * as Catalog from "../disk/Catalog.ts"
import { Pending } from "../disk/Pending.ts"
import * as Recovery from "../disk/Recovery.ts"
import { Replay } from "../disk/Replay.ts"
import { StoredEntries } from "../disk/StoredEntries.ts"
import { syncLogs } from "../disk/syncLogs.ts"
import { LedgerIds } from "../LedgerIds.ts"

type Answer<A> = Effect.Effect<A, LedgerStorageError.LedgerStorageError>

/** Rebuilds the index of the storage below a directory. */
export const rebuild = (options: RebuildOptions): Answer<RebuildSummary> =>
  Effect.gen(function* () {
    const { directory, maxEntrySize } = options
    const where = { operation: "rebuild", storage: directory }
    const logs = Path.join(directory, "logs")
    // To open logs for writing would make them.
    yield* attempt(where, () => Fs.access(logs))
    const entryLog = yield* above(where)(EntryLog.make({ directory: logs, maxEntrySize }))
    const beside = Path.join(directory, "index.rebuilding")
    yield* attempt(where, () => Fs.rm(beside, { recursive: true, force: true }))
    const index = Layer.provide(EntryLocationIndex.layer(), RocksDB.layer({ path: beside })).pipe(
      Layer.catch((error) => Layer.effectContext(Effect.fail(fromBelow(error, where))))
    )
    const summary = yield* Effect.provide(fill(options, entryLog, where), index, { local: true })
    yield* Effect.uninterruptible(attempt(where, () => swap(directory, beside)))
    return summary
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) => LedgerStorageError.inOperation(error, "rebuild"))
  )

/** Fills the index of the context from the logs. */
const fill = (
  { directory, onProgress }: RebuildOptions,
  entryLog: EntryLog.EntryLog["Service"],
  where: LedgerStorageError.Where
): Effect.Effect<RebuildSummary, LedgerStorageError.LedgerStorageError, EntryLocationIndex.EntryLocationIndex> =>
  Effect.gen(function* () {
    const index = yield* EntryLocationIndex.EntryLocationIndex
    const catalog = new Catalog.Catalog(index, directory)
    const stored = new StoredEntries({ storage: directory, index, entryLog, pending: new Pending() })
    const parts = { storage: directory, entryLog, index, catalog, stored }
    const logs = yield* above(where)(entryLog.logSummaries)
    yield* syncLogs(entryLog.directory, logs, where)
    let storageId: Uint8Array | undefined
    for (const log of logs) storageId ??= yield* Recovery.storageIdOf(parts, log)
    if (storageId === undefined) {
      const problem = `there are no logs of a storage in ${entryLog.directory}`
      return yield* Effect.fail(LedgerStorageError.invalidArgument(problem, where))
    }
    const batch = yield* index.makeBatch
    Catalog.putStore(batch, storageId)
    const replay = new Replay({ ...parts, batch, ledgerIds: new LedgerIds(), mark: Catalog.noMark })
    for (const [number, log] of logs.entries()) {
      yield* Recovery.replayLog(parts, replay, storageId, log)
      if (onProgress !== undefined) yield* onProgress({ logs: number + 1, ofLogs: logs.length })
    }
    yield* replay.finish()
    yield* above(where)(batch.commitWith({ durability: "sync" }))
    const ledgers = yield* Stream.runCount(catalog.ledgers)
    return { ledgers, entries: yield* above(where)(index.entryCount) }
  })

/** Puts the new index in the place of the one that is there. */
const swap = async (directory: string, beside: string): Promise<void> => {
  const index = Path.join(directory, "index")
  const replaced = Path.join(directory, "index.replaced")
  await Fs.rm(replaced, { recursive: true, force: true })
  await Fs.rename(index, replaced).catch((cause: unknown) => {
    if (!isMissing(cause)) throw cause
  })
  await Fs.rename(beside, index)
  const names = await Fs.open(directory, "r")
  await names.sync().finally(() => names.close())
  await Fs.rm(replaced, { recursive: true, force: true })
}

const isMissing = (cause: unknown): boolean => Predicate.hasProperty(cause, "code") && cause.code === "ENOENT"

const attempt = <A>(where: LedgerStorageError.Where, run: () => Promise<A>): Answer<A> =>
  Effect.tryPromise({ try: run, catch: (cause) => LedgerStorageError.fromSystem(cause, where) })
