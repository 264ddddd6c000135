/**
 * The directory of a database, before and after RocksDB sees it.
 *
 * A file named `ENGINE` says which engine wrote the directory, because what
 * RocksDB 10 writes RocksDB 6 cannot read. A new database is named before it is
 * opened, so that no crash leaves one without a name; a database that another
 * program wrote is named once its first open has succeeded. What is left of a
 * damaged database is never taken for a new one.
 *
 * Unless it is only read, the directory is locked before anything in it changes
 * (see `ownerLock.ts`). What is refused otherwise is refused before that, and
 * left as it was, as far as it can be told without RocksDB: of a database of
 * another program that RocksDB refuses itself, only its LOG is begun anew, and
 * `OWNER.lock` stays.
 */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as RocksDBError from "../RocksDBError.ts"
import * as ForeignOptions from "./foreignOptions.ts"
import * as OwnerLock from "./ownerLock.ts"
import * as Thrown from "./thrown.ts"

/** How a directory is to be opened, and by whom. */
export interface Request {
  readonly path: string
  readonly engine: string
  readonly readOnly: boolean
  readonly createIfMissing: boolean
}

/** A directory that the engine may open. */
export interface Directory {
  /** Without symbolic links: RocksDB tells two opens of one directory apart by its path alone. */
  readonly path: string
  /** To be run once the open has succeeded. */
  readonly opened: Effect.Effect<void, RocksDBError.RocksDBError>
  /** Rejects unless the directory still is at its path. */
  readonly check: () => Promise<void>
  /** Lets others open it. To be called when nothing touches the files in it any more. */
  readonly release: () => Promise<void>
}

/**
 * Finds or creates the directory, checks that the engine may open it, and locks it. Not to be interrupted: who came here
 * may remove the directory once this has ended, and not before.
 */
export const prepare = (request: Request): Effect.Effect<Directory, RocksDBError.RocksDBError> =>
  Effect.suspend(() => {
    const path = Path.resolve(request.path)
    return attempt(path, () => find({ ...request, path }))
  }).pipe(Effect.uninterruptible)

const attempt = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, RocksDBError.RocksDBError> =>
  Effect.tryPromise({ try: run, catch: (cause) => RocksDBError.fromNative(cause, { operation: "open", path }) })

const { markerName } = OwnerLock

const find = async (request: Request): Promise<Directory> => {
  const created = creates(request) ? await Fs.mkdir(request.path, { recursive: true }) : undefined
  const path = await Fs.realpath(request.path).catch(async (cause) => {
    throw isMissing(cause) ? missing(request.path) : cause
  })
  await inspect(path, request)
  if (request.readOnly) return { path, opened: Effect.void, check: nothing, release: nothing }
  const lock = await OwnerLock.take({ operation: "open", path })
  try {
    // Its owner until now may have changed it since it was looked at.
    const { exists, marker } = await inspect(path, request)
    if (!exists) await syncNames(path, created === undefined ? path : await Fs.realpath(created))
    if (!exists && marker === undefined) await writeMarker(path, request.engine)
    const adopt = exists && marker === undefined
    if (!adopt) await lock.holdMarker()
    const opened = adopt ? attempt(path, () => adoptAs(path, request.engine, lock)) : Effect.void
    return { path, opened: Effect.uninterruptible(opened), check: lock.check, release: lock.release }
  } catch (cause) {
    await lock.release()
    throw cause
  }
}

const nothing = async (): Promise<void> => {}

const creates = ({ createIfMissing, readOnly }: Request): boolean => createIfMissing && !readOnly

/** Whether a database is there, and the engine that it is marked with; rejects if it may not be opened. */
const inspect = async (
  path: string,
  request: Request
): Promise<{ readonly exists: boolean; readonly marker: string | undefined }> => {
  const exists = await isFile(Path.join(path, "CURRENT"))
  if (!exists) await refuseRemains(path)
  if (!exists && !creates(request)) throw missing(request.path)
  const marker = await readMarker(path)
  refuseOther(request, marker)
  if (exists && marker === undefined && !request.readOnly) await ForeignOptions.check(path, request.engine)
  return { exists, marker }
}

/**
 * Brings the name of a new directory to disk, and those of the directories above it from the first one that was created:
 * else a power loss takes the whole database away. Also where the one that created them was killed before it could.
 */
const syncNames = async (path: string, first: string): Promise<void> => {
  for (let created = path; created.length >= first.length; created = Path.dirname(created)) {
    await syncDirectory(Path.dirname(created))
  }
}

const syncDirectory = async (path: string): Promise<void> => {
  // Windows has no descriptor of a directory, and makes its entries durable with the file.
  if (process.platform === "win32") return
  const directory = await Fs.open(path, "r")
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Refuses what is left of a database that has lost the file with which RocksDB begins to read: taking the directory for
 * a new one, RocksDB would delete the rest. A database that was killed while it was created has no such files yet.
 */
const refuseRemains = async (path: string): Promise<void> => {
  const remains = (await Fs.readdir(path)).find((name) => /^\d+\.(sst|log)$/.test(name))
  if (remains === undefined) return
  throw new RocksDBError.RocksDBError({
    reason: new RocksDBError.Corruption({
      operation: "open",
      path,
      message:
        `open: the database at ${path} has lost its CURRENT file, but not ${remains}. ` +
        `Restore the directory from a copy, or rebuild it from its source.`
    })
  })
}

const refuseOther = ({ engine, path }: Request, marker: string | undefined): void => {
  if (marker === undefined || marker === engine) return
  throw new RocksDBError.RocksDBError({
    reason: new RocksDBError.UnsupportedFormat({
      operation: "open",
      path,
      message:
        `open: the database at ${path} was written by the engine "${marker}", not by "${engine}". ` +
        `Open it with that engine, or build it anew in another directory.`
    })
  })
}

const readMarker = async (path: string): Promise<string | undefined> => {
  try {
    return (await Fs.readFile(Path.join(path, markerName), "utf8")).trim()
  } catch (cause) {
    if (isMissing(cause)) return undefined
    throw cause
  }
}

/** Marks a database that another program wrote. */
const adoptAs = async (path: string, engine: string, lock: OwnerLock.OwnerLock): Promise<void> => {
  await writeMarker(path, engine)
  await lock.holdMarker()
}

/** Writes the marker whole or not at all, and never over one that is there. */
const writeMarker = async (path: string, engine: string): Promise<void> => {
  const temporary = Path.join(path, `${markerName}.${randomUUID()}`)
  try {
    await Fs.writeFile(temporary, `${engine}\n`, { flag: "wx", flush: true })
    await Fs.link(temporary, Path.join(path, markerName))
  } catch (cause) {
    if (Thrown.codeOf(cause) !== "EEXIST") throw cause
  } finally {
    await Fs.rm(temporary, { force: true })
  }
}

const missing = (path: string) =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.MissingDatabase({
      operation: "open",
      path,
      message: `open: there is no database at ${path}. Check the path, or let createIfMissing be true without readOnly.`
    })
  })

const isFile = (path: string): Promise<boolean> =>
  Fs.stat(path).then(
    (stat) => stat.isFile(),
    (cause) => {
      if (isMissing(cause)) return false
      throw cause
    }
  )

const isMissing = (cause: unknown): boolean => Thrown.codeOf(cause) === "ENOENT"
