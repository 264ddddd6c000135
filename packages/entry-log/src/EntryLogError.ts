/**
 * The one error of this package: `EntryLogError`, with a tagged reason that
 * says what happened and a message that says what to do about it.
 *
 * Match on the reason with `Effect.catchReason("EntryLogError", "Locked", …)`.
 * What the operating system reports arrives here through {@link fromSystem} and
 * through nothing else.
 */
import * as Schema from "effect/Schema"
import * as Os from "node:os"
import * as Thrown from "./internal/thrown.ts"

const ReasonFields = {
  /** What happened, and what to do about it. */
  message: Schema.String,
  /** The operation that failed, as callers name it: `open`, `append`, `read`, … */
  operation: Schema.String,
  /** The directory of the entry logs, or the file in it that is meant. */
  path: Schema.String,
  /** What the operating system said. */
  cause: Schema.optional(Schema.Defect())
}

const id = <Tag extends string>(tag: Tag) => `@effect-bookie/entry-log/EntryLogError/${tag}` as const

/** The entry log has been released, or is being released. */
export class Closed extends Schema.TaggedError<Closed>(id("Closed"))("Closed", ReasonFields) {}

/** Another process, or another open in this one, writes to the directory. */
export class Locked extends Schema.TaggedError<Locked>(id("Locked"))("Locked", ReasonFields) {}

/** A write to a directory that was opened read-only. */
export class ReadOnly extends Schema.TaggedError<ReadOnly>(id("ReadOnly"))("ReadOnly", ReasonFields) {}

/** The caller passed something that no entry log could accept; nothing of that call was done. */
export class InvalidArgument extends Schema.TaggedError<InvalidArgument>(id("InvalidArgument"))(
  "InvalidArgument",
  ReasonFields
) {}

/** Bytes on disk are not what an entry log holds. */
export class Corruption extends Schema.TaggedError<Corruption>(id("Corruption"))("Corruption", ReasonFields) {}

/** There is no such log, or the location lies outside of what it holds. */
export class NotFound extends Schema.TaggedError<NotFound>(id("NotFound"))("NotFound", ReasonFields) {}

/** Another entry than the one that was asked for is at the location. */
export class WrongEntry extends Schema.TaggedError<WrongEntry>(id("WrongEntry"))("WrongEntry", ReasonFields) {}

/** There is no directory at the path, and it was not to be created. */
export class MissingDirectory extends Schema.TaggedError<MissingDirectory>(id("MissingDirectory"))(
  "MissingDirectory",
  ReasonFields
) {}

/** The disk is full. What was acknowledged stays readable. */
export class NoSpace extends Schema.TaggedError<NoSpace>(id("NoSpace"))("NoSpace", ReasonFields) {}

/** The operating system refused to open, read, write or sync. */
export class IOError extends Schema.TaggedError<IOError>(id("IOError"))("IOError", {
  ...ReasonFields,
  /** The operating system's code, where it gave one: `EMFILE`, `EIO`, … */
  code: Schema.optional(Schema.String)
}) {}

/**
 * The lock that keeps a second writer out cannot be had: the native part of `fs-native-extensions` cannot be loaded, or
 * the file system has no such locks. Read-only opens need none.
 */
export class LockUnavailable extends Schema.TaggedError<LockUnavailable>(id("LockUnavailable"))(
  "LockUnavailable",
  ReasonFields
) {}

/** The ways in which an operation on entry logs can fail. */
export type Reason =
  | Closed
  | Locked
  | ReadOnly
  | InvalidArgument
  | Corruption
  | NotFound
  | WrongEntry
  | MissingDirectory
  | NoSpace
  | IOError
  | LockUnavailable

/** The schema of {@link Reason}. */
export const Reason = Schema.Union([
  Closed,
  Locked,
  ReadOnly,
  InvalidArgument,
  Corruption,
  NotFound,
  WrongEntry,
  MissingDirectory,
  NoSpace,
  IOError,
  LockUnavailable
])

