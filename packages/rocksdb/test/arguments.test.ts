import { NativeEngine } from "@effect-bookie/rocksdb"
import * as Arguments from "./arguments.ts"

Arguments.suite("NativeEngine", NativeEngine.layer)
