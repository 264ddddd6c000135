import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Descriptors from "@effect-bookie/testing/engines/descriptors"

Descriptors.suite(LevelEngine.name)
