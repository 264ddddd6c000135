/**
 * The names in a directory of entry logs, and what is promised about them.
 *
 * - A log is a file that is named by its id in lower-case hexadecimal without
 *   leading zeros, then `.log`; or a symbolic link to one. A link that leads
 *   nowhere counts, since a log may be missing there. Everything else is left
 *   alone and never opened.
 * - `lastId` holds the id of the newest log, in hexadecimal, and a newline. It
 *   is replaced whole, before that log is created.
 * - The next id is above `lastId` and above every id that a name begins with,
 *   also that of a log which is being compacted.
 */
import type { Dirent } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as EntryLogError from "../EntryLogError.ts"
import { maxLogId } from "../Location.ts"
import * as Files from "./files.ts"

/** The path of a log. */
export const logPath = (directory: string, logId: number): string => Path.join(directory, logName(logId))

/** The name of a log. */
export const logName = (logId: number): string => `${logId.toString(16)}.log`

/** What is in a directory. */
export interface Listing {
  /** The ids of the logs, ascending. */
  readonly logIds: ReadonlyArray<number>
  /** What ends like a log, and is not named like one or is no file. */
  readonly foreign: ReadonlyArray<string>
  /** The highest id that any name begins with, or -1. */
  readonly highestId: number
}

/** Lists a directory. */
export const list = async (directory: string): Promise<Listing> => {
  const logIds: Array<number> = []
  const foreign: Array<string> = []
  let highestId = -1
  for (const entry of await Fs.readdir(directory, { withFileTypes: true })) {
    const { name } = entry
    const id = idOf(name)
    if (id !== undefined) highestId = Math.max(highestId, id)
    if (!name.endsWith(".log")) continue
    if (id !== undefined && name === logName(id) && (await mayBeLog(directory, entry))) logIds.push(id)
    else foreign.push(name)
  }
  return { logIds: logIds.toSorted((left, right) => left - right), foreign, highestId }
}

const mayBeLog = async (directory: string, entry: Dirent): Promise<boolean> => {
  if (!entry.isSymbolicLink()) return entry.isFile()
  const target = await Fs.stat(Path.join(directory, entry.name)).catch(() => undefined)
  return target?.isFile() !== false
}

/** Checks that the directory is there. */
export const find = async (directory: string): Promise<void> => {
  const stat = await Fs.stat(directory).catch((cause: unknown) => {
    if (EntryLogError.hasCode(cause, "ENOENT") || EntryLogError.hasCode(cause, "ENOTDIR")) return undefined
    throw cause
  })
  if (stat?.isDirectory() !== true) {
    throw EntryLogError.missingDirectory({ operation: "open", path: directory })
  }
}

/**
 * Creates the directory and what is missing above it, so that a power loss does not take it away again, or nothing. Its
 * own name is brought to disk in any case: the one that created it may have been killed before it could.
 */
export const create = async (directory: string): Promise<void> => {
  const first = await Fs.mkdir(directory, { recursive: true })
  try {
    for (const path of upTo(first ?? directory, directory)) await Files.syncDirectory(Path.dirname(path))
  } catch (cause) {
    // The next one to open it would take those above it for directories that are on disk already.
    if (first !== undefined) for (const path of upTo(first, directory)) await Fs.rmdir(path).catch(() => {})
    throw cause
  }
}

/** A directory, and those above it up to the first one, in this order. */
function* upTo(first: string, directory: string): Generator<string> {
  for (let path = directory; path.length >= first.length; path = Path.dirname(path)) yield path
}

/** The id that the next log is to have. */
export const nextLogId = async (directory: string, { highestId }: Listing): Promise<number> =>
  Math.max(highestId, await readLastId(directory)) + 1

/** Replaces `lastId`, whole or not at all. */
export const writeLastId = async (directory: string, logId: number): Promise<void> => {
  const temporary = Path.join(directory, "lastId.tmp")
  try {
    await Fs.writeFile(temporary, `${logId.toString(16)}\n`, { flush: true })
    await Fs.rename(temporary, Path.join(directory, "lastId"))
  } catch (cause) {
    await Fs.rm(temporary, { force: true }).catch(() => {})
    throw cause
  }
}

/** The id in `lastId`, or -1 where that is missing or holds none, as BookKeeper takes it. */
const readLastId = async (directory: string): Promise<number> => {
  const text = await Fs.readFile(Path.join(directory, "lastId"), "latin1").catch((cause: unknown) => {
    if (EntryLogError.hasCode(cause, "ENOENT")) return ""
    throw cause
  })
  return parseId(/^([0-9a-f]+)\r?(\n|$)/i.exec(text)?.[1]) ?? -1
}

/** The id that a name begins with: `1f.log`, `1f.log.compacting`, `1f.log.2.compacted`. */
const idOf = (name: string): number | undefined => parseId(/^([0-9a-f]+)\.log(\.|$)/i.exec(name)?.[1])

const parseId = (digits: string | undefined): number | undefined => {
  if (digits === undefined) return undefined
  const id = Number.parseInt(digits, 16)
  return id <= maxLogId ? id : undefined
}
