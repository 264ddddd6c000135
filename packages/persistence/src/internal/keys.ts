/**
 * Where the records of this package lie in a database.
 *
 * | first byte | key space                        |
 * | ---------- | -------------------------------- |
 * | `70`       | `RocksDBKeyValueStore`           |
 * | `71`       | `RocksDBPersistence`             |
 * | `72`       | `RocksDBPersistedQueue`          |
 * | `73`       | `RocksDBRateLimiter`             |
 * | `74`       | `RocksDBCircuitBreaker`          |
 * | `75`       | `RocksDBMessageStorage`          |
 * | `76`       | `RocksDBEventJournal`            |
 *
 * Behind it come the prefix of the layer, which a 0 ends, and the number of a
 * section: section 0 holds the key space's format version and section 1 the next
 * free number, the others are each layer's own. An `EntryLocationIndex` in the
 * same database has the first bytes 00 to 03, and leaves all from 10 on to others.
 */
import type { RocksDB } from "@effect-bookie/rocksdb"
import * as Strings from "./strings.ts"

/** From one key up to, and without, another. */
export interface KeyRange extends RocksDB.Range {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

/** What a layer keeps in a key space. */
export interface Kind {
  /** As `Lifecycle` tells it, and errors. */
  readonly name: string
  readonly firstByte: number
  /** The version of the format that this build writes, and the only one that it reads. */
  readonly format: number
}

/** Makes the keys of one key space. */
export class Keys {
  readonly #prefix: Uint8Array

  constructor({ firstByte }: Kind, prefix: string) {
    this.#prefix = concat([Uint8Array.of(firstByte), Strings.encode(prefix), zero])
  }

  /** All of the key space. */
  get everything(): KeyRange {
    return { gte: this.#prefix, lt: successor(this.#prefix) }
  }

  /** A key of a section. */
  key(section: number, ...parts: ReadonlyArray<Uint8Array>): Uint8Array {
    return concat([this.#prefix, Uint8Array.of(section), ...parts])
  }

  /** The keys of a section that begin with these parts. */
  range(section: number, ...parts: ReadonlyArray<Uint8Array>): KeyRange {
    const gte = this.key(section, ...parts)
    return { gte, lt: successor(gte) }
  }

  /** What a key has behind its section. */
  rest(key: Uint8Array): Uint8Array {
    return plain(key).subarray(this.#prefix.length + 1)
  }
}

/** A string that has something behind it. */
export const terminated = (text: string): Uint8Array => concat([Strings.encode(text), zero])

/** Two or more strings, each ended by a 0 but the last. */
export const joined = (...texts: readonly [string, ...Array<string>]): Uint8Array =>
  concat(texts.flatMap((text, at) => (at === 0 ? [Strings.encode(text)] : [zero, Strings.encode(text)])))

/** The strings of `joined`. */
export const split = (bytes: Uint8Array): ReadonlyArray<string> => {
  const texts: Array<string> = []
  let from = 0
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, from)) {
    texts.push(Strings.decode(bytes.subarray(from, at)))
    from = at + 1
  }
  texts.push(Strings.decode(bytes.subarray(from)))
  return texts
}

/** A whole number from 0 to 2^53, in 8 bytes whose order is its own. */
export const uint = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8)
  viewOf(bytes).setBigUint64(0, BigInt(value))
  return bytes
}

/** The number of `uint`. */
export const readUint = (bytes: Uint8Array, at = 0): number => Number(viewOf(bytes).getBigUint64(at))

/** A time in milliseconds, fractions and infinity included, in 8 bytes whose order is its own. */
export const time = (millis: number): Uint8Array => {
  const bytes = new Uint8Array(8)
  const view = viewOf(bytes)
  view.setFloat64(0, millis)
  const bits = view.getBigUint64(0)
  // A float is ordered by its bits, but for the sign: below 0 all of them are turned.
  view.setBigUint64(0, bits < sign ? bits | sign : bits ^ allBits)
  return bytes
}

/** The time of `time`. */
export const readTime = (bytes: Uint8Array, at = 0): number => {
  const view = new DataView(new ArrayBuffer(8))
  const bits = viewOf(bytes).getBigUint64(at)
  view.setBigUint64(0, bits >= sign ? bits ^ sign : bits ^ allBits)
  return view.getFloat64(0)
}

/** One after another. */
export const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** The bytes as a `Uint8Array` that is no `Buffer`. */
export const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)

/** The lowest key above all that begin with these bytes, which are not all FF. */
export const successor = (prefix: Uint8Array): Uint8Array => {
  let length = prefix.length
  while (length > 1 && prefix[length - 1] === 0xff) length -= 1
  const bytes = prefix.slice(0, length)
  bytes[length - 1] = (bytes[length - 1] ?? 0) + 1
  return bytes
}

const zero = Uint8Array.of(0)

const sign = 0x8000_0000_0000_0000n

const allBits = 0xffff_ffff_ffff_ffffn

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
