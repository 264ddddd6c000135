import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Durability from "@effect-bookie/testing/engines/durability"

Durability.suite("LevelEngine", LevelEngine.layer)
