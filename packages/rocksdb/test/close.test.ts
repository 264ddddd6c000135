import { NativeEngine } from "@effect-bookie/rocksdb"
import * as Closing from "./closing.ts"

Closing.suite("NativeEngine", NativeEngine.layer)
