/**
 * What a scan answers: what the memtables held when it began, merged with the
 * records of the database.
 */
import type { RocksDB } from "@effect-bookie/rocksdb"

/** A merge under way. */
export interface Merge<A> {
  /** Takes the next records; none at their end. */
  readonly feed: (records: ReadonlyArray<RocksDB.Entry>) => void
  /** The next items: none if records are to be fed first or the end has come. Or what is wrong with a record. */
  readonly take: () => ReadonlyArray<A> | string
  /** Whether nothing comes any more. */
  readonly isDone: boolean
}

/** About how many items are answered at once: enough to be fast, few enough to leave room for others. */
export const chunkSize = 4096
