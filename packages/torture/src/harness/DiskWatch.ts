/**
 * Watches what this process brings to disk: the size of each file at its last
 * fdatasync or fsync. To be imported before the modules that are watched.
 */
import Fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import * as Path from "node:path"

const synced = new Map<number, number>()

type Callback = (error: NodeJS.ErrnoException | null) => void

const watch =
  (real: (descriptor: number, callback: Callback) => void) =>
  (descriptor: number, callback: Callback): void => {
    const { ino, size } = Fs.fstatSync(descriptor)
    real(descriptor, (error) => {
      if (error === null) synced.set(ino, size)
      callback(error)
    })
  }

Object.assign(Fs, { fdatasync: watch(Fs.fdatasync), fsync: watch(Fs.fsync) })
syncBuiltinESMExports()

/** The log files of a directory that hold bytes which this process has not brought to disk. */
export const unsynced = (directory: string): ReadonlyArray<string> =>
  Fs.readdirSync(directory)
    .filter((name) => name.endsWith(".log"))
    .filter((name) => {
      const { ino, size } = Fs.statSync(Path.join(directory, name))
      return size > (synced.get(ino) ?? 0)
    })
