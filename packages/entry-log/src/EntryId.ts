/**
 * The id of an entry within its ledger: a branded bigint in 0..2^63-1, so that it cannot be
 * swapped for another kind of id.
 */
import * as Schema from "effect/Schema"
import * as Id from "./internal/id.ts"

/** The schema of entry ids. */
export const EntryId = Id.IdSchema.pipe(Schema.brand("@effect-bookie/entry-log/EntryId"))

/** The id of an entry. */
export type EntryId = typeof EntryId.Type

/** The entry id of a bigint. Throws a `RangeError` outside of 0..2^63-1. */
export const make = (value: bigint): EntryId => {
  if (!is(value)) throw Id.outOfRange("entry id", value)
  return value
}

/** Whether a value is an entry id. */
export const is = (value: unknown): value is EntryId => Id.inRange(value)
