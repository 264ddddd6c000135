/**
 * The locations of up to 256 consecutive entries of one ledger, in memory and
 * as bytes. Pure.
 *
 * In memory a page has two 32-bit words for each slot up to the highest one
 * that is set, so a ledger of one entry costs no more than it must.
 *
 * As bytes:
 *
 * - the version, 1
 * - the highest slot that is set
 * - 0 if every slot below it is set too; else 1 and a bit for each slot, the
 *   lowest slot first
 * - for each slot that is set its location, as it follows from the one before
 *   (at first from 0): a varint of how much further on it is in the same log;
 *   or 0, then varints of its log id and position
 *
 * An empty page is its version alone. Neighbours mostly are one entry size
 * apart, which takes two bytes. One page has one encoding: `decode` accepts
 * what `encode` writes and nothing else.
 */
import type * as Location from "@effect-bookie/entry-log/Location"
import * as Result from "effect/Result"
import * as Words from "../words.ts"

/** How many slots a page has. */
export const slotCount = 256

/** The version of the encoding. */
export const version = 1

/** Version, highest slot, a marker and a bit for each slot, and three varints a slot at worst. */
export const maxEncodedLength = 3 + slotCount / 8 + slotCount * (1 + 5 + 5)

/** The locations of a page, by slot. */
export interface LocationPage {
  /** The low and the high word of each slot's location; the high word of a slot that is not set is negative. */
  words: Int32Array<ArrayBuffer>
  /** How many slots there are up to the highest one that is set; room behind it is not set. */
  length: number
  /** How many slots are set. */
  count: number
}

/** Makes an empty page, with room for so many slots; it grows when there are more. */
export const make = (room = 0): LocationPage => ({
  words: room === 0 ? noWords : new Int32Array(2 * room).fill(unset),
  length: 0,
  count: 0
})

/** The location in a slot from 0 to 255, or `undefined`. */
export const get = (page: LocationPage, slot: number): Location.Location | undefined => {
  if (slot >= page.length) return undefined
  const high = page.words[2 * slot + 1] ?? unset
  if (high < 0) return undefined
  // Its upper bit is not set, so it is within the range of a location.
  return Words.join(high, page.words[2 * slot] ?? 0) as Location.Location
}

/** Whether a slot from 0 to 255 is set. */
export const has = (page: LocationPage, slot: number): boolean =>
  slot < page.length && (page.words[2 * slot + 1] ?? unset) >= 0

/** Sets the location in a slot from 0 to 255, and answers whether the slot was not set before. */
export const set = (page: LocationPage, slot: number, location: Location.Location): boolean =>
  setHalves(page, slot, Words.high(location), Words.low(location))

/**
 * Sets the slots from one on whose locations are in `words`, from `at` on: the low and the high word of each, the high
 * one negative where a slot is to be left as it is.
 */
export const setRange = (page: LocationPage, first: number, words: Int32Array, at: number, slots: number): void => {
  for (let nth = 0; nth < slots; nth++) {
    const high = words[at + 2 * nth + 1] ?? unset
    if (high >= 0) setHalves(page, first + nth, high, words[at + 2 * nth] ?? 0)
  }
}

/** The bytes of a page, at most {@link maxEncodedLength} of them. */
export const encode = (page: LocationPage): Uint8Array<ArrayBuffer> => output.slice(0, encodeInto(output, 0, page))

/** Writes the bytes of a page where there is room for {@link maxEncodedLength}, and answers where they end. */
export const encodeInto = (bytes: Uint8Array, start: number, page: LocationPage): number => {
  bytes[start] = version
  if (page.length === 0) return start + 1
  bytes[start + 1] = page.length - 1
  let at = encodeSlots(bytes, start + 2, page)
  let previousHigh = 0
  let previousLow = 0
  for (let slot = 0; slot < page.length; slot++) {
    const high = page.words[2 * slot + 1] ?? unset
    if (high < 0) continue
    const low = (page.words[2 * slot] ?? 0) >>> 0
    if (high === previousHigh && low > previousLow) {
      at = encodeVarint(bytes, at, low - previousLow)
    } else {
      bytes[at] = 0
      at = encodeVarint(bytes, encodeVarint(bytes, at + 1, high), low)
    }
    previousHigh = high
    previousLow = low
  }
  return at
}

