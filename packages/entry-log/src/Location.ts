/**
 * Where an entry is: `logId << 32 | position`, where the position is the offset
 * in the file of the byte after the entry's size field. A branded bigint in
 * 0..2^63-1; every one of them is a location, 0 too.
 */
import type * as Order_ from "effect/Order"
import * as Schema from "effect/Schema"
import * as Id from "./internal/id.ts"

/** The schema of locations. */
export const Location = Id.IdSchema.pipe(Schema.brand("@effect-bookie/entry-log/Location"))

/** The location of an entry. */
export type Location = typeof Location.Type

/** The location of a bigint or a whole number. Throws a `RangeError` outside of 0..2^63-1, and of a number above 2^53-1. */
export const make = (value: bigint | number): Location => {
  const id = Id.fromInput(value)
  if (!is(id)) throw Id.outOfRange("location", value)
  return id
}

/** The location in decimal digits, as it is printed, or `undefined` if the text is none. */
export const fromString = (text: string): Location | undefined => {
  const id = Id.fromDigits(text)
  return id === undefined ? undefined : make(id)
}

/** From the lowest location to the highest. */
export const Order: Order_.Order<Location> = Id.order

/** Whether a value is a location. */
export const is = (value: unknown): value is Location => Id.inRange(value)

/** The largest log id. */
export const maxLogId = 0x7fff_ffff

/** The largest position. */
export const maxPosition = 0xffff_ffff

/**
 * The location of a position in a log. Throws a `RangeError` unless the log id is a whole number in 0..2^31-1 and the
 * position one in 0..2^32-1.
 */
export const fromLog = (logId: number, position: number): Location => {
  if (!isWhole(logId, maxLogId))
    throw new RangeError(`the log id must be a whole number from 0 to 2^31-1, not ${logId}`)
  if (!isWhole(position, maxPosition)) {
    throw new RangeError(`the position must be a whole number from 0 to 2^32-1, not ${position}`)
  }
  // The same as `BigInt(logId) << 32n | BigInt(position)`, without three bigints on the way: each append makes one.
  words.setUint32(0, logId)
  words.setUint32(4, position)
  return make(words.getBigInt64(0))
}

const words = new DataView(new ArrayBuffer(8))

/** The id of the log that a location is in. */
export const logId = (location: Location): number => Number(location >> 32n)

/** The offset in its log of the byte after the entry's size field. */
export const position = (location: Location): number => Number(location & 0xffff_ffffn)

const isWhole = (value: number, maximum: number): boolean => Number.isInteger(value) && value >= 0 && value <= maximum
