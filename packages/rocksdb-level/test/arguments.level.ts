import { LevelEngine } from "@effect-bookie/rocksdb"
import * as Arguments from "./arguments.ts"

Arguments.suite("LevelEngine", LevelEngine.layer)
