/**
 * A lock on a file, held by an open descriptor: it goes with the process.
 */
import * as Fs from "node:fs/promises"
import { createRequire } from "node:module"

/** A lock that is held. */
export interface FileLock {
  readonly release: () => Promise<void>
}

/** The part of `fs-native-extensions` 1 that is used here; the package ships no types. */
export const native: {
  /** Exchanges two paths: one atomic system call on Linux and macOS. */
  readonly swap: (from: string, to: string) => Promise<void>
  /** Takes an exclusive lock, or answers false at once if another descriptor of any process has it. */
  readonly tryLock: (descriptor: number) => boolean
} = createRequire(import.meta.url)("fs-native-extensions")

/**
 * Locks a file, which is created if it is missing, or answers `undefined` if it is locked. Rejects with ENOENT if its
 * directory is missing, or if the file was removed meanwhile.
 */
export const take = async (path: string): Promise<FileLock | undefined> => {
  const file = await Fs.open(path, "a+")
  try {
    if (!native.tryLock(file.fd)) {
      await file.close()
      return undefined
    }
    const [ours, there] = await Promise.all([file.stat(), Fs.stat(path)])
    if (ours.ino !== there.ino) throw Object.assign(new Error(`${path} was replaced`), { code: "ENOENT" })
  } catch (cause) {
    await file.close()
    throw cause
  }
  return { release: () => file.close() }
}
