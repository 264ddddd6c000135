/**
 * When RocksDB works again once its directory has been opened anew.
 *
 * After a flush, a compaction or a write to a log file or a MANIFEST has failed,
 * RocksDB answers every write with the same error, until it resumes by itself,
 * which it seldom does; and neither binding has its `DB::Resume`.
 */
import * as Predicate from "effect/Predicate"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as RocksDBError from "../RocksDBError.ts"
import * as FailedSync from "./failedSync.ts"
import * as Files from "./files.ts"
import * as HeldBack from "./heldBack.ts"
import * as Room from "./room.ts"
import * as SystemError from "./systemError.ts"
import * as Thrown from "./thrown.ts"

/** Whether RocksDB may go on failing with what a call has failed with, until its directory is opened anew. */
export const isNeeded = (cause: unknown, path: string): boolean => {
  if (isUnknown(cause)) return true
  // What was refused before RocksDB saw it, and what Node says of the calls around it.
  if (HeldBack.is(cause) || FailedSync.is(cause) || Thrown.property(cause, "syscall") !== undefined) return false
  const { reason } = RocksDBError.fromNative(cause, { operation: "write", path })
  if (reason._tag === "NoSpace") return true
  return reason._tag === "IOError" && reason.code !== undefined && SystemError.troubleOf(reason.code)?.ends === true
}

/** That RocksDB has failed, without a word about what it was; of this {@link isNeeded} is true. */
export const unknown = (what: string): Error => {
  const error = new Error(`RocksDB has failed to ${what}`)
  unknowns.add(error)
  return error
}

/**
 * What a reader is told whose snapshot is gone with the database that had failed. Why that had failed need not be known,
 * but to read again succeeds: so it is what the operating system calls EAGAIN.
 */
export const snapshotIsGone = (trouble: unknown): unknown =>
  isUnknown(trouble)
    ? new Error(
        `${Thrown.messageOf(trouble)}, so its directory was opened anew, and the snapshot that was read is gone: ` +
          "Resource temporarily unavailable"
      )
    : trouble

/** Whether it is that. */
export const isUnknown = (cause: unknown): boolean => Predicate.isObjectKeyword(cause) && unknowns.has(cause)

const unknowns = new WeakSet<object>()

/**
 * What would keep the directory from being opened anew and then taking a write of so many bytes; `undefined` if nothing
 * is known that would. To be asked before the database is closed, which can still be read.
 */
export const obstacle = async (path: string, size: number): Promise<unknown> => {
  try {
    if (!(await hasRoom(path, size))) return Room.noSpace("opening the directory anew")
    await openFiles(path)
    await createFile(path)
    return undefined
  } catch (cause) {
    return cause
  }
}

/**
 * Whether there is room: the open flushes what the log files hold, and creates some small files. What RocksDB has
 * reserved for a file and not filled comes back when it closes.
 */
const hasRoom = async (path: string, size: number): Promise<boolean> => {
  let room = (await Room.at(path)) - Room.smallFilesSize - size
  for (const name of await Fs.readdir(path)) {
    const file = await Room.statIfThere(Path.join(path, name))
    if (file === undefined) continue
    room += Math.max(0, Room.allocatedTo(file) - file.size)
    if (name.endsWith(".log")) room -= file.size
  }
  return room >= 0
}

/** Opens the files that RocksDB will, so many at once as it may need beside those that it lets go. */
const openFiles = async (path: string): Promise<void> => {
  const opened: Array<number> = []
  try {
    for (const name of await Files.readdir(path)) {
      // Not LOCK: to close a descriptor of it would drop RocksDB's lock.
      if (!databaseFile.test(name)) continue
      const descriptor = await openIfThere(Path.join(path, name))
      if (descriptor !== undefined) opened.push(descriptor)
      const oldest = opened.length > descriptors ? opened.shift() : undefined
      if (oldest !== undefined) await Files.close(oldest)
    }
    const current = Path.join(path, "CURRENT")
    while (opened.length < descriptors) opened.push(await Files.open(current, "r"))
  } finally {
    for (const descriptor of opened) await Files.close(descriptor)
  }
}

const databaseFile = /^(CURRENT|MANIFEST-\d+|\d+\.(sst|log))$/

const descriptors = 16

/** RocksDB removes files meanwhile. */
const openIfThere = (file: string): Promise<number | undefined> =>
  Files.open(file, "r").catch((cause) => {
    if (Thrown.codeOf(cause) === "ENOENT") return undefined
    throw cause
  })

/** Brings a new file to disk, and removes it. */
const createFile = async (path: string): Promise<void> => {
  const file = Path.join(path, "PROBE")
  try {
    await Fs.writeFile(file, "?", { flush: true })
  } finally {
    await Fs.rm(file, { force: true })
  }
}
