/**
 * A call that was refused before RocksDB saw it, which works on as if nothing
 * had been.
 */
import * as Predicate from "effect/Predicate"

/** Makes the error of a call one of a refusal. */
export const of = (error: Error): Error => {
  refusals.add(error)
  return error
}

/** Whether it is one. */
export const is = (cause: unknown): boolean => Predicate.isObjectKeyword(cause) && refusals.has(cause)

const refusals = new WeakSet<object>()
