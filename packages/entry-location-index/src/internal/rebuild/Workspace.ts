/**
 * The directory beside a database in which its successor is built:
 * `<database>.rebuild`, with a file `lock`, the new database in `index`, and for
 * a moment a directory `probe`.
 *
 * - One that a killed rebuild has left is used again; one that another rebuild
 *   works in is `Locked`. It is recognised by what stands in `lock`, or, if the
 *   rebuild was killed before that was written, or was of a version that wrote
 *   nothing there, by having nothing else in it but a database.
 * - Everything else that has the name, also a symbolic link, is refused and left
 *   as it is: nothing is removed that no rebuild has made.
 * - That two directories in it can be exchanged, which is the last step of a
 *   rebuild, is tried before the work.
 * - When the scope closes it goes, with what is in it: the new database after a
 *   failure, the old one after a success.
 */
import type { RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as DatabaseFiles from "./databaseFiles.ts"
import * as FileLock from "./FileLock.ts"
import * as RebuildErrors from "./errors.ts"
import { ifCode } from "./systemErrors.ts"

/** A place to build a database in. */
export interface Workspace {
  /** The directory itself. */
  readonly directory: string
  /** Where the new database is to be built. */
  readonly path: string
}

/** Where the workspace of a database is. */
export const pathOf = (database: string): string => `${database}.rebuild`

/** Makes the workspace of a database in the current scope. */
export const open: (database: string) => Effect.Effect<Workspace, RocksDBError.RocksDBError, Scope.Scope> =
  Effect.fnUntraced(function* (database: string) {
    const directory = pathOf(database)
    yield* Effect.acquireRelease(
      RebuildErrors.attempt(directory, () => lock(directory)),
      (lock) => remove(directory, lock)
    )
    yield* RebuildErrors.attempt(directory, () => empty(directory))
    yield* RebuildErrors.attempt(directory, () => tryExchange(directory))
    return { directory, path: Path.join(directory, indexName) }
  })

const lockName = "lock"
const indexName = "index"
const probeName = "probe"

/** What stands in the lock of a workspace. */
const marker = "the lock of a rebuild of effect-bookie\n"

/** Makes the directory and takes its lock, or finds it and takes it over. */
const lock = async (directory: string): Promise<FileLock.FileLock> => {
  while (true) {
    await Fs.mkdir(directory).catch(ifCode(undefined, "EEXIST"))
    const isOurs = await mayBeOurs(directory).catch(ifCode("gone" as const, "ENOENT"))
    if (isOurs === false) throw RebuildErrors.inTheWay(directory)
    const lock = isOurs === "gone" ? "gone" : await takeLock(directory).catch(ifCode("gone" as const, "ENOENT"))
    // The rebuild before this one may just have removed the file, or the directory.
    if (lock === "gone") continue
    if (lock === undefined) throw RebuildErrors.locked(directory, "another rebuild of it is under way")
    try {
      await claim(directory)
      return lock
    } catch (cause) {
      await lock.release()
      throw cause
    }
  }
}

/** Whether nothing tells that a rebuild did not make the directory. */
const mayBeOurs = async (directory: string): Promise<boolean> => {
  if (!(await Fs.lstat(directory)).isDirectory()) return false
  const names = await Fs.readdir(directory)
  if (names.length === 0) return true
  if (names.some((name) => ![lockName, indexName, probeName].includes(name))) return false
  return names.includes(lockName) && (await Fs.lstat(Path.join(directory, lockName))).isFile()
}

/** The lock, `undefined` if another rebuild has it. No link is followed to what is not ours. */
const takeLock = (directory: string): Promise<FileLock.FileLock | undefined> =>
  FileLock.take(Path.join(directory, lockName), constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0))

/** Marks a workspace that is locked by now as one, or rejects if it is none. */
const claim = async (directory: string): Promise<void> => {
  const path = Path.join(directory, lockName)
  const found = await Fs.readFile(path, "utf8")
  if (found === marker) return
  const index = Path.join(directory, indexName)
  const stat = await Fs.lstat(index).catch(ifCode(undefined, "ENOENT"))
  const names = stat?.isDirectory() === true ? await Fs.readdir(index) : []
  const hasOnlyDatabase = (stat?.isDirectory() ?? true) && DatabaseFiles.strangerAmong(names) === undefined
  if (!marker.startsWith(found) || !hasOnlyDatabase) throw RebuildErrors.inTheWay(directory)
  await Fs.writeFile(path, marker)
}

/** Removes what a rebuild may have left, but the lock. */
const empty = async (directory: string): Promise<void> => {
  await Fs.rm(Path.join(directory, indexName), { recursive: true, force: true })
  await Fs.rm(Path.join(directory, probeName), { recursive: true, force: true })
}

/** Rejects if the last step of the rebuild cannot succeed. */
const tryExchange = async (directory: string): Promise<void> => {
  await RebuildErrors.refuseMountPoint(directory)
  const [index, probe] = [Path.join(directory, indexName), Path.join(directory, probeName)]
  await Fs.mkdir(index)
  await Fs.mkdir(probe)
  await FileLock.native.swap(index, probe).catch((cause: unknown) => {
    throw RebuildErrors.cannotExchange(directory, cause)
  })
  await Fs.rmdir(probe)
}

/** Removes everything, the lock last. What is left if that fails, the next rebuild removes. */
const remove = (directory: string, lock: FileLock.FileLock): Effect.Effect<void> =>
  RebuildErrors.attempt(directory, async () => {
    try {
      await empty(directory)
      await Fs.rm(Path.join(directory, lockName))
      // Another rebuild may have come by since.
      await Fs.rmdir(directory).catch(ifCode(undefined, "ENOENT", "ENOTEMPTY", "EEXIST"))
    } finally {
      await lock.release()
    }
  }).pipe(Effect.catch((error) => Effect.logWarning(`What a rebuild left is not removed: ${error.message}`)))
