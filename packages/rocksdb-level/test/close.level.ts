import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Closing from "@effect-bookie/testing/engines/closing"

Closing.suite("LevelEngine", LevelEngine.layer)
