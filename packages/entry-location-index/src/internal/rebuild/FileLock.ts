/**
 * A lock on a file, held by an open descriptor: it goes with the process.
 */
import * as RocksDBError from "@effect-bookie/rocksdb/RocksDBError"
import * as Fs from "node:fs/promises"
import { createRequire } from "node:module"

/** A lock that is held. */
export interface FileLock {
  readonly release: () => Promise<void>
}

/** The part of `fs-native-extensions` 1 that is used here; the package ships no types. */
interface Native {
  /** Exchanges two paths: one atomic system call on Linux and macOS. */
  readonly swap: (from: string, to: string) => Promise<void>
  /** Takes an exclusive lock, or answers false at once if another descriptor of any process has it. */
  readonly tryLock: (descriptor: number) => boolean
}

/** Loads the addon when it is first used: where none can be loaded, what needs none still works. */
export const native: Native = {
  swap: async (from, to) => load().swap(from, to),
  tryLock: (descriptor) => load().tryLock(descriptor)
}

const load = (): Native => {
  try {
    return createRequire(import.meta.url)("fs-native-extensions")
  } catch (cause) {
    throw new RocksDBError.RocksDBError({
      reason: new RocksDBError.EngineUnavailable({
        operation: "rebuild",
        path: "",
        cause,
        message:
          `rebuild: the addon "fs-native-extensions", which takes locks and exchanges directories, cannot be loaded by Node ` +
          `${process.version} on this ${process.platform}-${process.arch} (${String(cause)}). Run it where addons are ` +
          "allowed, and where there is a prebuilt binary."
      })
    })
  }
}

/**
 * Locks a file, which is created if it is missing, or answers `undefined` if it is locked. Rejects with ENOENT if its
 * directory is missing, or if the file was removed meanwhile.
 */
export const take = async (path: string, flags: string | number = "a+"): Promise<FileLock | undefined> => {
  const file = await Fs.open(path, flags)
  try {
    if (!native.tryLock(file.fd)) {
      await file.close()
      return undefined
    }
    const [ours, there] = await Promise.all([file.stat(), Fs.lstat(path)])
    if (ours.ino !== there.ino) throw Object.assign(new Error(`${path} was replaced`), { code: "ENOENT" })
  } catch (cause) {
    await file.close()
    throw cause
  }
  return { release: () => file.close() }
}
