/**
 * The directory of the database that a rebuild replaces, from before the work
 * until the one step that puts the new database in its place.
 *
 * - One that cannot be replaced is refused before anything in it changes: no
 *   directory, a link that leads nowhere, a directory with other things in it, one
 *   that the entry logs are in, a mount point, a database that is no index.
 * - It is locked, so that nobody opens it meanwhile, and whoever has it open is
 *   `Locked` to the rebuild: by the lock of its owner, and by RocksDB's own, which
 *   is the one that other programs know.
 * - `install` exchanges it for the new one with one system call, so at any moment
 *   the path is that of one of them, whole.
 */
import { DirectoryLock, type Engine, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Stats } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as DatabaseFiles from "./databaseFiles.ts"
import * as FileLock from "./FileLock.ts"
import * as PreviousIndex from "./PreviousIndex.ts"
import * as RebuildErrors from "./errors.ts"
import type { Settings } from "./options.ts"
import { syncDirectory } from "./syncDirectory.ts"
import { ifCode } from "./systemErrors.ts"
import * as Workspace from "./Workspace.ts"

/** A directory that is to be replaced, or made. */
export interface TargetDirectory {
  /** Without symbolic links. */
  readonly path: string
  /** Whether there is a database in it. */
  readonly hasDatabase: boolean
  /** Puts a database, closed by now, in its place. */
  readonly install: (path: string) => Effect.Effect<void, RocksDBError.RocksDBError>
}

/** Finds and locks the directory of a database in the current scope. */
export const open: (
  settings: Settings,
  entryLogs: string
) => Effect.Effect<TargetDirectory, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> = Effect.fnUntraced(
  function* ({ database, overwrite }: Settings, entryLogs: string) {
    const found = yield* RebuildErrors.attempt(database, () => find(database, entryLogs))
    const { names, path } = found
    const isMarked = DatabaseFiles.isMarked(names)
    const hasDatabase = DatabaseFiles.hasDatabase(names)
    // Nothing is put beside the files of another program, not even a lock.
    const marks = { isMarked, isIndex: isMarked && (overwrite || DatabaseFiles.isIndex(names)) }
    if (hasDatabase && !isMarked) yield* PreviousIndex.check(path, marks)
    const lock = found.stat === undefined ? undefined : yield* DirectoryLock.acquire(path, "rebuild")
    if (lock !== undefined) yield* RebuildErrors.attempt(path, () => RebuildErrors.refuseMountPoint(path))
    if (hasDatabase) yield* holdRocksDB(path)
    if (hasDatabase && isMarked) yield* PreviousIndex.check(path, marks)
    const install = (from: string) =>
      Effect.andThen(
        lock?.check ?? Effect.void,
        RebuildErrors.attempt(path, () => putInPlace(from, { ...found, hasDatabase }))
      )
    return { path, hasDatabase, install }
  }
)

interface Found {
  readonly path: string
  /** `undefined` if there is nothing at the path. */
  readonly stat: Stats | undefined
  readonly names: ReadonlyArray<string>
}

/** Finds what is at the path of a database, or rejects if that cannot be replaced. Its parent is created if it is missing. */
const find = async (database: string, entryLogs: string): Promise<Found> => {
  const path = await locate(Path.resolve(database))
  const logs = await Fs.realpath(entryLogs)
  for (const taken of [path, Workspace.pathOf(path)]) {
    if (isWithin(logs, taken)) {
      throw RebuildErrors.irreplaceable(path, `cannot be replaced, because the entry logs are in ${taken}`)
    }
  }
  const stat = await Fs.stat(path).catch(ifCode(undefined, "ENOENT"))
  if (stat === undefined) return { path, stat, names: [] }
  if (!stat.isDirectory()) throw RebuildErrors.irreplaceable(path, "is no directory: name another one")
  const names = await Fs.readdir(path)
  const stranger = DatabaseFiles.strangerAmong(names)
  if (stranger !== undefined) {
    const why = DatabaseFiles.hasDatabase(names)
      ? `has something in it that is no part of a database, ${stranger}, which would go with it: move that away`
      : "is not empty, and not a database: name another directory"
    throw RebuildErrors.irreplaceable(path, why)
  }
  return { path, stat, names }
}

/** The path without symbolic links. */
const locate = async (path: string): Promise<string> => {
  const parent = Path.dirname(path)
  if (parent === path) throw RebuildErrors.irreplaceable(path, "is a root directory: name another one")
  await Fs.mkdir(parent, { recursive: true })
  const target = await Fs.realpath(path).catch(ifCode(undefined, "ENOENT"))
  if (target !== undefined) return target
  const link = await Fs.lstat(path).catch(ifCode(undefined, "ENOENT"))
  if (link !== undefined) throw RebuildErrors.irreplaceable(path, "is a symbolic link that leads nowhere")
  return Path.join(await Fs.realpath(parent), Path.basename(path))
}

const isWithin = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory + Path.sep)

/** Holds RocksDB's own lock. RocksDB itself cannot, since it deletes files by their paths when it closes. */
const holdRocksDB = (path: string): Effect.Effect<void, RocksDBError.RocksDBError, Scope.Scope> =>
  Effect.acquireRelease(
    RebuildErrors.attempt(path, async () => {
      const lock = await FileLock.take(Path.join(path, "LOCK"))
      if (lock === undefined) throw RebuildErrors.locked(path, "another program has it open")
      return lock
    }),
    (lock) => Effect.promise(lock.release)
  )

const putInPlace = async (from: string, target: Found & { readonly hasDatabase: boolean }): Promise<void> => {
  const { hasDatabase, path, stat } = target
  if (stat !== undefined) await takeOver(from, stat)
  await syncDirectory(from)
  if (hasDatabase) {
    await FileLock.native.swap(from, path).catch((cause: unknown) => {
      throw RebuildErrors.cannotExchange(path, cause)
    })
  } else {
    await Fs.rm(Path.join(path, DirectoryLock.fileName), { force: true })
    await Fs.rename(from, path).catch((cause: unknown) => {
      ifCode(undefined, "ENOTEMPTY", "EEXIST")(cause)
      throw RebuildErrors.locked(path, "it was made while the new one was built")
    })
  }
  await syncDirectory(Path.dirname(path))
  await syncDirectory(Path.dirname(from))
}

/** Gives a database to those whom the directory that it replaces belongs to. */
const takeOver = async (from: string, { gid, mode, uid }: Stats): Promise<void> => {
  const isOthers = process.getuid?.() === 0 && (uid !== 0 || gid !== 0)
  if (isOthers) {
    for (const name of await Fs.readdir(from)) await Fs.chown(Path.join(from, name), uid, gid)
    await Fs.chown(from, uid, gid)
  }
  await Fs.chmod(from, mode & 0o7777)
}
