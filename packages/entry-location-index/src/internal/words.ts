/**
 * Ids as two 32-bit halves, and as keys of a `Map`.
 *
 * Arithmetic on bigints allocates and calls into the runtime; storing one in a
 * typed array and reading its halves does not. A `Map` finds a number several
 * times faster than a bigint, so an id below 2^53 is a number there.
 */

const scratch = new BigInt64Array(1)
const halves = new Int32Array(scratch.buffer)

/** Where the halves of a bigint lie in memory, in words: the low one first, but for big-endian machines. */
export const lowAt = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1
export const highAt = 1 - lowAt

/** The lower 32 bits of an id, signed. */
export const low = (id: bigint): number => {
  scratch[0] = id
  return halves[lowAt] ?? 0
}

/** The upper 32 bits of an id. Not negative, as no id is. */
export const high = (id: bigint): number => {
  scratch[0] = id
  return halves[highAt] ?? 0
}

/** The id of two halves. */
export const join = (high: number, low: number): bigint => {
  halves[lowAt] = low
  halves[highAt] = high
  return scratch[0] ?? 0n
}

/** Writes an id into 8 bytes, big-endian. */
export const write = (bytes: Uint8Array, at: number, id: bigint): void => writeHalves(bytes, at, high(id), low(id))

/** Writes the halves of an id into 8 bytes, big-endian. Cheaper than making a `DataView` for each few bytes. */
export const writeHalves = (bytes: Uint8Array, at: number, high: number, low: number): void => {
  bytes[at] = high >>> 24
  bytes[at + 1] = high >>> 16
  bytes[at + 2] = high >>> 8
  bytes[at + 3] = high
  bytes[at + 4] = low >>> 24
  bytes[at + 5] = low >>> 16
  bytes[at + 6] = low >>> 8
  bytes[at + 7] = low
}

/** Reads 8 bytes, big-endian, of which there must be as many; negative if the upper bit is set. */
export const read = (bytes: Uint8Array, at: number): bigint => join(wordAt(bytes, at), wordAt(bytes, at + 4))

/** An id as the key of a `Map`: a number where it is exact. */
export type MapKey = number | bigint

/** The key of an id. */
export const mapKey = (id: bigint): MapKey => mapKeyOf(high(id), low(id))

/** The key of the id of two halves. */
export const mapKeyOf = (high: number, low: number): MapKey =>
  high < 0x20_0000 ? high * 0x1_0000_0000 + (low >>> 0) : join(high, low)

/** Whether the id of two halves is above that of two others. */
export const isAbove = (high: number, low: number, otherHigh: number, otherLow: number): boolean =>
  high > otherHigh || (high === otherHigh && low >>> 0 > otherLow >>> 0)

const wordAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
