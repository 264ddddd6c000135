/**
 * The one error of this package: `LedgerStorageError`, with a tagged reason that
 * says what happened and a message that says what to do about it.
 *
 * Match on the reason with `Effect.catchReason("LedgerStorageError", "Fenced", …)`.
 * Every backend of `LedgerStorage` fails with these reasons and no others. What
 * an operating system reports becomes one of them in {@link fromSystem}.
 */
import * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { isProxy } from "node:util/types"

const ReasonFields = {
  /** What happened, and what to do about it. */
  message: Schema.String,
  /** The operation that failed, as callers name it: `open`, `append`, `read`, … */
  operation: Schema.String,
  /** Which storage: its directory, or another name that its backend has for it. */
  storage: Schema.String,
  /** What the layer below said. */
  cause: Schema.optional(Schema.Defect())
}

const LedgerFields = {
  ...ReasonFields,
  /** The ledger that is meant. */
  ledgerId: LedgerId.LedgerId
}

const id = <Tag extends string>(tag: Tag) => `@effect-bookie/ledger-storage/LedgerStorageError/${tag}` as const

/** There is no such ledger: it was never created, or it has been deleted. */
export class NoLedger extends Schema.TaggedError<NoLedger>(id("NoLedger"))("NoLedger", LedgerFields) {}

/** A ledger of this id exists, or once existed: an id is never used twice. */
export class LedgerExists extends Schema.TaggedError<LedgerExists>(id("LedgerExists"))("LedgerExists", LedgerFields) {}

/** The ledger has been fenced: it can be read and takes no more entries. */
export class Fenced extends Schema.TaggedError<Fenced>(id("Fenced"))("Fenced", LedgerFields) {}

/** There is no room for the write. What was acknowledged stays readable, and deletes go on. */
export class NoSpace extends Schema.TaggedError<NoSpace>(id("NoSpace"))("NoSpace", ReasonFields) {}

/** Stored bytes are not what was written. */
export class Corruption extends Schema.TaggedError<Corruption>(id("Corruption"))("Corruption", ReasonFields) {}

/** The caller passed something that no storage could accept; nothing of that call was done. */
export class InvalidArgument extends Schema.TaggedError<InvalidArgument>(id("InvalidArgument"))(
  "InvalidArgument",
  ReasonFields
) {}

/** Another process, or another open in this one, owns the storage. */
export class Locked extends Schema.TaggedError<Locked>(id("Locked"))("Locked", ReasonFields) {}

/** The storage has been released, or is being released. */
export class Closed extends Schema.TaggedError<Closed>(id("Closed"))("Closed", ReasonFields) {}

/** A write to a storage that was opened read-only. */
export class ReadOnly extends Schema.TaggedError<ReadOnly>(id("ReadOnly"))("ReadOnly", ReasonFields) {}

/** The storage could not be read or written, for a reason outside of it. */
export class IOError extends Schema.TaggedError<IOError>(id("IOError"))("IOError", {
  ...ReasonFields,
  /** The code of the operating system, such as `EMFILE`, where it gave one. */
  code: Schema.optional(Schema.String)
}) {}

/** The ways in which an operation on a ledger storage can fail. */
export type Reason =
  | NoLedger
  | LedgerExists
  | Fenced
  | NoSpace
  | Corruption
  | InvalidArgument
  | Locked
  | Closed
  | ReadOnly
  | IOError

/** The schema of {@link Reason}. */
export const Reason = Schema.Union([
  NoLedger,
  LedgerExists,
  Fenced,
  NoSpace,
  Corruption,
  InvalidArgument,
  Locked,
  Closed,
  ReadOnly,
  IOError
])

