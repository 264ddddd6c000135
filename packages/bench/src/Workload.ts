/**
 * The entries that every engine is given, and what it must answer. Pure.
 *
 * A bookie gathers entries of many ledgers in memory, and flushes them sorted
 * by ledger and entry: to its entry log, and then to the index. So a flush has
 * the next entries of each ledger, and their locations follow one another in
 * the log. Entry sizes are log-normal around 1 KiB; a log is full at 1 GiB.
 *
 * Nothing is stored but one place in the log of every 64 entries: a location is
 * computed when it is asked for, so that the bench's own memory hardly counts.
 */
import type { Entries, Ids } from "./Engine.ts"
import { Draws, hash } from "./Random.ts"

/** What a workload is made of. */
export interface Shape {
  readonly seed: number
  /** A multiple of `flushSize`. */
  readonly entries: number
  /** `flushSize` is a multiple of it. */
  readonly ledgers: number
  readonly flushSize: number
  /** Ledgers have consecutive ids from this one on; entries have theirs from 0 on. */
  readonly firstLedger: number
}

/** So many entries of so many ledgers in flushes. */
export class Workload {
  readonly shape: Shape
  readonly flushes: number
  readonly entriesPerLedger: number
  readonly #perFlush: number
  readonly #logIds: Uint32Array
  readonly #offsets: Uint32Array

  constructor(shape: Shape) {
    const { entries, flushSize, ledgers } = shape
    if (flushSize % ledgers !== 0 || entries % flushSize !== 0) {
      throw new RangeError(
        `${entries} entries are not a whole number of flushes of ${flushSize}, or a flush has no equal share for each ` +
          `of ${ledgers} ledgers`
      )
    }
    this.shape = shape
    this.flushes = entries / flushSize
    this.entriesPerLedger = entries / ledgers
    this.#perFlush = flushSize / ledgers
    this.#logIds = new Uint32Array(Math.ceil(entries / stride))
    this.#offsets = new Uint32Array(this.#logIds.length)
    const end = new LogEnd(1, logHeaderSize)
    for (let at = 0; at < entries; at++) {
      if (at % stride === 0) {
        this.#logIds[at / stride] = end.logId
        this.#offsets[at / stride] = end.offset
      }
      end.append(this.#size(at))
    }
  }

  /** Writes the entries of a flush, from 0 up to, and without, {@link flushes}, in their order. */
  flush(nth: number, into: Entries): void {
    const { firstLedger, flushSize, ledgers } = this.shape
    const end = this.#logEnd(nth * flushSize)
    const ledgerIds = new Halves(into.ledgerIds)
    const entryIds = new Halves(into.entryIds)
    const locations = new Halves(into.locations)
    let at = 0
    for (let ledger = 0; ledger < ledgers; ledger++) {
      for (let entry = nth * this.#perFlush; entry < (nth + 1) * this.#perFlush; entry++) {
        ledgerIds.set(at, firstLedger + ledger)
        entryIds.set(at, entry)
        locations.set(at, end.append(this.#size(nth * flushSize + at)))
        at += 1
      }
    }
  }

  /** Where an entry of a ledger is; `undefined` where there is no such entry. */
  location(ledgerId: number, entryId: number): number | undefined {
    const { firstLedger, flushSize, ledgers } = this.shape
    const ledger = ledgerId - firstLedger
    if (ledger < 0 || ledger >= ledgers || entryId < 0 || entryId >= this.entriesPerLedger) return undefined
    const flush = Math.floor(entryId / this.#perFlush)
    const index = flush * flushSize + ledger * this.#perFlush + (entryId % this.#perFlush)
    const first = index - (index % stride)
    const end = this.#logEnd(first)
    for (let at = first; at < index; at++) end.append(this.#size(at))
    return end.append(this.#size(index))
  }

  /** Throws unless these are the locations of the entries, -1 where there is no such entry. */
  check({ entryIds, ledgerIds }: Ids, locations: BigInt64Array, count = locations.length): void {
    for (let at = 0; at < count; at++) {
      const expected = BigInt(this.location(Number(ledgerIds[at]), Number(entryIds[at])) ?? -1)
      if (locations[at] !== expected) {
        throw new Error(
          `wrong answer: entry ${entryIds[at]} of ledger ${ledgerIds[at]} is at ${expected}, not at ${locations[at]}`
        )
      }
    }
  }

  /** The end of the log before the entry of an index that is a multiple of {@link stride} or the first of a flush. */
  #logEnd(index: number): LogEnd {
    const known = Math.floor(index / stride)
    const end = new LogEnd(this.#logIds[known] ?? 0, this.#offsets[known] ?? 0)
    for (let at = known * stride; at < index; at++) end.append(this.#size(at))
    return end
  }

  #size(index: number): number {
    return entrySizes[hash(this.shape.seed, index) % entrySizes.length] ?? 0
  }
}

/** Every so many entries the place in the log is remembered. */
const stride = 64

/** Writes whole numbers into 64-bit integers; as bigints they would be garbage of the bench's own. */
class Halves {
  readonly #words: Int32Array

  constructor(integers: BigInt64Array) {
    this.#words = new Int32Array(integers.buffer, integers.byteOffset, 2 * integers.length)
  }

  set(at: number, value: number): void {
    this.#words[2 * at + lowAt] = value
    this.#words[2 * at + 1 - lowAt] = Math.floor(value / 2 ** 32)
  }
}

/** Where the low half of a 64-bit integer lies in memory. */
const lowAt = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1

/** In bytes, as BookKeeper has them. */
const logHeaderSize = 1024
const sizeFieldSize = 4
const logSize = 2 ** 30

/** Where the next entry goes. */
class LogEnd {
  logId: number
  offset: number

  constructor(logId: number, offset: number) {
    this.logId = logId
    this.offset = offset
  }

  /** Appends an entry, to the next log if this one has no room, and answers its location. */
  append(size: number): number {
    if (this.offset + sizeFieldSize + size > logSize) {
      this.logId += 1
      this.offset = logHeaderSize
    }
    const position = this.offset + sizeFieldSize
    this.offset = position + size
    return this.logId * 2 ** 32 + position
  }
}

/** Entry sizes in bytes, as often as they occur: log-normal with a median of 1 KiB, two thirds within a factor of 1.65. */
const entrySizes = ((): Uint32Array => {
  const draws = new Draws(1)
  return Uint32Array.from({ length: 2 ** 16 }, () => Math.round(1024 * Math.exp(draws.normal() / 2)))
})()
