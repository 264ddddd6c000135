/**
 * What a rebuild refuses, each with what to do about it.
 */
import { EntryLogError } from "@effect-bookie/entry-log"
import { RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs/promises"
import { describe } from "../arguments.ts"
import { codeOf, ifCode } from "./systemErrors.ts"

const operation = "rebuild"

/** A step of a rebuild on a directory. It is not abandoned. */
export const attempt = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, RocksDBError.RocksDBError> =>
  Effect.uninterruptible(
    Effect.tryPromise({ try: run, catch: (cause) => RocksDBError.fromNative(cause, { operation, path }) })
  )

/** Such as a promise, which would count as true. */
export const badIncludes = (answer: unknown, path: string): RocksDBError.RocksDBError =>
  RocksDBError.invalidArgument(`includes must answer true or false, not ${describe(answer)}`, { operation, path })

/** Something stands where a rebuild works, and no rebuild has made it. */
export const inTheWay = (path: string): RocksDBError.RocksDBError =>
  RocksDBError.invalidArgument(
    `${path} is in the way: the new index is built there, and no rebuild has left it. Move it away, or remove it`,
    { operation, path }
  )

/** A directory that cannot be replaced. */
export const irreplaceable = (path: string, why: string): RocksDBError.RocksDBError =>
  RocksDBError.invalidArgument(`${path} ${why}`, { operation, path })

/** Somebody else has the database. */
export const locked = (path: string, why: string): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.Locked({
      operation,
      path,
      message: `${operation}: the database at ${path} is in use: ${why}. Wait until that has ended.`
    })
  })

/** A directory with something in it that is no index of this package. */
export const foreign = (path: string, why: string): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.UnsupportedFormat({
      operation,
      path,
      message:
        `${operation}: the database at ${path} ${why}, so it is not replaced. Build the index into a directory of its ` +
        `own, also if you come from BookKeeper.`
    })
  })

/** A file system that cannot do the last step of a rebuild. */
export const cannotExchange = (path: string, cause: unknown): RocksDBError.RocksDBError => {
  const code = codeOf(cause)
  return new RocksDBError.RocksDBError({
    reason: new RocksDBError.IOError({
      operation,
      path,
      ...(code === undefined ? {} : { code }),
      cause,
      message:
        `${operation}: the file system of ${path} does not exchange two directories in one step (${String(cause)}), so ` +
        `the new index could not take the place of the old one whole. Let the database be on one that does, such as ` +
        `ext4, XFS, Btrfs or APFS.`
    })
  })
}

/** Rejects if a directory, which is not empty, is a mount point: such a one cannot be renamed. */
export const refuseMountPoint = async (path: string): Promise<void> => {
  // A directory that is not empty is not removed; whether it could be is what a rename asks, too.
  const answer = await Fs.rmdir(path)
    .catch(ifCode("full" as const, "ENOTEMPTY", "EEXIST"))
    .catch(ifCode("busy" as const, "EBUSY"))
  if (answer !== "busy") return
  throw irreplaceable(
    path,
    "is a mount point, which cannot be exchanged for another directory. Let the database be a directory below it"
  )
}

/** There is too little room. */
export const noRoom = (
  path: string,
  { entries, free, needed }: { readonly entries: number; readonly free: number; readonly needed: number }
): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.NoSpace({
      operation,
      path,
      message:
        `${operation}: there are ${free} bytes free at ${path}, and an index of about ${entries} entries, as a sample of ` +
        `the logs lets expect, takes at least ${needed} while it is built beside the old one. Free some room on the device.`
    })
  })

/** Nothing was found to build an index from, although there is one that has entries. */
export const nothingToRead = (
  what: "entry log" | "entry",
  entryLogs: string,
  { database, entries }: { readonly database: string; readonly entries: bigint | undefined }
): EntryLogError.EntryLogError =>
  new EntryLogError.EntryLogError({
    reason: new EntryLogError.NotFound({
      operation,
      path: entryLogs,
      message:
        `${operation}: there is not one ${what} in ${entryLogs}, and the index at ${database} has ` +
        `${entries === undefined ? "perhaps some, since it cannot be read" : `${entries} entries`}; it stays. Check that ` +
        `this is the directory of the logs (BookKeeper's is named current) and that its disk is mounted; salvage: true ` +
        `makes an empty index all the same.`
    })
  })
