/**
 * What the entry logs and the index fail with, as errors of the storage on top of
 * them: the same reason, in the name of the storage.
 */
import type { EntryLogError } from "@effect-bookie/entry-log/EntryLogError"
import type { RocksDBError } from "@effect-bookie/rocksdb/RocksDBError"
import * as Effect from "effect/Effect"
import * as LedgerStorageError from "../../LedgerStorageError.ts"

type Below = EntryLogError | RocksDBError

/** The same effect, whose failures are those of a storage. */
export const above =
  (where: LedgerStorageError.Where) =>
  <A, R>(self: Effect.Effect<A, Below, R>): Effect.Effect<A, LedgerStorageError.LedgerStorageError, R> =>
    Effect.mapError(self, (error) => fromBelow(error, where))

/** The error of a storage for one of its entry logs or its index. */
export const fromBelow = (error: Below, where: LedgerStorageError.Where): LedgerStorageError.LedgerStorageError =>
  new LedgerStorageError.LedgerStorageError({ reason: reasonOf(error, where) })

const reasonOf = (cause: Below, { operation, storage }: LedgerStorageError.Where): LedgerStorageError.Reason => {
  const { reason } = cause
  const message = `${operation}: ${reason.message.replace(`${reason.operation}: `, "")}`
  const fields = { operation, storage, message, cause }
  switch (reason._tag) {
    case "Closed":
      return new LedgerStorageError.Closed(fields)
    case "Locked":
      return new LedgerStorageError.Locked(fields)
    case "ReadOnly":
      return new LedgerStorageError.ReadOnly(fields)
    case "InvalidArgument":
      return new LedgerStorageError.InvalidArgument(fields)
    case "NoSpace":
      return new LedgerStorageError.NoSpace(fields)
    case "Corruption":
    case "NotFound":
    case "UnsupportedFormat":
    case "WrongEntry":
      return new LedgerStorageError.Corruption(fields)
    case "IOError":
      return new LedgerStorageError.IOError({ ...fields, code: reason.code })
    case "EngineUnavailable":
    case "LockUnavailable":
    case "MissingDatabase":
    case "MissingDirectory":
      return new LedgerStorageError.IOError(fields)
  }
}
