import { NativeEngine } from "@effect-bookie/rocksdb"
import * as Closing from "@effect-bookie/testing/engines/closing"

Closing.suite("NativeEngine", NativeEngine.layer)