/** What every operation of this package fails with. */
export class EntryLogError extends Schema.TaggedError<EntryLogError>("@effect-bookie/entry-log/EntryLogError")(
  "EntryLogError",
  { reason: Reason }
) {
  /** The message of the reason. */
  override get message(): string {
    return this.reason.message
  }

  /** Whether the failure may go away by itself: see {@link isRetryable}. */
  get isRetryable(): boolean {
    return isRetryable(this)
  }
}

/**
 * Says whether the same call may succeed later although the caller changes
 * nothing: the other owner lets go (`Locked`), room is made (`NoSpace`), or what
 * the operating system was short of is there again (`IOError` with a code such
 * as `EMFILE`, `EAGAIN` or `ENOMEM`). A sync that failed is final.
 */
export const isRetryable = ({ reason }: EntryLogError): boolean =>
  reason._tag === "Locked" ||
  reason._tag === "NoSpace" ||
  (reason._tag === "IOError" && reason.operation !== "sync" && troubleOf(reason.code).passes === true)

/** Where a failure happened. */
export interface Where {
  readonly operation: string
  readonly path: string
}

/** Makes the `Closed` error of an operation that came after the release of its entry log. */
export const closed = (where: Where): EntryLogError =>
  make(Closed, where, `the entry log at ${where.path} is closed. Keep the work inside the scope of its Layer.`)

/** Makes the `Locked` error of an open that found another writer. */
export const locked = (where: Where): EntryLogError =>
  make(
    Locked,
    where,
    `another writer has the entry logs at ${where.path} open. Close it first, or open them with readOnly.`
  )

/** Makes the `ReadOnly` error of a write to entry logs that were opened read-only. */
export const readOnly = (where: Where): EntryLogError =>
  make(
    ReadOnly,
    where,
    `the entry logs at ${where.path} were opened read-only. Open them without readOnly to write to them.`
  )

/** Makes the `InvalidArgument` error of a call that was refused before anything of it was done. */
export const invalidArgument = (message: string, where: Where): EntryLogError => make(InvalidArgument, where, message)

/** Makes the `Corruption` error of a file whose bytes no entry log holds. */
export const corruption = (message: string, where: Where): EntryLogError =>
  make(
    Corruption,
    where,
    `${where.path}: ${message}. Restore the file from a copy, or go on without what is damaged, by a scan or a rebuild with salvage: true.`
  )

/** Makes the `NotFound` error of a log that is not where a symbolic link of its name points to. */
export const danglingLog = (target: string, where: Where): EntryLogError =>
  make(
    NotFound,
    where,
    `${where.path} is a symbolic link to ${target}, and there is nothing. Mount the disk that the log is on, or remove the ` +
      `link if its entries are to be gone.`
  )

/** Makes the `NotFound` error of a log that is not there: of the location of a read, or of a scan that had listed it. */
export const missingLog = (where: Where): EntryLogError =>
  where.operation === "read" || where.operation === "readBodies"
    ? notFound("there is no such log", where)
    : make(NotFound, where, `${where.path} has been removed since the logs were listed. Begin again without it.`)

/** Makes the `NotFound` error of a location that is in no log. */
export const notFound = (message: string, where: Where): EntryLogError =>
  make(NotFound, where, `${where.path}: ${message}. Look the location up again, or rebuild the index it came from.`)

/** Makes the `WrongEntry` error of a location that holds another entry. */
export const wrongEntry = (message: string, where: Where): EntryLogError =>
  make(WrongEntry, where, `${where.path}: ${message}. Look the location up again, or rebuild the index it came from.`)

/** Makes the `MissingDirectory` error of an open that found no directory and was not to create one. */
export const missingDirectory = (where: Where): EntryLogError =>
  make(
    MissingDirectory,
    where,
    `there is no directory at ${where.path}. Check the path, or open it without readOnly to create it.`
  )

