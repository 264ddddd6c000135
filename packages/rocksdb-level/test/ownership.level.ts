import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Ownership from "@effect-bookie/testing/engines/ownership"

Ownership.suite("LevelEngine", LevelEngine.layer)
