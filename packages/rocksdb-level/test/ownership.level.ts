import { LevelEngine } from "@effect-bookie/rocksdb"
import * as Ownership from "./ownership.ts"

Ownership.suite("LevelEngine", LevelEngine.layer)