/** Makes the error of an open for writing that could not load what locks the directory. */
export const lockNotLoaded = (cause: unknown, where: Where): EntryLogError =>
  // Whatever was loading, by its own code or by none, tells it in the words of the operating system.
  /too many open files/i.test(Thrown.messageOf(cause))
    ? ioError(where, `${Thrown.messageOf(cause)}. ${troubleOf("EMFILE").advice}`, cause, "EMFILE")
    : make(
        LockUnavailable,
        where,
        `the native part of "fs-native-extensions", which locks the directory, cannot be loaded by Node ` +
          `${process.version} (${Thrown.messageOf(cause)}). It is there for Linux with glibc, macOS and Windows, and needs a ` +
          `Node that may load addons. Entry logs that are opened with readOnly need no lock.`,
        cause
      )

/** Makes the `LockUnavailable` error of a file system that cannot lock. */
export const noLocks = (cause: unknown, where: Where): EntryLogError =>
  make(
    LockUnavailable,
    where,
    `the file system of ${where.path} has no locks of open files (${Thrown.messageOf(cause)}), so nothing would keep a second ` +
      `writer out. Put the directory on one that has, or let the mount have locks. Entry logs that are opened with ` +
      `readOnly need no lock.`,
    cause
  )

/** Makes the `IOError` of an owner whose lock has been taken away from under it. */
export const displacedLock = (where: Where): EntryLogError =>
  ioError(
    where,
    `the directory at ${where.path}, or entry-log.lock in it, has been removed or replaced while it was locked, so ` +
      `another writer may have opened it. Close it, and open it again when nobody else writes to it.`
  )

/**
 * Makes the final error of a sync that failed: an `IOError` whatever its code, since the operating system may have
 * dropped bytes that were acknowledged, and calls the next sync a success all the same.
 */
export const failedSync = (cause: unknown, path: string): EntryLogError =>
  ioError(
    { operation: "sync", path },
    `${Thrown.messageOf(cause)}, at ${path}. Entries since the last sync may be lost, and nothing is appended any more. ` +
      `Open the directory again to go on with what is there.`,
    cause
  )

/** Makes the `InvalidArgument` error of a log that is being written and was to be removed. */
export const logInUse = (logId: number, where: Where): EntryLogError =>
  invalidArgument(`log ${logId} is being written. Roll over to another one first.`, where)

/** Makes the final error of frames that failed half-way and could not be taken back. */
export const notTakenBack = (cause: unknown, path: string): EntryLogError =>
  ioError(
    { operation: "appendFrames", path },
    `${Thrown.messageOf(cause)}, at ${path}. Frames that failed stand in the logs and could not be removed, so nothing is ` +
      `appended any more. Open the directory again to go on with what is there.`,
    cause
  )

/** Classifies what the operating system reported, by its error code. */
export const fromSystem = (cause: unknown, where: Where): EntryLogError => {
  if (isEntryLogError(cause)) return cause
  const code = codeOf(cause)
  const text = `${Thrown.messageOf(cause)}, at ${where.path}.`
  return code === "ENOSPC" || code === "EDQUOT"
    ? make(NoSpace, where, `${text} Free some room on the device; entries that were acknowledged are kept.`, cause)
    : ioError(where, `${text} ${troubleOf(code).advice}`, cause)
}

/**
 * The error as one of the operation that was called, whichever step of it has failed. A failed sync stays what it is: it
 * is why later operations fail, too.
 */
export const inOperation = (error: EntryLogError, operation: string): EntryLogError => {
  const { reason } = error
  if (reason.operation === operation || reason.operation === "sync") return error
  const message = reason.message.replace(`${reason.operation}: `, `${operation}: `)
  const { cause, path } = reason
  const code = reason._tag === "IOError" ? reason.code : undefined
  const Class: new (fields: Fields & { readonly code: string | undefined }) => Reason = classes[reason._tag]
  return new EntryLogError({ reason: new Class({ operation, path, message, cause, code }) })
}

