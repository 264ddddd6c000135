/**
 * The engines by their names. Each is loaded only in the process that runs it.
 */
import type { Host } from "./Engine.ts"

/** What is known of an engine without loading it. */
export interface EngineInfo {
  /** As tables call it. */
  readonly title: string
  /** The npm package whose version says which one it was. */
  readonly package?: string
  /** Another version, where it is no npm package. */
  readonly version?: string
  /** The engine that it is held against: it is no peer, and only takes part in lookups. */
  readonly variantOf?: EngineName
  readonly start: () => Promise<Host>
}

export type EngineName =
  | "ours"
  | "rocksdb-native"
  | "classic-level"
  | "lmdb"
  | "sqlite"
  | "bookkeeper"
  | "ours-metrics"
  | "rocksdb-service"

export const engines: Readonly<Record<EngineName, EngineInfo>> = {
  ours: {
    title: "ours",
    package: "@effect-bookie/entry-location-index",
    start: async () => (await import("./engines/ours.ts")).start()
  },
  "rocksdb-native": {
    title: "rocksdb-native",
    package: "rocksdb-native",
    start: async () => (await import("./engines/rocksdbNative.ts")).start()
  },
  "classic-level": {
    title: "classic-level",
    package: "classic-level",
    start: async () => (await import("./engines/classicLevel.ts")).start()
  },
  lmdb: { title: "lmdb", package: "lmdb", start: async () => (await import("./engines/lmdb.ts")).start() },
  sqlite: {
    title: "node:sqlite",
    version: `SQLite ${process.versions["sqlite"]}`,
    start: async () => (await import("./engines/sqlite.ts")).start()
  },
  bookkeeper: {
    title: "BookKeeper",
    version: "4.17.3",
    start: async () => (await import("./engines/bookkeeper.ts")).start()
  },
  "ours-metrics": {
    title: "ours, with EntryLocationMetrics.layer",
    variantOf: "ours",
    start: async () => (await import("./engines/ours.ts")).startWithMetrics()
  },
  "rocksdb-service": {
    title: "rocksdb-native, through the RocksDB service",
    variantOf: "rocksdb-native",
    start: async () => (await import("./engines/rocksdbService.ts")).start()
  }
}

export const engineNames: ReadonlyArray<EngineName> = [
  "ours",
  "rocksdb-native",
  "classic-level",
  "lmdb",
  "sqlite",
  "bookkeeper",
  "ours-metrics",
  "rocksdb-service"
]
