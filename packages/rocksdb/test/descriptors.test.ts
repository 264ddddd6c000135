import { NativeEngine } from "@effect-bookie/rocksdb"
import * as Descriptors from "./descriptors.ts"

Descriptors.suite(NativeEngine.name)
