/**
 * Who owns the directory of a database: who holds the lock of the file
 * `OWNER.lock` in it.
 *
 * - The lock belongs to the open file: an OFD lock on Linux, `flock` on macOS,
 *   `LockFileEx` on Windows. RocksDB's own, of the file `LOCK`, is an fcntl lock
 *   and belongs to the process: it goes as soon as anything in the process closes
 *   any descriptor of that file, such as a backup that has copied it, and while
 *   the database is opened anew.
 * - The file lies in the directory, so its lock is one of the directory that this
 *   is, whatever its name. A copy of the directory has a file of its own, which
 *   nobody has locked.
 * - The file stays, and says nothing by being there: a lock ends with its process.
 * - It looks like one that may be cleaned away, so the file `ENGINE`, which a
 *   database keeps, is locked too: without it, who removes or replaces
 *   `OWNER.lock` would let a second owner in wherever RocksDB's own lock is gone.
 */
import * as Fs from "node:fs/promises"
import { createRequire } from "node:module"
import * as Path from "node:path"
import * as RocksDBError from "../RocksDBError.ts"
import * as Files from "./files.ts"
import * as SystemError from "./systemError.ts"
import * as Thrown from "./thrown.ts"

/** The lock of a directory, until it is released. */
export interface OwnerLock {
  /** Rejects unless the directory that is locked is at its path. */
  readonly check: () => Promise<void>
  /** Locks the marker too, which has been written since; rejects with `Locked` if somebody has it. */
  readonly holdMarker: () => Promise<void>
  readonly release: () => Promise<void>
}

/** The name of the file that is locked. Not `lock`, which some file systems take for RocksDB's `LOCK`. */
export const fileName = "OWNER.lock"

/** The name of the file that says which engine wrote a database. */
export const markerName = "ENGINE"

/** Locks a directory that is there, or rejects: with `Locked`, and at once, if it is locked. */
export const take = async (where: RocksDBError.Where): Promise<OwnerLock> => {
  const tryLock = load(where)
  const path = Path.join(where.path, fileName)
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const descriptor = await Files.open(path, "a+")
    try {
      if (!lock(tryLock, descriptor, where)) throw locked(where)
      if (await isAt(descriptor, path)) return await held(descriptor, tryLock, where)
    } catch (cause) {
      await Files.close(descriptor)
      throw cause
    }
    // Somebody has removed or replaced the file since it was opened, so what is locked is the lock of nothing.
    await Files.close(descriptor)
  }
  throw displaced(where)
}

const mostAttempts = 10

/** What holds the lock of a directory. Rejects with `Locked` if somebody else has its marker. */
const held = async (descriptor: number, tryLock: TryLock, where: RocksDBError.Where): Promise<OwnerLock> => {
  let marker = await takeMarker(tryLock, where)
  return {
    check: async () => {
      if (!(await isAt(descriptor, Path.join(where.path, fileName)))) throw displaced(where)
    },
    holdMarker: async () => {
      marker ??= await takeMarker(tryLock, where)
    },
    release: async () => {
      if (marker !== undefined) await letGo(marker)
      await letGo(descriptor)
    }
  }
}

// A descriptor is gone whatever the operating system says to its close.
const letGo = (descriptor: number): Promise<void> => Files.close(descriptor).catch(() => {})

/** The descriptor of the marker, locked; `undefined` if there is none that could be locked. */
const takeMarker = async (tryLock: TryLock, where: RocksDBError.Where): Promise<number | undefined> => {
  // On Windows, nobody can read what is locked.
  if (process.platform === "win32") return undefined
  const descriptor = await Files.open(Path.join(where.path, markerName), "r+").catch((cause) => {
    if (withoutMarker.has(Thrown.codeOf(cause) ?? "")) return undefined
    throw cause
  })
  if (descriptor === undefined) return undefined
  try {
    if (!lock(tryLock, descriptor, where)) throw locked(where)
    return descriptor
  } catch (cause) {
    await letGo(descriptor)
    throw cause
  }
}

/** It is missing, or may only be read: `OWNER.lock` is the lock then. */
const withoutMarker = new Set(["ENOENT", "EACCES", "EPERM", "EISDIR"])

/** Whether the file at a path is the one of a descriptor. */
const isAt = async (descriptor: number, path: string): Promise<boolean> => {
  const [ours, there] = await Promise.all([Files.fstat(descriptor), statIfThere(path)])
  return ours.ino === there?.ino && ours.dev === there.dev
}

const statIfThere = (path: string) =>
  Fs.stat(path, { bigint: true }).catch((cause) => {
    if (Thrown.codeOf(cause) === "ENOENT") return undefined
    throw cause
  })

/** The function of `fs-native-extensions` 1 that is used here; the package ships no types. */
interface TryLock {
  /** Takes an exclusive lock, or answers false at once if another descriptor has it, of this process or of any other. */
  (descriptor: number): boolean
}

/** Not at the import: where it cannot be loaded, what needs no lock goes on working. */
const load = (where: RocksDBError.Where): TryLock => {
  try {
    const native: { readonly tryLock: TryLock } = createRequire(import.meta.url)("fs-native-extensions")
    return native.tryLock
  } catch (cause) {
    throw unavailable(where, cause)
  }
}

const lock = (tryLock: TryLock, descriptor: number, where: RocksDBError.Where): boolean => {
  try {
    return tryLock(descriptor)
  } catch (cause) {
    const code = SystemError.nameOf(cause)
    throw code !== undefined && noLocks.has(code) ? unlockable(where, code, cause) : cause
  }
}

/** What the operating system answers where a file system has no such locks, or where it has none itself. */
const noLocks = new Set(["ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOLCK", "EINVAL"])

const locked = ({ operation, path }: RocksDBError.Where) =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.Locked({
      operation,
      path,
      message:
        `${operation}: the database at ${path} is in use, in this process or in another. ` +
        `Wait until its owner has closed it, or open it read-only.`
    })
  })

const unlockable = ({ operation, path }: RocksDBError.Where, code: string, cause: unknown) =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.IOError({
      operation,
      path,
      code,
      cause,
      message:
        `${operation}: the file system of ${path} has no locks (${code}), and without one two owners would write over ` +
        `each other. Put the database on a file system that has, such as a local ext4, XFS, APFS or NTFS, or open it ` +
        `read-only.`
    })
  })

const displaced = ({ operation, path }: RocksDBError.Where) =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.IOError({
      operation,
      path,
      message:
        `${operation}: the directory at ${path}, or the file ${fileName} in it, has been removed or replaced while it ` +
        `was locked. Leave an open database in its place; close it, and look what is there before opening it again.`
    })
  })

const unavailable = ({ operation, path }: RocksDBError.Where, cause: unknown) =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.EngineUnavailable({
      operation,
      path,
      cause,
      message:
        `${operation}: the package "fs-native-extensions", which locks the directory, cannot be loaded by Node ` +
        `${process.version} at ${process.execPath} (${Thrown.messageOf(cause)}). It comes ` +
        `compiled for Linux with glibc, macOS and Windows, and needs a Node that may load addons. ` +
        `A database that is opened read-only needs no lock.`
    })
  })
