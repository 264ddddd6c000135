/**
 * What the compiler makes of the Level engine. Nothing here runs.
 */
import { type Engine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import { Effect, Layer } from "effect"

/** It opens a database as any engine does. */
export const opening = () => {
  const engine: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError> = LevelEngine.layer
  Effect.runFork(Layer.launch(Layer.provide(RocksDB.layerWithoutEngine({ path: "database" }), engine)))
}
