import { LevelEngine } from "@effect-bookie/rocksdb"
import * as NoSpace from "./noSpace.ts"

NoSpace.suite(LevelEngine.name)
