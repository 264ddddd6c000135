/**
 * The entry logs of a directory, as `EntryLog` takes them: files that are named
 * by their ids in lower-case hexadecimal without leading zeros, then `.log`, or
 * links to such. Everything else is never opened, and does not count.
 */
import { Location } from "@effect-bookie/entry-log"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { ifCode } from "./systemErrors.ts"

/** An entry log. */
export interface LogFile {
  readonly id: number
  readonly path: string
  /** In bytes. */
  readonly size: number
}

/** The logs in a directory, by their ids. One that is removed meanwhile, or a link that leads nowhere, is left out. */
export const list = async (directory: string): Promise<ReadonlyArray<LogFile>> => {
  const logs: Array<LogFile> = []
  for (const name of await Fs.readdir(directory)) {
    const id = idOf(name)
    if (id === undefined) continue
    const path = Path.join(directory, name)
    const stat = await Fs.stat(path).catch(ifCode(undefined, "ENOENT", "ELOOP"))
    if (stat?.isFile() === true) logs.push({ id, path, size: stat.size })
  }
  return logs.toSorted((left, right) => left.id - right.id)
}

/** A symbolic link of the name of a log that leads nowhere, and where to: such a log may only be missing for now. */
export const findDangling = async (
  directory: string
): Promise<{ readonly path: string; readonly target: string } | undefined> => {
  for (const entry of await Fs.readdir(directory, { withFileTypes: true })) {
    if (!entry.isSymbolicLink() || idOf(entry.name) === undefined) continue
    const path = Path.join(directory, entry.name)
    if (await Fs.stat(path).catch(ifCode(undefined, "ENOENT"))) continue
    const target = await Fs.readlink(path).catch(ifCode(undefined, "ENOENT", "EINVAL"))
    if (target !== undefined) return { path, target }
  }
  return undefined
}

const idOf = (name: string): number | undefined => {
  const digits = /^(0|[1-9a-f][0-9a-f]*)\.log$/.exec(name)?.[1]
  const id = digits === undefined ? Number.NaN : Number.parseInt(digits, 16)
  return id <= Location.maxLogId ? id : undefined
}
