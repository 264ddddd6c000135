/**
 * The failure of a call that was held back from RocksDB, which works on as if
 * nothing had been.
 */
import * as Predicate from "effect/Predicate"

/** Marks the error of such a call. */
export const of = (error: Error): Error => {
  refusals.add(error)
  return error
}

/** Whether it is one. */
export const is = (cause: unknown): boolean => Predicate.isObjectKeyword(cause) && refusals.has(cause)

const refusals = new WeakSet<object>()
