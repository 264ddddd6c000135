/**
 * What every id of this package is: a bigint in 0..2^63-1, which is what the
 * eight bytes of a positive int64 hold.
 */
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import { describe } from "./describe.ts"

/** The largest id. */
export const maximum = 0x7fff_ffff_ffff_ffffn

/** Whether a value is a bigint from 0 to {@link maximum}. */
export const inRange = (value: unknown): value is bigint => typeof value === "bigint" && value >= 0n && value <= maximum

/** A schema of all ids, to be branded. */
export const IdSchema = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum }))

/** From the lowest id to the highest. */
export const order: Order.Order<bigint> = Order.BigInt

/** What may be an id: a bigint as it is, and of a number that is whole and exact its bigint. */
export const fromInput = (value: bigint | number): unknown =>
  typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value

/** The bigint of an id in decimal digits, as it is printed; of any other text `undefined`. */
export const fromDigits = (text: string): bigint | undefined => {
  // Nothing longer is in range, and a text of a million digits takes BigInt seconds.
  if (typeof text !== "string" || !/^\d{1,19}$/.test(text)) return undefined
  const id = BigInt(text)
  return inRange(id) ? id : undefined
}

/** What a `make` throws when it is given something else. */
export const outOfRange = (what: string, value: unknown): RangeError =>
  new RangeError(
    `the ${what} must be a bigint from 0 to 2^63-1, not ${typeof value === "number" ? "the number " : ""}${describe(value)}`
  )
