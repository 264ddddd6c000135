/**
 * What a scan answers: what the memtables held when it began, merged with the
 * records of the database.
 */
import type { RocksDB } from "@effect-bookie/rocksdb"

/** A merge under way. */
export interface Merge<A> {
  /** Whether records are to be fed before there can be more items. */
  readonly needsRecords: boolean
  /** Takes the next records; none at their end. */
  readonly feed: (records: ReadonlyArray<RocksDB.Entry>) => void
  /**
   * The next items, as far as some milliseconds go, so there may be none though the end has not come. Or what is wrong
   * with a record.
   */
  readonly take: () => ReadonlyArray<A> | string
  /** Whether nothing comes any more. */
  readonly isDone: boolean
}

/** About how many items are answered at once: enough to be fast, few enough to leave room for others. */
export const chunkSize = 4096
