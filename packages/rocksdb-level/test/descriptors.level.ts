import { LevelEngine } from "@effect-bookie/rocksdb"
import * as Descriptors from "./descriptors.ts"

Descriptors.suite(LevelEngine.name)
