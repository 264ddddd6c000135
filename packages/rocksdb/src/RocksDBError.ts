/**
 * The one error of this package: `RocksDBError`, with a tagged reason that
 * says what happened and a message that says what to do about it.
 *
 * Match on the reason with `Effect.catchReason("RocksDBError", "Locked", …)`.
 * Failures that a native binding reports arrive here through
 * {@link fromNative} and through nothing else.
 */
import * as Schema from "effect/Schema"
import * as FailedSync from "./internal/failedSync.ts"
import * as SystemError from "./internal/systemError.ts"
import * as Thrown from "./internal/thrown.ts"

const ReasonFields = {
  /** What happened, and what to do about it. */
  message: Schema.String,
  /** The operation that failed, as callers name it: `open`, `get`, `write`, … */
  operation: Schema.String,
  /** The directory of the database. */
  path: Schema.String,
  /** What the native binding or the operating system said. */
  cause: Schema.optional(Schema.Defect())
}

const id = <Tag extends string>(tag: Tag) => `@effect-bookie/rocksdb/RocksDBError/${tag}` as const

/** The database has been released, or is being released. */
export class Closed extends Schema.TaggedError<Closed>(id("Closed"))("Closed", ReasonFields) {}

/** Another process, or another open in this one, owns the directory; see `DirectoryLock`. */
export class Locked extends Schema.TaggedError<Locked>(id("Locked"))("Locked", ReasonFields) {}

/** Bytes on disk are not what was written. */
export class Corruption extends Schema.TaggedError<Corruption>(id("Corruption"))("Corruption", ReasonFields) {}

/** There is no database at the path, and it was not to be created. */
export class MissingDatabase extends Schema.TaggedError<MissingDatabase>(id("MissingDatabase"))(
  "MissingDatabase",
  ReasonFields
) {}

/** A write to a database that was opened read-only. */
export class ReadOnly extends Schema.TaggedError<ReadOnly>(id("ReadOnly"))("ReadOnly", ReasonFields) {}

/** The caller passed something that no database could accept; nothing of that call was done. */
export class InvalidArgument extends Schema.TaggedError<InvalidArgument>(id("InvalidArgument"))(
  "InvalidArgument",
  ReasonFields
) {}

/** The disk is full. What was acknowledged stays readable. */
export class NoSpace extends Schema.TaggedError<NoSpace>(id("NoSpace"))("NoSpace", ReasonFields) {}

/** The operating system refused to read or write. */
export class IOError extends Schema.TaggedError<IOError>(id("IOError"))("IOError", {
  ...ReasonFields,
  /** The operating system's own name for what went wrong, such as `EMFILE`, where it gave one. */
  code: Schema.optional(Schema.String)
}) {}

/** What is native, a binding or the lock of a directory, cannot be loaded on this machine or this Node. */
export class EngineUnavailable extends Schema.TaggedError<EngineUnavailable>(id("EngineUnavailable"))(
  "EngineUnavailable",
  ReasonFields
) {}

/** The directory was written by another engine, or by a later version. */
export class UnsupportedFormat extends Schema.TaggedError<UnsupportedFormat>(id("UnsupportedFormat"))(
  "UnsupportedFormat",
  ReasonFields
) {}

/** The ways in which an operation on a database can fail. */
export type Reason =
  | Closed
  | Locked
  | Corruption
  | MissingDatabase
  | ReadOnly
  | InvalidArgument
  | NoSpace
  | IOError
  | EngineUnavailable
  | UnsupportedFormat

/** The schema of {@link Reason}. */
export const Reason = Schema.Union([
  Closed,
  Locked,
  Corruption,
  MissingDatabase,
  ReadOnly,
  InvalidArgument,
  NoSpace,
  IOError,
  EngineUnavailable,
  UnsupportedFormat
])

