/**
 * Looks through the log files of a database, its MANIFEST and its write-ahead
 * logs, for the one kind of damage that RocksDB 10.5 does not survive: at a
 * record whose type says that its file was recycled, in a file that was not, its
 * reader tries the same record for ever, and the open never comes back. One
 * flipped bit makes such a record. Everything else RocksDB reports by itself.
 *
 * A log file is a row of blocks of 32 KiB, and each block a row of records:
 * checksum (4 bytes), length (2, little-endian), type (1), and so many bytes. A
 * record does not cross the end of a block. (RocksDB, `db/log_format.h`.)
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as RocksDBError from "../../RocksDBError.ts"
import * as Thrown from "../thrown.ts"

/** Rejects with `Corruption` if a log file of the directory has such a record. */
export const check = async (directory: string): Promise<void> => {
  for (const name of await logFiles(directory)) {
    const path = Path.join(directory, name)
    const at = await find(path)
    if (at === undefined) continue
    throw new RocksDBError.RocksDBError({
      reason: new RocksDBError.Corruption({
        operation: "open",
        path: directory,
        message:
          `open: ${path} is damaged at byte ${at}: the record there has a type that is not of this file. ` +
          `Restore the directory from a copy, or rebuild it from its source.`
      })
    })
  }
}

/** Reads the same files, and rejects with what the operating system says if it cannot. */
export const readThrough = async (directory: string): Promise<void> => {
  for (const name of await logFiles(directory)) await find(Path.join(directory, name))
}

/** The write-ahead logs, and the MANIFEST that is in use. */
const logFiles = async (directory: string): Promise<ReadonlyArray<string>> => {
  const names = await Fs.readdir(directory)
  const current = names.includes("CURRENT") ? await Fs.readFile(Path.join(directory, "CURRENT"), "latin1") : ""
  return names.filter((name) => /^\d+\.log$/.test(name) || `${name}\n` === current)
}

const blockSize = 32 * 1024
const headerSize = 7
const blocksPerRead = 32

/** The types of records in recycled files, of data and of settings. */
const recycledTypes = new Set([5, 6, 7, 8, 11])

/** Where a record is that a file which was not recycled cannot have, if there is one. */
const find = async (path: string): Promise<number | undefined> => {
  const file = await openIfThere(path)
  if (file === undefined) return undefined
  try {
    const buffer = Buffer.allocUnsafe(blockSize * blocksPerRead)
    for (let start = 0; ;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
      if (start === 0 && bytesRead >= headerSize && recycledTypes.has(buffer.readUInt8(headerSize - 1)))
        return undefined
      for (let block = 0; block < bytesRead; block += blockSize) {
        const at = findInBlock(buffer.subarray(block, Math.min(block + blockSize, bytesRead)))
        if (at !== undefined) return start + block + at
      }
      if (bytesRead < buffer.length) return undefined
      start += bytesRead
    }
  } finally {
    await file.close()
  }
}

/** An owner of the directory may remove a log file meanwhile: then RocksDB finds the lock, or else misses the file. */
const openIfThere = async (path: string): Promise<Fs.FileHandle | undefined> => {
  try {
    return await Fs.open(path, "r")
  } catch (cause) {
    if (Thrown.codeOf(cause) === "ENOENT") return undefined
    throw cause
  }
}

const findInBlock = (block: Buffer): number | undefined => {
  for (let at = 0; at + headerSize <= block.length;) {
    const length = block.readUInt16LE(at + 4)
    const type = block.readUInt8(at + 6)
    if (recycledTypes.has(type)) return at
    // Room that was reserved and not written.
    if (type === 0 && length === 0) return undefined
    at += headerSize + length
  }
  return undefined
}
