/**
 * The errors that this package makes, as `RocksDBError`.
 */
import { RocksDBError } from "@effect-bookie/rocksdb"

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
export const unsupportedFormat = (what: string, { operation, path }: RocksDBError.Where): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.UnsupportedFormat({
      operation,
      path,
      message: `${operation}: ${what}, at ${path}. Open it with the version that wrote it, or rebuild it from its entry logs.`
    })
  })
