/**
 * The `rocksdb` binding of Level as an engine of `@effect-bookie/rocksdb`.
 */
export * as LevelEngine from "./LevelEngine.ts"
