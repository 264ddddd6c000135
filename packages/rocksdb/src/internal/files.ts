/**
 * The file-system calls of this package, on plain descriptors: each settles
 * when the operating system has answered.
 */
import * as Fs from "node:fs"

// Looked up at each call, so that a test can watch what reaches the disk.

/** The names in a directory. */
export const readdir = (path: string): Promise<Array<string>> => answer((callback) => Fs.readdir(path, callback))

/** Opens a file. */
export const open = (path: string, flags: string): Promise<number> =>
  answer((callback) => Fs.open(path, flags, callback))

/** Closes a descriptor. */
export const close = (descriptor: number): Promise<void> => answer((callback) => Fs.close(descriptor, callback))

/** What a descriptor is of, with numbers that are exact. */
export const fstat = (descriptor: number): Promise<Fs.BigIntStats> =>
  answer((callback) => Fs.fstat(descriptor, { bigint: true }, callback))

/** Brings a file to disk. */
export const fsync = (descriptor: number): Promise<void> => answer((callback) => Fs.fsync(descriptor, callback))

/** Brings the bytes and the size of a file to disk. */
export const fdatasync = (descriptor: number): Promise<void> => answer((callback) => Fs.fdatasync(descriptor, callback))

/** Settles when the callback has come. */
const answer = <A = void>(call: (callback: (error: Error | null | undefined, value: A) => void) => void): Promise<A> =>
  new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)))
  })
