import { NativeEngine } from "@effect-bookie/rocksdb"
import * as Arguments from "@effect-bookie/testing/engines/arguments"

Arguments.suite("NativeEngine", NativeEngine.layer)
