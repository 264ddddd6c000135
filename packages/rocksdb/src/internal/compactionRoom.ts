/**
 * Whether a compaction may reach `rocksdb-native`.
 *
 * Once a compaction has found the disk full, RocksDB refuses those that might
 * find it full again, with a status that has no text; the binding copies the
 * text all the same, which ends the process (`strdup` of a null pointer in its
 * `rocksdb__on_compact_range`). RocksDB compacts by itself too, and keeps
 * silent about it. So where the disk has less room than would let RocksDB pass
 * every compaction, one waits until no other runs and none has failed, and then
 * keeps others from beginning; else it fails as a full disk does.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { setTimeout } from "node:timers/promises"

/** How a compaction may run. */
export interface Permission {
  /** Whether no other compaction may run meanwhile. */
  readonly exclusive: boolean
}

/** Permits a compaction, or rejects with ENOSPC. `property` reads a number of the database. */
export const ask = async (
  path: string,
  writeBufferSize: number,
  property: (name: string) => Promise<number>
): Promise<Permission> => {
  if (await hasPlenty(path, writeBufferSize)) return { exclusive: false }
  for (let attempts = 0; attempts < maxAttempts; attempts++) {
    const running = await property("rocksdb.num-running-compactions")
    const pending = await property("rocksdb.compaction-pending")
    if ((await property("rocksdb.background-errors")) > 0) break
    if (running === 0 && pending === 0) return { exclusive: true }
    await setTimeout(pauseMillis)
  }
  throw Object.assign(new Error("No space left on device for a compaction"), { code: "ENOSPC" })
}

const maxAttempts = 500

const pauseMillis = 10

/** RocksDB wants twice what it reads and a memtable; files may be added until it looks. */
const hasPlenty = async (path: string, writeBufferSize: number): Promise<boolean> => {
  const { bavail, bsize } = await Fs.statfs(path)
  let wanted = 2 * writeBufferSize
  for (const name of await Fs.readdir(path)) {
    if (name.endsWith(".sst")) wanted += 3 * (await sizeOf(Path.join(path, name)))
  }
  return bavail * bsize >= wanted
}

/** A file that RocksDB has removed meanwhile takes up nothing. */
const sizeOf = (file: string): Promise<number> =>
  Fs.stat(file).then(
    ({ size }) => size,
    (cause) => {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return 0
      throw cause
    }
  )
