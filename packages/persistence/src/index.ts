/**
 * Effect's own storage contracts on RocksDB.
 */
export * as RocksDBKeyValueStore from "./RocksDBKeyValueStore.ts"
export * as RocksDBPersistence from "./RocksDBPersistence.ts"
export * as RocksDBPersistedQueue from "./RocksDBPersistedQueue.ts"
export * as RocksDBRateLimiter from "./RocksDBRateLimiter.ts"
export * as RocksDBCircuitBreaker from "./RocksDBCircuitBreaker.ts"