/** The page of its bytes, or what is wrong with them. Allocates no more than a page, whatever the bytes are. */
export const decode = (bytes: Uint8Array): Result.Result<LocationPage, string> => {
  const page = make()
  const problem = decodeInto(page, bytes)
  return problem === undefined ? Result.succeed(page) : Result.fail(problem)
}

/** The same into an empty page, or what is wrong: then the page is of no use until it is cleared. */
export const decodeInto = (page: LocationPage, bytes: Uint8Array): string | undefined => {
  if (bytes[0] !== version) return `its version is ${bytes[0] ?? "missing"}, not ${version}`
  return bytes.length === 1 ? undefined : (decodeSlots(bytes, page) ?? decodeLocations(bytes, page))
}

/**
 * The location in a slot of a page as bytes, `undefined` if it is not set, or what is wrong with them. Cheaper than to
 * decode the page where only few slots are asked for; what lies behind the slot is not looked at.
 */
export const locate = (bytes: Uint8Array, slot: number): Location.Location | undefined | string => {
  if (bytes[0] !== version) return `its version is ${bytes[0] ?? "missing"}, not ${version}`
  const length = (bytes[1] ?? 0) + 1
  if (bytes.length === 1 || slot >= length) return undefined
  if (bytes[2] === denseMarker) return locateNth(bytes, 3, slot)
  if (bytes[2] !== sparseMarker || bytes.length < 3 + bitmapLength(length)) return truncated
  let nth = 0
  for (let at = 0; at < slot; at++) if (isSetIn(bytes, at)) nth += 1
  return isSetIn(bytes, slot) ? locateNth(bytes, 3 + bitmapLength(length), nth) : undefined
}

/** Makes room for all slots, so that they can be set in `words` by hand. */
export const makeRoom = (page: LocationPage): void => {
  if (page.words.length < 2 * slotCount) grow(page, slotCount)
}

/** Makes a page empty, and keeps its room. */
export const clear = (page: LocationPage): void => {
  page.words.fill(unset, 0, 2 * page.length)
  page.length = 0
  page.count = 0
}

/** The high word of a slot that is not set. */
const unset = -1

const noWords = new Int32Array(0)

const setHalves = (page: LocationPage, slot: number, high: number, low: number): boolean => {
  if (slot >= page.length) {
    if (2 * slot >= page.words.length) grow(page, slot + 1)
    page.length = slot + 1
  }
  const wasUnset = (page.words[2 * slot + 1] ?? unset) < 0
  page.words[2 * slot] = low
  page.words[2 * slot + 1] = high
  if (wasUnset) page.count += 1
  return wasUnset
}

/** Makes room to spare, so that a page which is filled slot by slot is copied a few times only. */
const grow = (page: LocationPage, length: number): void => {
  const { words } = page
  page.words = new Int32Array(2 * Math.min(slotCount, Math.max(length, smallest, page.length * 4)))
  page.words.set(words)
  page.words.fill(unset, words.length)
}

/** How many slots a page has room for at first: as many as V8 keeps in its own heap, where an array costs little. */
const smallest = 8

const output = new Uint8Array(maxEncodedLength)

const denseMarker = 0
const sparseMarker = 1

/** Writes which slots are set, and answers where the locations begin. */
const encodeSlots = (bytes: Uint8Array, start: number, page: LocationPage): number => {
  if (page.count === page.length) {
    bytes[start] = denseMarker
    return start + 1
  }
  bytes[start] = sparseMarker
  const first = start + 1
  const end = first + bitmapLength(page.length)
  bytes.fill(0, first, end)
  for (let slot = 0; slot < page.length; slot++) {
    if (has(page, slot)) bytes[first + (slot >> 3)] = (bytes[first + (slot >> 3)] ?? 0) | (1 << (slot & 7))
  }
  return end
}

const bitmapLength = (slots: number): number => (slots + 7) >> 3

