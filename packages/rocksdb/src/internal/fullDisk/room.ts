/**
 * How much room RocksDB wants on its disk. It does not look before it writes,
 * and it is a while before it, or a binding, has got over a failure; so what
 * cannot succeed is better refused before it begins.
 */
import type { Stats } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import type * as Engine from "../../Engine.ts"
import * as HeldBack from "./heldBack.ts"
import * as Thrown from "../thrown.ts"

/** What there is on the file system of a directory, in bytes. One that does not tell how large it is has no end. */
export const at = async (path: string): Promise<number> => {
  const { bavail, blocks, bsize } = await Fs.statfs(path)
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize
}

/** What the files of an extension have together, in bytes. One that is removed meanwhile has nothing. */
export const sizeOfFiles = async (
  path: string,
  extension: string,
  sizeOf: (file: Stats) => number
): Promise<number> => {
  let size = 0
  for (const name of await Fs.readdir(path)) {
    if (!name.endsWith(extension)) continue
    const file = await statIfThere(Path.join(path, name))
    if (file !== undefined) size += sizeOf(file)
  }
  return size
}

/** RocksDB removes files meanwhile. */
export const statIfThere = (file: string): Promise<Stats | undefined> =>
  Fs.stat(file).catch((cause) => {
    if (Thrown.codeOf(cause) === "ENOENT") return undefined
    throw cause
  })

/** What a file takes up on the disk, also what is reserved for it, in bytes. */
export const allocatedTo = ({ blocks }: Stats): number => blocks * statBlockSize

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

/** That there is no room for something. */
export const noSpace = (what: string): Error =>
  Object.assign(new Error(`no space left on device for ${what}`), { code: "ENOSPC" })

/** The same for what was refused before RocksDB saw it. */
export const refusal = (what: string): Error => HeldBack.of(noSpace(what))

/** The lengths of a key and of a value, and what kind of record it is; in bytes, and not less. */
const recordOverhead = 16

/** The unit of `blocks` in what `stat` answers, whatever the file system's own is. */
const statBlockSize = 512
