/**
 * The id of a ledger: a branded bigint in 0..2^63-1, so that it cannot be
 * swapped for another kind of id.
 */
import * as Schema from "effect/Schema"
import * as Id from "./internal/id.ts"

/** The schema of ledger ids. */
export const LedgerId = Id.IdSchema.pipe(Schema.brand("@effect-bookie/entry-log/LedgerId"))

/** The id of a ledger. */
export type LedgerId = typeof LedgerId.Type

/** The ledger id of a bigint. Throws a `RangeError` outside of 0..2^63-1. */
export const make = (value: bigint): LedgerId => {
  if (!is(value)) throw Id.outOfRange("ledger id", value)
  return value
}

/** Whether a value is a ledger id. */
export const is = (value: unknown): value is LedgerId => Id.inRange(value)
