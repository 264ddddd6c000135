/**
 * The id of an entry within its ledger: a branded bigint in 0..2^63-1, so that it cannot be
 * swapped for another kind of id.
 */
import type * as Order_ from "effect/Order"
import * as Schema from "effect/Schema"
import * as Id from "./internal/id.ts"

/** The schema of entry ids. */
export const EntryId = Id.IdSchema.pipe(Schema.brand("@effect-bookie/entry-log/EntryId"))

/** The id of an entry. */
export type EntryId = typeof EntryId.Type

/** The entry id of a bigint or a whole number. Throws a `RangeError` outside of 0..2^63-1, and of a number above 2^53-1. */
export const make = (value: bigint | number): EntryId => {
  const id = Id.fromInput(value)
  if (!is(id)) throw Id.outOfRange("entry id", value)
  return id
}

/** The entry id in decimal digits, as it is printed, or `undefined` if the text is none. */
export const fromString = (text: string): EntryId | undefined => {
  const id = Id.fromDigits(text)
  return id === undefined ? undefined : make(id)
}

/** From the lowest entry id to the highest. */
export const Order: Order_.Order<EntryId> = Id.order

/** Whether a value is an entry id. */
export const is = (value: unknown): value is EntryId => Id.inRange(value)
