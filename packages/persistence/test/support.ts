/**
 * What the tests of this package share: layers over a database that stays, and
 * real processes that are killed.
 */
import { Effect, Layer, type Scope, Stream } from "effect"
import { NativeEngine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Path from "node:path"
import { type Program, startCommand } from "@effect-bookie/testing/process"
import { Probe } from "@effect-bookie/testing/Probe"

export { Probe }
export { FailingEngine } from "@effect-bookie/testing/FailingEngine"
export { until } from "@effect-bookie/testing/until"
export { temporaryDirectory } from "@effect-bookie/testing/directory"
export { reasonOf, tagOf } from "@effect-bookie/testing/failure"
export { bytes } from "@effect-bookie/testing/bytes"

/** A database at a path, watched by a probe. */
export const probed = (path: string, probe: Probe): Layer.Layer<RocksDB.RocksDB, RocksDBError.RocksDBError> =>
  Layer.effect(RocksDB.RocksDB, probe.open({ path })).pipe(Layer.provide(NativeEngine.layer))

/** How many calls of a kind have begun. */
export const begun = (probe: Probe, call: string): number => probe.log.filter((line) => line === `begin ${call}`).length

/** The keys that a database holds. */
export const keysOf = (database: RocksDB.RocksDB["Service"]) =>
  Effect.map(Stream.runCollect(database.stream(undefined, { keysOnly: true })), (entries) =>
    entries.map(({ key }) => Buffer.from(key).toString("latin1"))
  )

/** Starts a program of programs/; one that still runs when the scope closes is killed. */
export const start = (name: string, ...args: ReadonlyArray<string>): Effect.Effect<Program, never, Scope.Scope> =>
  startCommand(
    process.execPath,
    [Path.join(import.meta.dirname, "programs", `${name}.ts`), ...args],
    import.meta.dirname
  )

/** A layer over a database. */
export const Layers = {
  /** In a directory that goes away with it. */
  on: <A, E>(layer: Layer.Layer<A, E, RocksDB.RocksDB>): Layer.Layer<A, E | RocksDBError.RocksDBError> =>
    Layer.provide(layer, RocksDB.layerTemp()),
  /** At a path; the small memtable lets it be flushed now and then. */
  at: <A, E>(path: string, layer: Layer.Layer<A, E, RocksDB.RocksDB>): Layer.Layer<A, E | RocksDBError.RocksDBError> =>
    Layer.provide(layer, RocksDB.layer({ path, writeBufferSize: "64 KiB" }))
}
