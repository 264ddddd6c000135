/**
 * Refuses arguments and options: what is thrown while they are read becomes one
 * `InvalidArgument`, also what a getter or a proxy of the caller throws.
 */
import * as Predicate from "effect/Predicate"
import * as RocksDBError from "../RocksDBError.ts"
import * as Thrown from "./thrown.ts"

/** Why an argument is refused. */
export class Refusal extends Error {
  readonly _tag = "Refusal"
}

/** Answers what `read` takes, or throws `InvalidArgument` for what it refuses, or cannot read. */
export const take = <A>(where: RocksDBError.Where, read: () => A): A => {
  try {
    return read()
  } catch (cause) {
    throw RocksDBError.invalidArgument(problemOf(cause), where)
  }
}

/** Why `read` failed, for a message. */
export const problemOf = (cause: unknown): string =>
  Predicate.isTagged(cause, "Refusal")
    ? Thrown.messageOf(cause)
    : `an argument cannot be read: ${Thrown.messageOf(cause)}`
