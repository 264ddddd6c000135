/**
 * The engine that the first argument of a program names, and its further ones.
 */
import type * as Layer from "effect/Layer"
import { type Engine, NativeEngine, type RocksDBError } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"

// A program that is a file has its own path before its arguments, and one that was passed as a string has not.
const [name, ...rest] = process.argv.slice(process.features.typescript ? 2 : 1)

/** The further arguments. */
export const args: ReadonlyArray<string> = rest

/** The engine. */
export const engine: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError> =
  name === LevelEngine.name ? LevelEngine.layer : NativeEngine.layer
