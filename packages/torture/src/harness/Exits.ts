/**
 * What became of an operation: which of our errors it failed with, and how to
 * say that in a finding.
 */
import type { EntryLogError } from "@effect-bookie/entry-log"
import type { RocksDBError } from "@effect-bookie/rocksdb"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/** The errors of our packages. */
export type Failure = RocksDBError.RocksDBError | EntryLogError.EntryLogError

/** The typed error that an operation failed with; `undefined` if it succeeded, was interrupted, or died. */
export const errorOf = (exit: Exit.Exit<unknown, unknown>): Failure | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return isFailure(error) ? error : undefined
}

/** The tag of the reason of that error, such as `Closed`. */
export const reasonOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => errorOf(exit)?.reason._tag

/** An exit, or none if there was none in time, for a finding. */
export const describe = (exit: Option.Option<Exit.Exit<unknown, unknown>>): string => {
  if (Option.isNone(exit)) return "nothing in all that time"
  if (Exit.isSuccess(exit.value)) return "success"
  const error = errorOf(exit.value)
  return error === undefined ? Cause.pretty(exit.value.cause) : `${error.reason._tag}: ${error.message}`
}

const isFailure = (error: unknown): error is Failure =>
  Predicate.isTagged(error, "RocksDBError") || Predicate.isTagged(error, "EntryLogError")
