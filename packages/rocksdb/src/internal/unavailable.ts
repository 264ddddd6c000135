/**
 * The error of a binding that cannot be loaded.
 */
import * as RocksDBError from "../RocksDBError.ts"

/** Makes the `EngineUnavailable` error of a binding: what the loader said, and what to do about it. */
export const unavailable = (
  binding: string,
  saying: string,
  advice: string,
  cause: unknown
): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.EngineUnavailable({
      operation: "open",
      path: "",
      cause,
      message:
        `open: the native binding "${binding}" cannot be loaded on this machine or this Node ` +
        `(${process.platform} ${process.arch}, Node ${process.version} at ${process.execPath}: ${saying}). ${advice}`
    })
  })
