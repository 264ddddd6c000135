/**
 * The errors that this package makes, as `RocksDBError`.
 */
import { RocksDBError } from "@effect-bookie/rocksdb"
import * as Cause from "effect/Cause"
import * as Result from "effect/Result"

/** A record that no index wrote. */
export const corruption = (what: string, { operation, path }: RocksDBError.Where): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.Corruption({
      operation,
      path,
      message: `${operation}: ${what}, in the index at ${path}. Rebuild the index from its entry logs.`
    })
  })

/** A directory that this version of the index cannot read. */
export const unsupportedFormat = (
  what: string,
  { operation, path }: RocksDBError.Where,
  advice = "Open it with the version that wrote it, or rebuild it from its entry logs"
): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.UnsupportedFormat({
      operation,
      path,
      message: `${operation}: ${what}, at ${path}. ${advice}.`
    })
  })

/** A commit that has waited too long for room in the memtables. */
export const noRoom = (waited: string, { operation, path }: RocksDBError.Where): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.IOError({
      operation,
      path,
      message:
        `${operation}: the memtables of the index at ${path} are full, and the checkpoint that makes room in them has not ` +
        `ended after ${waited}. Nothing of this commit is written: try it again once the disk is faster.`
    })
  })

/** Memory that may not be what was committed, after something that cannot be undone was interrupted half-way. */
export const broken = (cause: unknown, { operation, path }: RocksDBError.Where): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.IOError({
      operation,
      path,
      message:
        `${operation}: the index at ${path} could not keep in memory what was committed (${String(cause)}), so it answers ` +
        "nothing any more. Open it anew: what was acknowledged is on disk.",
      cause
    })
  })

/** What is wrong, for a log: the message of an error, or all of a defect. */
export const describe = (cause: Cause.Cause<RocksDBError.RocksDBError>): string => {
  const found = Cause.findError(cause)
  return Result.isSuccess(found) ? found.success.message : Cause.pretty(cause)
}
