/**
 * The path at which RocksDB 6.17 is to open a directory.
 *
 * It keeps a list of the paths that this process has locked. Where it cannot
 * open a LOCK file, for want of descriptors for example, it leaves the path on
 * the list, and refuses it for as long as the process lives. It goes by the path
 * alone, so the same directory is opened by another name then. (Who owns the
 * directory is not decided by that: see `DirectoryLock` of `@effect-bookie/rocksdb`.)
 */
import { Thrown } from "@effect-bookie/rocksdb/EngineSupport"

/** The path of a directory under which RocksDB has not failed yet. */
export const of = (directory: string): string => directory + "/.".repeat(failures.get(directory) ?? 0)

/** To be told of each open that has failed. */
export const failed = (directory: string, cause: unknown): void => {
  if (!/while open a file for lock/i.test(Thrown.messageOf(cause))) return
  failures.set(directory, (failures.get(directory) ?? 0) + 1)
}

const failures = new Map<string, number>()
