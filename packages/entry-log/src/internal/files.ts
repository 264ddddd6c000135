/**
 * The file-system calls of this package, on plain descriptors: each settles
 * when the operating system has answered, and reads and writes go on until all
 * is done.
 */
import * as Fs from "node:fs"
import { hasCode } from "../EntryLogError.ts"

// Each function of node:fs is looked up when it is called, so that a test can put itself between.

/** Opens a file. */
export const open = (path: string, flags: string): Promise<number> =>
  answer((callback) => Fs.open(path, flags, callback))

/** Closes a descriptor, which is gone whatever the operating system says to that. What must not be lost is synced before. */
export const close = (descriptor: number): Promise<void> =>
  answer<void>((callback) => Fs.close(descriptor, callback)).catch(() => {})

/** Brings the bytes and the size of a file to disk. */
export const fdatasync = (descriptor: number): Promise<void> => answer((callback) => Fs.fdatasync(descriptor, callback))

/** Cuts a file off. */
export const truncate = (descriptor: number, size: number): Promise<void> =>
  answer((callback) => Fs.ftruncate(descriptor, size, callback))

/** The size of a file in bytes. */
export const sizeOf = async (descriptor: number): Promise<number> =>
  (await answer<Fs.Stats>((callback) => Fs.fstat(descriptor, callback))).size

/** Whether the file at a path is the one of a descriptor, and not another one that has taken its name. */
export const isAt = async (descriptor: number, path: string): Promise<boolean> => {
  const ours = await answer<Fs.BigIntStats>((callback) => Fs.fstat(descriptor, { bigint: true }, callback))
  try {
    const found = await answer<Fs.BigIntStats>((callback) => Fs.stat(path, { bigint: true }, callback))
    return ours.ino === found.ino && ours.dev === found.dev
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return false
    throw cause
  }
}

/** Where the symbolic link at a path leads to; `undefined` if there is none. */
export const targetOf = (path: string): Promise<string | undefined> =>
  answer<string>((callback) => Fs.readlink(path, callback)).catch(() => undefined)

/** Reads from a file that is open, like {@link read}. */
export interface ReadLog {
  (buffer: Uint8Array, position: number, enough?: number | undefined): Promise<number>
}

/**
 * Fills a buffer from a position of a file, and answers how many bytes it has read: fewer only at the end of the
 * file, or if it has `enough`.
 */
export const read = async (
  descriptor: number,
  buffer: Uint8Array,
  position: number,
  enough: number = buffer.length
): Promise<number> => {
  let done = 0
  while (done < enough) {
    const length = Math.min(buffer.length - done, maxLength)
    const count = await readOnce(descriptor, buffer, done, length, position + done)
    if (count === 0) break
    done += count
  }
  return done
}

/** Writes a buffer whole at a position of a file. */
export const write = async (descriptor: number, buffer: Uint8Array, position: number): Promise<void> => {
  for (let done = 0; done < buffer.length;) {
    const length = Math.min(buffer.length - done, maxLength)
    done += await writeOnce(descriptor, buffer, done, length, position + done)
  }
}

/** Brings the names in a directory to disk. */
export const syncDirectory = (path: string): Promise<void> => withDirectory(path, (sync) => sync())

/**
 * Runs with what brings the names in a directory to disk, which then needs no other descriptor: what cannot be opened
 * is refused before anything is created.
 */
export const withDirectory = async <A>(path: string, run: (sync: () => Promise<void>) => Promise<A>): Promise<A> => {
  // Windows has no descriptor of a directory, and makes its entries durable with the file.
  if (process.platform === "win32") return run(() => Promise.resolve())
  const descriptor = await open(path, "r")
  try {
    return await run(() => answer((callback) => Fs.fsync(descriptor, callback)))
  } finally {
    await close(descriptor)
  }
}

/** The most bytes of one call; Node refuses 2 GiB, and an entry may be larger than that with its size field. */
const maxLength = 1024 * 1024 * 1024

const readOnce = (
  descriptor: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number
): Promise<number> => answer((callback) => Fs.read(descriptor, buffer, offset, length, position, callback))

const writeOnce = (
  descriptor: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number
): Promise<number> => answer((callback) => Fs.write(descriptor, buffer, offset, length, position, callback))

/** Settles when the callback has come. */
const answer = <A = void>(call: (callback: (error: Error | null | undefined, value: A) => void) => void): Promise<A> =>
  new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value))))
