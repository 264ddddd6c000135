/**
 * Says which bytes and which names of this process have reached the disk, as
 * far as Node brought them there: to be imported before everything else.
 *
 * Prints `synced INODE SIZE` when a sync of a file has succeeded, with the size
 * that the file had when the sync began, and `names INODE NAME…` for one of a
 * directory, with the names and inodes that it had then. What RocksDB syncs by
 * itself is not seen.
 */
import type * as Fs from "node:fs"
import { syncBuiltinESMExports, createRequire } from "node:module"

const fs: typeof Fs = createRequire(import.meta.url)("node:fs")

/** What a sync of a descriptor that begins now will have brought to disk. */
const promised = (descriptor: number): string => {
  const stat = fs.fstatSync(descriptor)
  if (!stat.isDirectory()) return `synced ${stat.ino} ${stat.size}\n`
  const path = fs.readlinkSync(`/proc/self/fd/${descriptor}`)
  const names = fs.readdirSync(path).flatMap((name) => {
    const entry = fs.lstatSync(`${path}/${name}`, { throwIfNoEntry: false })
    return entry === undefined ? [] : [`${entry.ino}/${name}`]
  })
  return `names ${stat.ino} ${names.join(" ")}\n`
}

const say = (line: string): void => void fs.writeSync(1, line)

type Sync = typeof Fs.fsync

const recording = (sync: (descriptor: number, callback: Fs.NoParamCallback) => void) =>
  ((descriptor: number, callback: Fs.NoParamCallback) => {
    const line = promised(descriptor)
    sync(descriptor, (error) => {
      if (error === null) say(line)
      callback(error)
    })
  }) as Sync

fs.fsync = recording(fs.fsync)
fs.fdatasync = recording(fs.fdatasync)

const handle = await fs.promises.open(import.meta.filename)
const prototype: Pick<Fs.promises.FileHandle, "fd" | "sync" | "datasync"> = Object.getPrototypeOf(handle)
await handle.close()
for (const name of ["sync", "datasync"] as const) {
  const sync = prototype[name]
  prototype[name] = async function (this: Fs.promises.FileHandle) {
    const line = promised(this.fd)
    await sync.call(this)
    say(line)
  }
}

syncBuiltinESMExports()
