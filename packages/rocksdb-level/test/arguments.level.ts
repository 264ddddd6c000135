import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Arguments from "@effect-bookie/testing/engines/arguments"

Arguments.suite("LevelEngine", LevelEngine.layer)
