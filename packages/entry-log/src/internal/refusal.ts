/**
 * Refuses arguments and options: what is thrown while they are read becomes one
 * `InvalidArgument`, also what a getter or a proxy of the caller throws.
 */
import * as Effect from "effect/Effect"
import * as EntryLogError from "../EntryLogError.ts"
import * as Thrown from "./thrown.ts"

/** Why an argument is refused. */
export class Refusal extends Error {
  readonly _tag = "Refusal"
}

/** Answers what `read` takes, or throws `InvalidArgument` for what it refuses, or cannot read. */
export const take = <A>(where: EntryLogError.Where, read: () => A): A => {
  try {
    return read()
  } catch (cause) {
    throw EntryLogError.invalidArgument(problemOf(cause), where)
  }
}

/** The same as an effect, which reads when it runs. */
export const taken = <A>(where: EntryLogError.Where, read: () => A): Effect.Effect<A, EntryLogError.EntryLogError> =>
  Effect.try({ try: read, catch: (cause) => EntryLogError.invalidArgument(problemOf(cause), where) })

const problemOf = (cause: unknown): string =>
  Thrown.tagOf(cause) === "Refusal" ? Thrown.messageOf(cause) : `an argument cannot be read: ${Thrown.messageOf(cause)}`