const classes = {
  Closed,
  Locked,
  ReadOnly,
  InvalidArgument,
  Corruption,
  NotFound,
  WrongEntry,
  MissingDirectory,
  NoSpace,
  IOError,
  LockUnavailable
}

/** Whether a cause is an error of the operating system with this code, such as `ENOENT`. */
export const hasCode = (cause: unknown, code: string): boolean => codeOf(cause) === code

/** Whether a cause is an error of this package with this reason. */
export const hasReason = (cause: unknown, tag: Reason["_tag"]): boolean =>
  isEntryLogError(cause) && cause.reason._tag === tag

/** A kind of trouble that the operating system can have. */
interface Trouble {
  readonly codes: ReadonlyArray<string>
  /** Whether it goes away by itself. */
  readonly passes?: boolean
  readonly advice: string
}

const troubles: ReadonlyArray<Trouble> = [
  {
    codes: ["EMFILE", "ENFILE"],
    passes: true,
    advice: "Try again with fewer files open, or raise the limit of open files (ulimit -n, or fs.file-max)."
  },
  {
    codes: ["ENOMEM", "ENOBUFS", "ERR_MEMORY_ALLOCATION_FAILED"],
    passes: true,
    advice: "Try again when there is memory to be had."
  },
  {
    codes: ["EAGAIN", "EINTR", "EBUSY", "ETIMEDOUT"],
    passes: true,
    advice: "It was refused for the moment: try again."
  },
  { codes: ["EACCES", "EPERM"], advice: "Let this user read and write the directory and its files." },
  { codes: ["EROFS"], advice: "The file system is mounted read-only: make it writable, or open with readOnly." },
  { codes: ["ENOENT", "ENOTDIR", "ESTALE"], advice: "Check that the directory is still there, and still mounted." },
  { codes: ["EFBIG"], advice: "Lower maxLogSize, or raise the limit of the file's size (ulimit -f)." },
  { codes: ["EIO", "ENXIO", "ENODEV"], advice: "Check the device: it failed to read or to write." }
]

const troubleOf = (code: string | undefined): Trouble =>
  troubles.find(({ codes }) => code !== undefined && codes.includes(code)) ?? otherwise

const otherwise: Trouble = {
  codes: [],
  advice: "Check the disk, its permissions, and that the directory is still there."
}

/** Also one that another realm, or another copy of this package, has made. */
const isEntryLogError = (cause: unknown): cause is EntryLogError =>
  Thrown.tagOf(cause) === "EntryLogError" && Thrown.tagOf(Thrown.property(cause, "reason")) !== undefined

const codeOf = (cause: unknown): string | undefined => {
  const code = Thrown.codeOf(cause)
  // libuv has no name for some, such as EDQUOT, ENOLCK and ESTALE.
  const number = Number(/^Unknown system error -(\d+)$/.exec(code ?? "")?.[1])
  return Object.entries(Os.constants.errno).find(([, errno]) => errno === number)?.[0] ?? code
}

interface Fields extends Where {
  readonly message: string
  readonly cause?: unknown
}

const ioError = (where: Where, message: string, cause?: unknown, code = codeOf(cause)): EntryLogError =>
  new EntryLogError({
    reason: new IOError({ ...fields(where, message, cause), ...(code === undefined ? {} : { code }) })
  })

const make = (Class: new (fields: Fields) => Reason, where: Where, message: string, cause?: unknown): EntryLogError =>
  new EntryLogError({ reason: new Class(fields(where, message, cause)) })

const fields = ({ operation, path }: Where, message: string, cause: unknown): Fields => ({
  operation,
  path,
  message: `${operation}: ${message}`,
  ...(cause === undefined ? {} : { cause: Thrown.toCause(cause) })
})
