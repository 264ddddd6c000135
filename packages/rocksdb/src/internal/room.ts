/**
 * How much room RocksDB wants on its disk. It does not look before it writes,
 * and it is a while before it, or a binding, has got over a failure; so what
 * cannot succeed is better refused before it begins.
 */
import * as Fs from "node:fs/promises"
import type * as Engine from "../Engine.ts"

/** What there is on the file system of a directory, in bytes. One that does not tell how large it is has no end. */
export const at = async (path: string): Promise<number> => {
  const { bavail, blocks, bsize } = await Fs.statfs(path)
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize
}

/** For what RocksDB writes besides the data: the MANIFEST, OPTIONS, and the like. In bytes. */
export const smallFilesSize = 1024 * 1024

/** What a batch takes up in a log file, in bytes. */
export const sizeOf = (operations: ReadonlyArray<Engine.Operation>): number => {
  let size = 0
  for (const operation of operations) {
    if (operation.type === "removeRange") size += recordSize(operation.gte, operation.lt)
    else size += recordSize(operation.key, operation.type === "put" ? operation.value : undefined)
  }
  return size
}

/** What one key with its value takes up there, in bytes. */
export const recordSize = (key: Uint8Array, value: Uint8Array | undefined): number =>
  recordOverhead + key.length + (value?.length ?? 0)

/** The failure of a write or a compaction that was refused for want of room. */
export const refusal = (what: string): Error =>
  Object.assign(new Error(`no space left on device that would do for ${what}`), { code: "ENOSPC" })

/** The lengths of a key and of a value, and what kind of record it is; in bytes, and not less. */
const recordOverhead = 16
