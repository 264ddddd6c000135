/**
 * The file-system calls of this package, on plain descriptors: each settles
 * when the operating system has answered, and reads and writes go on until all
 * is done.
 */
import * as Fs from "node:fs"
import { promisify } from "node:util"

/** Opens a file. */
export const open: (path: string, flags: string) => Promise<number> = promisify<string, string, number>(Fs.open)

/** Closes a descriptor. */
export const close: (descriptor: number) => Promise<void> = promisify(Fs.close)

/** Brings the bytes and the size of a file to disk. */
export const fdatasync: (descriptor: number) => Promise<void> = promisify(Fs.fdatasync)

/** Cuts a file off. */
export const truncate: (descriptor: number, size: number) => Promise<void> = promisify<number, number>(Fs.ftruncate)

/** The size of a file in bytes. */
export const sizeOf = (descriptor: number): Promise<number> =>
  new Promise((resolve, reject) =>
    Fs.fstat(descriptor, (error, stat) => (error === null ? resolve(stat.size) : reject(error)))
  )

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
    const count = await readOnce(descriptor, buffer, done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}

/** Writes a buffer whole at a position of a file. */
export const write = async (descriptor: number, buffer: Uint8Array, position: number): Promise<void> => {
  for (let done = 0; done < buffer.length;) done += await writeOnce(descriptor, buffer, done, position + done)
}

/** Brings the names in a directory to disk. */
export const syncDirectory = async (path: string): Promise<void> => {
  // Windows has no descriptor of a directory, and makes its entries durable with the file.
  if (process.platform === "win32") return
  const descriptor = await open(path, "r")
  try {
    await fsync(descriptor)
  } finally {
    await close(descriptor)
  }
}

const fsync = promisify(Fs.fsync)

const readOnce = (descriptor: number, buffer: Uint8Array, offset: number, position: number): Promise<number> =>
  new Promise((resolve, reject) =>
    Fs.read(descriptor, buffer, offset, buffer.length - offset, position, (error, count) =>
      error === null ? resolve(count) : reject(error)
    )
  )

const writeOnce = (descriptor: number, buffer: Uint8Array, offset: number, position: number): Promise<number> =>
  new Promise((resolve, reject) =>
    Fs.write(descriptor, buffer, offset, buffer.length - offset, position, (error, count) =>
      error === null ? resolve(count) : reject(error)
    )
  )
