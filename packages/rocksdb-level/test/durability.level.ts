import { LevelEngine } from "@effect-bookie/rocksdb"
import * as Durability from "./durability.ts"

Durability.suite("LevelEngine", LevelEngine.layer)
