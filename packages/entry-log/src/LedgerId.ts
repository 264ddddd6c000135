/**
 * The id of a ledger: a branded bigint in 0..2^63-1, so that it cannot be
 * swapped for another kind of id.
 */
import type * as Order_ from "effect/Order"
import * as Schema from "effect/Schema"
import * as Id from "./internal/id.ts"

/** The schema of ledger ids. */
export const LedgerId = Id.IdSchema.pipe(Schema.brand("@effect-bookie/entry-log/LedgerId"))

/** The id of a ledger. */
export type LedgerId = typeof LedgerId.Type

/** The ledger id of a bigint or a whole number. Throws a `RangeError` outside of 0..2^63-1, and of a number above 2^53-1. */
export const make = (value: bigint | number): LedgerId => {
  const id = Id.fromInput(value)
  if (!is(id)) throw Id.outOfRange("ledger id", value)
  return id
}

/** The ledger id in decimal digits, as it is printed, or `undefined` if the text is none. */
export const fromString = (text: string): LedgerId | undefined => {
  const id = Id.fromDigits(text)
  return id === undefined ? undefined : make(id)
}

/** From the lowest ledger id to the highest. */
export const Order: Order_.Order<LedgerId> = Id.order

/** Whether a value is a ledger id. */
export const is = (value: unknown): value is LedgerId => Id.inRange(value)