/** What every operation of this package fails with. */
export class LedgerStorageError extends Schema.TaggedError<LedgerStorageError>(
  "@effect-bookie/ledger-storage/LedgerStorageError"
)("LedgerStorageError", { reason: Reason }) {
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
 * room is made (`NoSpace`), or the operating system was short of something for a moment (`IOError` with a code such as
 * `EMFILE`).
 *
 * An append that failed otherwise than with `NoLedger`, `Fenced` or `InvalidArgument` may be there all the same: whoever
 * tries it again must be able to tell an entry that is there twice.
 */
export const isRetryable = ({ reason }: LedgerStorageError): boolean => {
  switch (reason._tag) {
    case "Locked":
    case "NoSpace":
      return true
    case "IOError":
      return reason.code !== undefined && passingCodes.has(reason.code)
    default:
      return false
  }
}

/** Where a failure happened. */
export interface Where {
  readonly operation: string
  readonly storage: string
}

/** Makes the `NoLedger` error of an operation on a ledger that is not there. */
export const noLedger = (ledgerId: LedgerId.LedgerId, { operation, storage }: Where): LedgerStorageError =>
  new LedgerStorageError({
    reason: new NoLedger({
      operation,
      storage,
      ledgerId,
      message: `${operation}: there is no ledger ${ledgerId} in ${storage}. Create it first, or check whether it has been deleted.`
    })
  })

/** Makes the `LedgerExists` error of a creation with an id that has been given before. */
export const ledgerExists = (ledgerId: LedgerId.LedgerId, { operation, storage }: Where): LedgerStorageError =>
  new LedgerStorageError({
    reason: new LedgerExists({
      operation,
      storage,
      ledgerId,
      message: `${operation}: ${storage} has a ledger ${ledgerId}, or had one, and an id is never used twice. Choose another id, or leave it out to be given one.`
    })
  })

/** Makes the `Fenced` error of an append to a ledger that takes no more. */
export const fenced = (ledgerId: LedgerId.LedgerId, { operation, storage }: Where): LedgerStorageError =>
  new LedgerStorageError({
    reason: new Fenced({
      operation,
      storage,
      ledgerId,
      message: `${operation}: ledger ${ledgerId} in ${storage} has been fenced and takes no more entries. Append to another ledger.`
    })
  })

/** Makes the `NoSpace` error of a write that has no room. */
export const noSpace = (message: string, where: Where, cause?: unknown): LedgerStorageError =>
  new LedgerStorageError({
    reason: new NoSpace(
      fields(
        where,
        `${message}. Free some room on the device, or delete ledgers: acknowledged entries are kept.`,
        cause
      )
    )
  })

/** Makes the `Corruption` error of bytes that no storage wrote. The message names the file and the byte. */
export const corruption = (message: string, where: Where, cause?: unknown): LedgerStorageError =>
  new LedgerStorageError({
    reason: new Corruption(
      fields(
        where,
        `${message}. Restore it from a copy, or run check to see how much of the storage is damaged.`,
        cause
      )
    )
  })

/** Makes the `InvalidArgument` error of a call that was refused before anything of it was done. */
export const invalidArgument = (message: string, where: Where): LedgerStorageError =>
  new LedgerStorageError({ reason: new InvalidArgument(fields(where, message)) })

/** Makes the `Locked` error of an open that found another owner. */
export const locked = (where: Where, cause?: unknown): LedgerStorageError =>
  new LedgerStorageError({
    reason: new Locked(
      fields(where, `${where.storage} has another owner. Close that one first, or open it with readOnly.`, cause)
    )
  })

/** Makes the `Closed` error of an operation that came after the release of its storage. */
export const closed = (where: Where): LedgerStorageError =>
  new LedgerStorageError({
    reason: new Closed(
      fields(where, `the ledger storage ${where.storage} is closed. Keep the work inside the scope of its Layer.`)
    )
  })

/** Makes the `ReadOnly` error of a write to a storage that was opened read-only. */
export const readOnly = (where: Where): LedgerStorageError =>
  new LedgerStorageError({
    reason: new ReadOnly(
      fields(where, `${where.storage} was opened read-only. Open it without readOnly to write to it.`)
    )
  })

/** Classifies what the operating system, or a library on top of it, reported: by its error code. */
export const fromSystem = (cause: unknown, where: Where): LedgerStorageError => {
  if (isLedgerStorageError(cause)) return cause
  const { code, text } = describe(cause)
  if (code !== undefined && fullCodes.has(code)) return noSpace(`${text}, at ${where.storage}`, where, cause)
  const advice =
    code !== undefined && passingCodes.has(code)
      ? "Try again in a moment; if that does not help, raise the limit that was met."
      : "Check the disk, its permissions, and that the directory is still there."
  return new LedgerStorageError({
    reason: new IOError({
      ...fields(where, `${text}, at ${where.storage}. ${advice}`, cause),
      ...(code === undefined ? {} : { code })
    })
  })
}

/** The error as one of the operation that was called, whichever step of it has failed. */
export const inOperation = (error: LedgerStorageError, operation: string): LedgerStorageError => {
  const { reason } = error
  if (reason.operation === operation) return error
  const { cause, storage } = reason
  const message = reason.message.replace(`${reason.operation}: `, `${operation}: `)
  const common = { operation, storage, message, ...(cause === undefined ? {} : { cause }) }
  switch (reason._tag) {
    case "NoLedger":
    case "LedgerExists":
    case "Fenced":
      return new LedgerStorageError({
        reason: new ofLedger[reason._tag]({ ...common, ledgerId: reason.ledgerId })
      })
    case "IOError":
      return new LedgerStorageError({ reason: new IOError({ ...common, code: reason.code }) })
    default:
      return new LedgerStorageError({ reason: new ofStorage[reason._tag](common) })
  }
}

const ofLedger = { NoLedger, LedgerExists, Fenced }
const ofStorage = { NoSpace, Corruption, InvalidArgument, Locked, Closed, ReadOnly }

/** The codes of a full device and of a quota that is used up. */
const fullCodes: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"])

/** The codes of what the operating system is short of for a moment. */
const passingCodes: ReadonlySet<string> = new Set([
  "EAGAIN",
  "EBUSY",
  "EINTR",
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "EWOULDBLOCK"
])

/** Errors of another realm (vm, jsdom), or of another copy of this package, are errors: so by shape, not by class. */
const isLedgerStorageError = (cause: unknown): cause is LedgerStorageError =>
  property(cause, "_tag") === "LedgerStorageError" && typeof property(property(cause, "reason"), "_tag") === "string"

const describe = (cause: unknown): { readonly text: string; readonly code: string | undefined } => {
  const message = property(cause, "message")
  const code = property(cause, "code")
  return {
    text: typeof message === "string" ? message : nameOf(cause),
    code: typeof code === "string" ? code : undefined
  }
}

const nameOf = (cause: unknown): string => {
  try {
    return typeof cause === "object" && cause !== null ? Object.prototype.toString.call(cause) : String(cause)
  } catch {
    return "what was thrown cannot be read"
  }
}

/** What an error carries under a name, as far as that can be read. */
const property = (cause: unknown, name: string): unknown => {
  try {
    return Predicate.hasProperty(cause, name) ? cause[name] : undefined
  } catch {
    return undefined
  }
}

const fields = ({ operation, storage }: Where, message: string, cause?: unknown) => ({
  operation,
  storage,
  message: `${operation}: ${message}`,
  // Nobody need be able to touch a proxy.
  ...(cause === undefined ? {} : { cause: isProxy(cause) ? new Error("a Proxy was thrown") : cause })
})
