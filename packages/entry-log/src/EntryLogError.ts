/**
 * The one error of this package: `EntryLogError`, with a tagged reason that
 * says what happened and a message that says what to do about it.
 *
 * Match on the reason with `Effect.catchReason("EntryLogError", "Locked", …)`.
 * What the operating system reports arrives here through {@link fromSystem} and
 * through nothing else.
 */
import * as Schema from "effect/Schema"

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

/** The operating system refused to read or write. */
export class IOError extends Schema.TaggedError<IOError>(id("IOError"))("IOError", ReasonFields) {}

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
  IOError
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
 * nothing: the other owner lets go (`Locked`), or room is made (`NoSpace`).
 */
export const isRetryable = (error: EntryLogError): boolean =>
  error.reason._tag === "Locked" || error.reason._tag === "NoSpace"

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
    `${where.path}: ${message}. Restore the file from a copy, or move it out of the directory to go on without its entries.`
  )

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

/** Classifies what the operating system reported, by its error code. */
export const fromSystem = (cause: unknown, where: Where): EntryLogError => {
  if (cause instanceof EntryLogError) return cause
  const text = cause instanceof Error ? cause.message : String(cause)
  return hasCode(cause, "ENOSPC") || hasCode(cause, "EDQUOT")
    ? make(
        NoSpace,
        where,
        `${text}, at ${where.path}. Free some room on the device; entries that were acknowledged are kept.`,
        cause
      )
    : make(
        IOError,
        where,
        `${text}, at ${where.path}. Check the disk, its permissions, and that the directory is still there.`,
        cause
      )
}

/** Whether a cause is an error of the operating system with this code, such as `ENOENT`. */
export const hasCode = (cause: unknown, code: string): boolean =>
  cause instanceof Error && "code" in cause && cause.code === code

interface Fields extends Where {
  readonly message: string
  readonly cause?: unknown
}

const make = (
  Class: new (fields: Fields) => Reason,
  { operation, path }: Where,
  message: string,
  cause?: unknown
): EntryLogError =>
  new EntryLogError({
    reason: new Class({
      operation,
      path,
      message: `${operation}: ${message}`,
      ...(cause === undefined ? {} : { cause })
    })
  })
