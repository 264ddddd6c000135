/**
 * Whether a compaction may reach `rocksdb-native`.
 *
 * Once a compaction has found the disk full, RocksDB refuses those that might
 * find it full again, with a status that has no text; the binding copies the
 * text all the same, which ends the process (`strdup` of a null pointer in its
 * `rocksdb__on_compact_range`). RocksDB compacts by itself too, also while
 * another compaction waits its turn, and keeps silent about a failure. So a
 * compaction needs room for whatever may be rewritten before it ends, and for
 * as much as RocksDB asks where one has failed before; else it fails as on a
 * full disk, before it has begun.
 */
import * as Room from "./room.ts"

/** Rejects with ENOSPC unless there is room. `failures` tells how often RocksDB has failed in the background. */
export const ask = async (path: string, writeBufferSize: number, failures: () => Promise<number>): Promise<void> => {
  const room = (await Room.at(path)) - 2 * writeBufferSize
  const files = Math.min(await Room.sizeOfFiles(path, ".sst", ({ size }) => size), mostRewritten)
  // RocksDB wants twice what it reads; more files may be there by the time that it looks.
  if (room >= 3 * files || (room >= files && (await failures()) === 0)) return
  throw Room.refusal("a compaction")
}

/** In bytes: RocksDB rewrites about 1.6 GiB at a time, and in few places at once. */
export const mostRewritten = 4 * 1024 * 1024 * 1024
