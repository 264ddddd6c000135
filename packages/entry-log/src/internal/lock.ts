/**
 * The lock that keeps a second writer out of a directory: of the file
 * `entry-log.lock` in it, which stays.
 *
 * - It belongs to the open file (an OFD lock on Linux, flock on macOS,
 *   LockFileEx on Windows), not to the process: no other descriptor that is
 *   closed takes it away, such as that of a copy made meanwhile, and it goes with
 *   its process.
 * - It is one of the directory that this is, whatever its name.
 * - What is locked is the file that is at its path. An owner whose file has been
 *   removed or replaced finds out before it creates its next log.
 */
import { createRequire } from "node:module"
import * as Path from "node:path"
import * as EntryLogError from "../EntryLogError.ts"
import * as Files from "./files.ts"

/** A lock that is held. */
export interface Lock {
  /** Rejects if the file that is locked is no longer the one at its path. */
  readonly check: () => Promise<void>
  readonly release: () => Promise<void>
}

/** Makes the caller the one writer of a directory, or rejects at once: with `Locked` if there is one. */
export const acquire = async (directory: string, tryLock: TryLock): Promise<Lock> => {
  const where = { operation: "open", path: directory }
  const path = Path.join(directory, "entry-log.lock")
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const descriptor = await Files.open(path, "a+")
    try {
      if (!lock(tryLock, descriptor, where)) throw EntryLogError.locked(where)
      if (await Files.isAt(descriptor, path)) return held(descriptor, path, directory)
    } catch (cause) {
      await Files.close(descriptor)
      throw cause
    }
    // Removed or replaced between the two: the lock of that file keeps nobody out.
    await Files.close(descriptor)
  }
  throw EntryLogError.displacedLock(where)
}

const maxAttempts = 10

const held = (descriptor: number, path: string, directory: string): Lock => ({
  check: async () => {
    if (!(await Files.isAt(descriptor, path)))
      throw EntryLogError.displacedLock({ operation: "append", path: directory })
  },
  release: () => Files.close(descriptor)
})

/**
 * Takes an exclusive lock on the file behind a descriptor and answers true, or answers false at once if another
 * descriptor, of this process or of any other, has it. The lock goes when the descriptor is closed.
 */
export interface TryLock {
  (descriptor: number): boolean
}

/**
 * Loads what locks, or throws. Not when this module is loaded: who only reads needs no lock, and no native code. To be
 * called before a directory is created, of which nobody could become the writer.
 */
export const load = (directory: string): TryLock => {
  try {
    // `fs-native-extensions` 1 ships no types.
    const extensions: { readonly tryLock: TryLock } = createRequire(import.meta.url)("fs-native-extensions")
    return extensions.tryLock
  } catch (cause) {
    throw EntryLogError.lockNotLoaded(cause, { operation: "open", path: directory })
  }
}

const lock = (tryLock: TryLock, descriptor: number, where: EntryLogError.Where): boolean => {
  try {
    return tryLock(descriptor)
  } catch (cause) {
    if (EntryLogError.hasCode(cause, "EACCES")) return false
    throw noLocks.some((code) => EntryLogError.hasCode(cause, code)) ? EntryLogError.noLocks(cause, where) : cause
  }
}

/** What the operating system answers where a file system has no such locks, or it has none itself. */
const noLocks = ["ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"]