/** What every operation of this package fails with. */
export class RocksDBError extends Schema.TaggedError<RocksDBError>("@effect-bookie/rocksdb/RocksDBError")(
  "RocksDBError",
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
 * Says whether the same call may succeed later although the caller changes nothing: the other owner lets go (`Locked`),
 * room is made (`NoSpace`), or what the operating system was short of is to be had again, which is an `IOError` whose
 * code is EMFILE, ENFILE, EAGAIN, EINTR, EBUSY, ETXTBSY, ENOBUFS, ENOMEM or ETIMEDOUT.
 */
export const isRetryable = ({ reason }: RocksDBError): boolean => {
  if (reason._tag === "IOError") return reason.code !== undefined && SystemError.troubleOf(reason.code)?.passes === true
  return reason._tag === "Locked" || reason._tag === "NoSpace"
}

/** Where a failure happened. */
export interface Where {
  readonly operation: string
  readonly path: string
}

/** Makes the `Closed` error of an operation that came after the release of its database. */
export const closed = ({ operation, path }: Where): RocksDBError =>
  new RocksDBError({
    reason: new Closed({
      operation,
      path,
      message: `${operation}: the database at ${path} is closed. Keep the work inside the scope of its Layer.`
    })
  })

/** Makes the `InvalidArgument` error of a call that was refused before it reached the binding. */
export const invalidArgument = (message: string, { operation, path }: Where): RocksDBError =>
  new RocksDBError({ reason: new InvalidArgument({ operation, path, message: `${operation}: ${message}` }) })

/**
 * Classifies what a native binding or the operating system reported.
 *
 * What the operating system said decides first, whatever file it said it of. Both bindings carry RocksDB's status as
 * text only (`rocksdb-native` adds a code that does not tell corruption from I/O), so for the rest the text decides, in
 * the words of RocksDB's `util/status.cc`.
 */
export const fromNative = (cause: unknown, { operation, path }: Where): RocksDBError => {
  if (isRocksDBError(cause)) return cause
  const native = describe(cause)
  // The directory's name is the user's choice, and says nothing about the failure.
  const text = native.text.replaceAll(path, "")
  const code = SystemError.codeOf(native.cause, text)
  const { make, advice } = FailedSync.is(native.cause, text) ? failedSync : ruleOf({ text, code, status: native.code })
  const message = `${operation} at ${path}: ${native.text || "failed without a message"}. ${advice}`
  return new RocksDBError({ reason: make({ operation, path, message, cause: Thrown.toCause(cause) }, code) })
}

/** The error as one of the operation that was called, whichever step of it has failed. */
export const inOperation = (error: RocksDBError, operation: string): RocksDBError => {
  const { reason } = error
  if (reason.operation === operation) return error
  const message = reason.message.startsWith(reason.operation)
    ? `${operation}${reason.message.slice(reason.operation.length)}`
    : reason.message
  const { cause, path } = reason
  const code = reason._tag === "IOError" ? reason.code : undefined
  const Class: new (fields: Fields) => Reason = classes[reason._tag]
  return new RocksDBError({ reason: new Class({ operation, path, message, cause, code }) })
}

const classes = {
  Closed,
  Locked,
  Corruption,
  MissingDatabase,
  ReadOnly,
  InvalidArgument,
  NoSpace,
  IOError,
  EngineUnavailable,
  UnsupportedFormat
}

interface Fields extends Where {
  readonly message: string
  readonly cause: unknown
  readonly code: string | undefined
}

/** What was said: the text, the operating system's code, and what the binding makes of RocksDB's status. */
interface Native {
  readonly text: string
  readonly code: string | undefined
  readonly status: string
}

interface Verdict {
  readonly make: (
    fields: {
      readonly operation: string
      readonly path: string
      readonly message: string
      readonly cause: unknown
    },
    code: string | undefined
  ) => Reason
  readonly advice: string
}

interface Rule extends Verdict {
  readonly matches: (native: Native) => boolean
}

/** Also one that another realm, or another copy of this package, has made. */
const isRocksDBError = (cause: unknown): cause is RocksDBError =>
  Thrown.tagOf(cause) === "RocksDBError" && Thrown.tagOf(Thrown.property(cause, "reason")) !== undefined

const describe = (thrown: unknown): { readonly cause: unknown; readonly text: string; readonly code: string } => {
  // `rocksdb-native` wraps what RocksDB said of a write.
  const inner = Thrown.messageOf(thrown) === "Batch was not applied" ? Thrown.property(thrown, "cause") : undefined
  const cause = inner ?? thrown
  return { cause, text: Thrown.messageOf(cause), code: Thrown.codeOf(cause) ?? "" }
}

const textMatches = (pattern: RegExp) => (native: Native) => pattern.test(native.text)

const ioError: Verdict["make"] = (fields, code) => new IOError({ ...fields, code })

const failedSync: Verdict = {
  make: ioError,
  advice:
    "Whether what was written since the last sync is on disk cannot be told any more: see what the kernel's log says " +
    "of the device, then open the database anew."
}

/** What a text says more of than the code of the operating system in it. */
const beforeTheCode: ReadonlyArray<Rule> = [
  {
    matches: textMatches(/session is closed|database is not open|cannot call .* before open/i),
    make: (fields) => new Closed(fields),
    advice: "The database is closed."
  },
  {
    matches: ({ code, text }) =>
      /lock hold by current process/i.test(text) ||
      (/while lock file/i.test(text) && (code === "EAGAIN" || code === "EACCES")),
    make: (fields) => new Locked(fields),
    advice: "Another open of this directory is alive: close it first, or open read-only."
  },
  {
    matches: ({ code, text }) =>
      code === "ENOSPC" || code === "EDQUOT" || /no space left on device|space limit|disk quota exceeded/i.test(text),
    make: (fields) => new NoSpace(fields),
    advice: "Free some room on the device; entries that were acknowledged are kept."
  }
]

/** What the text alone can say. */
const afterTheCode: ReadonlyArray<Rule> = [
  {
    matches: textMatches(/does not exist \(create_if_missing is false\)|CURRENT: No such file or directory/i),
    make: (fields) => new MissingDatabase(fields),
    advice: "Check the path, or let createIfMissing be true."
  },
  {
    matches: textMatches(/read.?only mode/i),
    make: (fields) => new ReadOnly(fields),
    advice: "Open the database without readOnly to write to it."
  },
  {
    matches: textMatches(/unknown footer version|unsupported.*format|not supported in this build|unknown format/i),
    make: (fields) => new UnsupportedFormat(fields),
    advice: "Open it with the engine and the version that wrote it, or rebuild it into a new directory."
  },
  {
    matches: ({ status, text }) =>
      /corruption|checksum mismatch|bad magic|malformed|manifest|CURRENT file/i.test(text) ||
      (status === "EIO" && !/while |io error|no such file|input\/output error|i\/o error/i.test(text)),
    make: (fields) => new Corruption(fields),
    advice: "Restore the directory from a copy, or rebuild it from its source."
  },
  {
    matches: ({ status, text }) => status === "EINVAL" || /invalid argument/i.test(text),
    make: (fields) => new InvalidArgument(fields),
    advice: "RocksDB refused the argument."
  }
]

/** The first rule that matches decides. */
const ruleOf = (native: Native): Verdict => {
  const matches = (rule: Rule) => rule.matches(native)
  const telling = beforeTheCode.find(matches)
  if (telling !== undefined) return telling
  const trouble = native.code === undefined ? undefined : SystemError.troubleOf(native.code)
  if (trouble !== undefined) return { make: ioError, advice: trouble.advice }
  return (
    afterTheCode.find(matches) ?? {
      make: ioError,
      advice: "Check the disk, its permissions, and that the directory is still there."
    }
  )
}
