/**
 * The engine that this process works on, which a variable of its environment
 * names: so that each program runs on each engine.
 */
import { type Engine, NativeEngine } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Layer from "effect/Layer"

/** The variable. Default: the default engine. */
export const variable = "EFFECT_BOOKIE_TORTURE_ENGINE"

/** Whether it is the opt-in one. */
export const isLevel: boolean = process.env[variable] === LevelEngine.name

/** Provides the engine; that it cannot be loaded is a defect, since this Node was chosen because it loads it. */
export const layer: Layer.Layer<Engine.Engine> = Layer.orDie(isLevel ? LevelEngine.layer : NativeEngine.layer)