const encodeVarint = (bytes: Uint8Array, start: number, value: number): number => {
  let at = start
  let rest = value
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

/** Reads which slots are set: the high words of those are 0, to be filled in. Or says what is wrong. */
const decodeSlots = (bytes: Uint8Array, page: LocationPage): string | undefined => {
  const length = (bytes[1] ?? 0) + 1
  if (page.words.length < 2 * length) page.words = new Int32Array(2 * length)
  const { words } = page
  page.length = length
  page.count = length
  words.fill(0, 0, 2 * length)
  if (bytes[2] === denseMarker) return undefined
  if (bytes[2] !== sparseMarker) return bytes.length < 3 ? truncated : "it does not say which slots are set"
  if (bytes.length < 3 + bitmapLength(length)) return truncated
  for (let slot = 0; slot < bitmapLength(length) * 8; slot++) {
    const isSet = ((bytes[3 + (slot >> 3)] ?? 0) & (1 << (slot & 7))) !== 0
    if (isSet && slot >= length) return "a slot above the highest one is set"
    if (isSet || slot >= length) continue
    page.count -= 1
    words[2 * slot + 1] = unset
  }
  if ((words[2 * length - 1] ?? unset) < 0) return "the highest slot is not set"
  return page.count === length ? "it lists the slots although all of them are set" : undefined
}

/** Fills in the locations of the slots that are set, or says what is wrong. */
const decodeLocations = (bytes: Uint8Array, { count, length, words }: LocationPage): string | undefined => {
  next = count === length ? 3 : 3 + bitmapLength(length)
  let high = 0
  let low = 0
  for (let slot = 0; slot < length; slot++) {
    if ((words[2 * slot + 1] ?? unset) < 0) continue
    const step = decodeVarint(bytes)
    if (step > 0) {
      low += step
      if (low > maxLow) return "a position is out of range"
    } else {
      if (step < 0) return badVarint
      const nextHigh = decodeVarint(bytes)
      const nextLow = decodeVarint(bytes)
      if (nextHigh < 0 || nextLow < 0) return badVarint
      if (nextHigh > maxHigh) return "a log id is out of range"
      if (nextHigh === high && nextLow > low) return "a location is spelled out although it follows from the one before"
      high = nextHigh
      low = nextLow
    }
    words[2 * slot] = low
    words[2 * slot + 1] = high
  }
  return next === bytes.length ? undefined : `${bytes.length - next} bytes follow its end`
}

const isSetIn = (bytes: Uint8Array, slot: number): boolean => ((bytes[3 + (slot >> 3)] ?? 0) & (1 << (slot & 7))) !== 0

/** The nth location of those from a place on, or what is wrong. */
const locateNth = (bytes: Uint8Array, start: number, nth: number): Location.Location | string => {
  next = start
  let high = 0
  let low = 0
  for (let at = 0; at <= nth; at++) {
    const step = decodeVarint(bytes)
    if (step > 0) {
      low += step
    } else {
      high = step < 0 ? -1 : decodeVarint(bytes)
      low = decodeVarint(bytes)
    }
    if (high < 0 || low < 0) return badVarint
    if (high > maxHigh || low > maxLow) return "a location is out of range"
  }
  // Its upper bit is not set, so it is within the range of a location.
  return Words.join(high, low) as Location.Location
}

const maxHigh = 0x7fff_ffff
const maxLow = 0xffff_ffff

const truncated = "it is truncated"
const badVarint = "a number in it is truncated, longer than it need be, or out of range"

/** Where the next varint begins. */
let next = 0

/** A varint of at most 32 bits in its shortest form, or -1. Once one was bad, so are those that follow. */
const decodeVarint = (bytes: Uint8Array): number => {
  const first = bytes[next] ?? -1
  if (first < 0x80) {
    next += 1
    return first
  }
  // Nearly all of them: how far it is from one entry to the next.
  const second = bytes[next + 1] ?? 0
  if (second > 0 && second < 0x80) {
    next += 2
    return (first & 0x7f) | (second << 7)
  }
  return decodeLongVarint(bytes)
}

const decodeLongVarint = (bytes: Uint8Array): number => {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[next]
    if (byte === undefined) return -1
    next += 1
    if (byte < 0x80) {
      if (byte === 0 && shift > 0) return -1
      if (shift === 28 && byte > 0x0f) return -1
      return shift === 28 ? value + byte * 0x1000_0000 : value + (byte << shift)
    }
    value += (byte & 0x7f) << shift
  }
  return -1
}
