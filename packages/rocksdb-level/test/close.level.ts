import { LevelEngine } from "@effect-bookie/rocksdb"
import * as Closing from "./closing.ts"

Closing.suite("LevelEngine", LevelEngine.layer)
