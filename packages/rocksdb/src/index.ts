/**
 * A RocksDB database as a scoped Effect Layer.
 */
export * as DirectoryLock from "./DirectoryLock.ts"
export * as Engine from "./Engine.ts"
export * as NativeEngine from "./NativeEngine.ts"
export * as PropertyGauge from "./PropertyGauge.ts"
export * as RocksDB from "./RocksDB.ts"
export * as RocksDBError from "./RocksDBError.ts"
