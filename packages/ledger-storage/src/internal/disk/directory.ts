/**
 * A storage below one directory: its entry logs in `logs`, its index in `index`.
 *
 * Acquired in this order: database, entry logs, index; and released in the
 * opposite one, after the storage.
 */
import * as EntryLocationIndex from "@effect-bookie/entry-location-index/EntryLocationIndex"
import * as EntryLog from "@effect-bookie/entry-log/EntryLog"
import * as RocksDB from "@effect-bookie/rocksdb/RocksDB"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import type { DirectoryOptions } from "../../LedgerStorage.ts"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import { fromBelow } from "./below.ts"

type Error = LedgerStorageError.LedgerStorageError

/** Provides the entry logs and the index below a directory. */
export const parts = ({
  directory,
  maxEntrySize,
  maxLogSize
}: DirectoryOptions): Layer.Layer<EntryLog.EntryLog | EntryLocationIndex.EntryLocationIndex, Error> => {
  const where = { operation: "open", storage: directory }
  return EntryLocationIndex.layer().pipe(
    Layer.provideMerge(EntryLog.layer({ directory: Path.join(directory, "logs"), maxLogSize, maxEntrySize })),
    Layer.provide(RocksDB.layer({ path: Path.join(directory, "index") })),
    Layer.provide(Layer.effectDiscard(create(directory, where))),
    Layer.catch((error) =>
      Layer.effectContext(Effect.fail(error._tag === "LedgerStorageError" ? error : fromBelow(error, where)))
    )
  )
}

/** A new directory, which is removed when the scope closes. */
export const temporary: Effect.Effect<string, Error, Scope.Scope> = Effect.acquireRelease(
  Effect.tryPromise({
    try: () => Fs.mkdtemp(Path.join(Os.tmpdir(), "effect-bookie-storage-")),
    catch: (cause) => LedgerStorageError.fromSystem(cause, { operation: "open", storage: Os.tmpdir() })
  }),
  (directory) => Effect.promise(() => Fs.rm(directory, { recursive: true, force: true }))
)

const create = (directory: string, where: LedgerStorageError.Where): Effect.Effect<void, Error> =>
  Effect.tryPromise({
    try: () => Fs.mkdir(directory, { recursive: true }),
    catch: (cause) => LedgerStorageError.fromSystem(cause, where)
  })
