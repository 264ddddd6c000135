/**
 * Why a commit failed before anything of it was written: what it stands on, a
 * page or the record of a ledger, cannot be read.
 */
import type { RocksDBError } from "@effect-bookie/rocksdb"
import * as Data from "effect/Data"

export class Unreadable extends Data.TaggedError("Unreadable")<{ readonly error: RocksDBError.RocksDBError }> {}
