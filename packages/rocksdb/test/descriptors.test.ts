import { NativeEngine } from "@effect-bookie/rocksdb"
import * as Descriptors from "@effect-bookie/testing/engines/descriptors"

Descriptors.suite(NativeEngine.name)
