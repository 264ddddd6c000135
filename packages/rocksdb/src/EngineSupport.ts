/**
 * What engines are made of beside their binding: for a package that brings an
 * engine of its own, such as `@effect-bookie/rocksdb-level`. An application
 * needs none of it, so it is not in the index of this package; import it as
 * `@effect-bookie/rocksdb/EngineSupport`.
 *
 * An engine translates calls of the port (`Engine`) to a binding, and takes from
 * here what RocksDB itself asks for, whoever binds it:
 *
 * - `withFullDisk` gets its databases over a full disk, and whatever else makes
 *   RocksDB refuse every write until the directory is opened anew. An engine that
 *   needs that wraps itself in it; `obstacle` and `Room` are what it goes by.
 * - `WalSync` brings the write-ahead log to disk where the binding cannot.
 * - `LogRecords` finds the damage in log files that RocksDB does not survive, or
 *   keeps silent about.
 * - `checkKeys` and `checkOperations` refuse bytes that have changed under a call.
 * - `unavailable` is the error of a binding that does not load, and `Thrown` and
 *   `SystemError` read what a binding has thrown.
 */
export { checkKeys, checkOperations, maxKeyLength } from "./internal/arguments.ts"
export { obstacle } from "./internal/fullDisk/reopening.ts"
export * as Room from "./internal/fullDisk/room.ts"
export { withFullDisk } from "./internal/fullDisk/withFullDisk.ts"
export * as LogRecords from "./internal/native/logRecords.ts"
export { WalSync } from "./internal/native/WalSync.ts"
export * as SystemError from "./internal/systemError.ts"
export * as Thrown from "./internal/thrown.ts"
export { unavailable } from "./internal/unavailable.ts"
