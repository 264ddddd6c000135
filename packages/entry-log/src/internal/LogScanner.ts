/**
 * Walks through the entries of one log in the order of their positions, a
 * bounded buffer at a time, and tells what a crash can have left from damage.
 *
 * A log is its header, then entries and records one behind the other, and, if it
 * is sealed, its ledgers map. Records have the ledger id -1 and are no entries.
 * Before a block of 4096 bytes, BookKeeper's direct I/O logger pads with F0.
 *
 * What a crash leaves of a log that is not sealed is what was on disk, whole,
 * and behind it a torn tail, which ends the walk:
 *
 * - an entry that goes on past the end of the file, or
 * - zeros: room that was reserved, or bytes that did not reach the disk. Where
 *   blocks reached it out of order, others follow from the border of a sector on.
 *   An entry whose ids were cut off so is part of the zeros;
 * - and in both cases nothing that can be read as an entry follows. What does is
 *   not the tail of a log, and would be lost.
 *
 * A log without a header is one that was being created, and has no entries.
 *
 * Everything else is damage: `Corruption`, with the file and the byte. In a
 * sealed log that is whatever is no entry, and a ledgers map that does not say
 * how many bytes of each ledger stand before it: so nothing of a sealed log is
 * passed over. What the format cannot tell is whether a payload is right, nor, in
 * a log that is not sealed, whether an id is.
 *
 * A walk that salvages tells of damage instead, and goes on where entries can be
 * read again. No size is trusted with more memory than the largest entry.
 */
import * as EntryLogError from "../EntryLogError.ts"
import * as Header from "./entryHeader.ts"
import type { ReadLog } from "./files.ts"
import * as Format from "./format.ts"
import { LedgerSums } from "./LedgerSums.ts"
import * as LedgersMap from "./ledgersMap.ts"
import { findByte, findEntry, findEntryInLast, oneBitAway } from "./resync.ts"

/** A log to scan. */
export interface Source {
  readonly read: ReadLog
  /** How many bytes of the file there are to scan. */
  readonly size: number
  readonly header: Format.DecodedHeader
  /** The largest entry, ids included. */
  readonly maxEntrySize: number
  readonly where: EntryLogError.Where
}

/** Is told of an entry, or of a record; its payload is the bytes from `start` to `end`, which nothing changes any more. */
export interface Visitor {
  (ledgerId: bigint, entryId: bigint, position: number, size: number, bytes: Buffer, start: number, end: number): void
}

/** Damage to a log. */
export interface Damage {
  /** Where the bytes begin that cannot be read, and how many there are. */
  readonly from: number
  readonly bytes: number
  /** A sentence without its period. */
  readonly why: string
}

/** How to walk. */
export interface Options {
  /** Without, payloads are skipped, and `start` is `end`. */
  readonly payloads: boolean
  /** Whether records, whose ledger id is -1, are visited too. Default: false. */
  readonly records?: boolean | undefined
  /** Where the first entry to be visited begins, with its size. Default: behind the header. */
  readonly from?: number | undefined
  /** Is told of damage, behind which the walk goes on. Without, damage fails it. */
  readonly salvage?: ((damage: Damage) => void) | undefined
}

/** A walk through one log. */
export class LogScanner {
  readonly #source: Source
  readonly #options: Options
  readonly #isSealed: boolean
  /** The ledgers map, as long as it is still to come. */
  #map: Format.Header | undefined
  readonly #sums = new LedgerSums()
  /** Whether the walk begins where the entries do, so that the ledgers map can be held against all of them. */
  readonly #isFromStart: boolean
  /** Whether nothing has been passed over. */
  #isWhole = true
  #hasBegun = false
  /** Whether there may be entries: not behind a header that was never written. */
  #hasHeader: boolean
  /** Where the file ends. */
  #limit: number
  #buffer = Buffer.alloc(0)
  #view = viewOf(this.#buffer)
  /** How large the buffer must be to hold the next entry. */
  #needed = 0
  /** What the buffer holds: `#filled` bytes from position `#start`. */
  #start: number
  #filled = 0
  /** Where the walk is. */
  #position: number
  /** Where the last entry or record is. */
  #previous: number
  /** Where an entry is that has been looked at closely, and is one. */
  #confirmed = -1
  /** The ledgers of the last entries, in no order. */
  readonly #recent: Array<bigint> = []
  #entries = 0

  constructor(source: Source, options: Options) {
    const { header } = source
    this.#source = source
    this.#options = options
    this.#limit = source.size
    this.#position = this.#start = this.#previous = Math.max(options.from ?? 0, Format.headerSize)
    this.#isFromStart = this.#position === Format.headerSize
    this.#hasHeader = header._tag === "Header"
    this.#isSealed = header._tag === "Header" && Format.isSealed(header)
    if (header._tag === "Header" && this.#isSealed) this.#map = header
  }

  /** Where the walk is. */
  get position(): number {
    return this.#position
  }

  /** Visits some entries, possibly none, and answers whether there may be more. */
  async advance(visit: Visitor): Promise<boolean> {
    if (!this.#hasBegun) await this.#begin()
    await this.#fill()
    return (this.#hasHeader && this.#walk(visit)) || this.#meet()
  }

  /** Where the entries end: at the ledgers map, or where the file does. */
  get #end(): number {
    return Math.min(this.#map?.mapOffset ?? this.#limit, this.#limit)
  }

  /** Decides about the header. */
  async #begin(): Promise<void> {
    const { header, read } = this.#source
    this.#hasBegun = true
    if (header._tag === "Foreign") await this.#damage(header.problem, { from: 0, search: Format.headerSize })
    if (!this.#isFromStart && this.#position > this.#end) {
      const problem = `the entries end at byte ${this.#end}, and have been known to go on to byte ${this.#position}`
      await this.#damage(problem, { from: this.#end, next: this.#position })
    }
    if (this.#options.salvage === undefined || this.#map === undefined) return
    // Where the header names no map, it is wrong about where the entries end.
    const reading = await LedgersMap.read(read, this.#map, () => true)
    if ("end" in reading) return
    const problem = `the header says, from byte ${Format.mapFieldsOffset} on, that there is a ledgers map`
    await this.#damage(`${problem}, which ${reading.problem}`, { next: this.#position })
    this.#map = undefined
  }

  /**
   * Fills the buffer from where the walk is, unless it holds the next entry. Where payloads are asked for it is a new
   * one, since they stay in it.
   */
  async #fill(): Promise<void> {
    const margin = this.#start + this.#filled - this.#position
    if (this.#needed === 0 && this.#position >= this.#start && margin >= Format.entryHeaderSize) return
    const wanted = Math.min(Math.max(this.#needed, bufferSize), Math.max(this.#limit - this.#position, 0))
    if (this.#options.payloads || this.#buffer.length < wanted) {
      this.#buffer = Buffer.allocUnsafeSlow(wanted)
      this.#view = viewOf(this.#buffer)
    }
    this.#needed = 0
    this.#filled = await this.#source.read(this.#buffer.subarray(0, wanted), this.#position)
    this.#start = this.#position
    // The file has become shorter, as when its writer cuts off what a failed write left behind.
    if (this.#filled < wanted) this.#limit = this.#start + this.#filled
  }

  /** Lets the buffer be filled anew from where the walk is. */
  #refill(): true {
    this.#filled = 0
    return true
  }

  /** Visits the entries that the buffer holds. Answers false where something else stands. */
  #walk(visit: Visitor): boolean {
    const { maxEntrySize } = this.#source
    const { payloads, records } = this.#options
    const view = this.#view
    const end = this.#end
    // Of a log whose ledgers map is still to come.
    const sums = this.#map === undefined ? undefined : this.#sums
    const recent = this.#recent
    while (true) {
      const position = this.#position
      const offset = position - this.#start
      if (this.#filled - offset < Format.entryHeaderSize) return offset > 0 && this.#start + this.#filled < end
      const size = view.getInt32(offset)
      const next = position + Format.sizeFieldSize + size
      if (size < Format.idsSize || size > maxEntrySize || next > end) return false
      const high = view.getInt32(offset + 4)
      if (high < 0) {
        if (!this.#isRecord(offset)) return false
        if (records !== true) {
          this.#previous = position
          this.#position = next
          continue
        }
      } else {
        if (view.getInt32(offset + 12) < 0) return false
        if (view.getUint8(offset + Format.entryHeaderSize - 1) === 0 && this.#mayBeTorn()) return false
      }
      const payloadEnd = offset + (payloads ? Format.sizeFieldSize + size : Format.entryHeaderSize)
      if (payloadEnd > this.#filled) {
        this.#needed = payloadEnd - offset
        return true
      }
      const ledgerId = view.getBigInt64(offset + 4)
      const entryId = view.getBigInt64(offset + 12)
      const start = offset + Format.entryHeaderSize
      visit(ledgerId, entryId, position + Format.sizeFieldSize, size, this.#buffer, start, payloadEnd)
      if (high >= 0) {
        sums?.add(high, view.getInt32(offset + 8), Format.sizeFieldSize + size)
        recent[this.#entries++ % recentEntries] = ledgerId
      }
      this.#previous = position
      this.#position = next
    }
  }

  /** Whether at an offset of the buffer is a record, and no part of a ledgers map, which is looked at more closely. */
  #isRecord(offset: number): boolean {
    const entryId = this.#view.getBigInt64(offset + 12)
    return this.#view.getBigInt64(offset + 4) === Format.recordLedgerId && entryId !== Format.mapEntryId
  }

  /** Whether the ids of an entry that end with a zero cross into another sector, which may not have reached the disk. */
  #mayBeTorn(): boolean {
    return (
      (this.#position % sectorSize) + Format.entryHeaderSize > sectorSize &&
      !this.#isSealed &&
      this.#position !== this.#confirmed
    )
  }

  /**
   * Whether an entry, from within its ids on, is zeros like all that follows: then the sector that it crosses into has
   * not reached the disk, and its ids are another entry's.
   */
  async #isTorn(size: number): Promise<boolean> {
    const at = this.#position
    const border = borderAfter(at)
    if (this.#isSealed || border >= at + Format.entryHeaderSize) return false
    // More zeros than the size of an entry that was cut off begins with.
    const hasTail = at + Format.sizeFieldSize + size + Format.sizeFieldSize <= this.#limit
    return hasTail && (await findByte(this.#source.read, border, this.#end)) === undefined
  }

  /** Decides about what is no entry, and answers whether there may be more. */
  async #meet(): Promise<boolean> {
    const at = this.#position
    if (at >= this.#end) return this.#map !== undefined && this.#meetMap(this.#map)
    if (this.#passPadding()) return true
    // Read anew: its writer may be at work there.
    const room = this.#end - at
    const bytes = Buffer.alloc(Math.min(room, Header.length))
    const count = await this.#source.read(bytes, at)
    if (count < bytes.length) {
      this.#limit = at + count
      return this.#refill()
    }
    const found = Header.examine(bytes, 0, room, this.#source.maxEntrySize)
    switch (found._tag) {
      case "Entry":
      case "Record":
        if (!this.#hasHeader) {
          const problem = `the entry at byte ${at} stands behind a header that was never written`
          return this.#damage(problem, { from: 0, next: at })
        }
        if (found._tag === "Record") this.#position += Format.sizeFieldSize + found.size
        else if (await this.#isTorn(found.size)) return false
        this.#confirmed = at
        return this.#refill()
      case "Cut":
        return this.#meetCut(found.size)
      case "Zeros":
        return this.#meetZeros()
      case "Impossible":
        return this.#damage(`the entry at byte ${at} ${found.problem}`)
    }
  }

  /** Passes over padding: more of it than a size can begin with, or what goes up to a block, or to the end. */
  #passPadding(): boolean {
    const offset = this.#position - this.#start
    const end = Math.min(this.#filled, this.#end - this.#start)
    const next = Format.endOfPadding(this.#buffer, offset, end)
    const position = this.#start + next
    if (next === offset) return false
    if (next === end && position < this.#end) {
      if (offset === 0) this.#position = position - Format.sizeFieldSize
      return this.#refill()
    }
    const isPadding = position % Format.paddedBlockSize === 0 || position === this.#limit
    if (!isPadding && next - offset < Format.sizeFieldSize) return false
    this.#position = position
    return true
  }

  /** An entry goes on past the end. */
  async #meetCut(size: number | undefined): Promise<boolean> {
    const at = this.#position
    if (this.#isSealed) {
      const where = this.#end < this.#limit ? "into the ledgers map" : "past the end of the file"
      return this.#damage(`the entry at byte ${at} runs ${where}, although the log was sealed`)
    }
    // Whatever its size should be, its ids are its own.
    const next = await this.#find(at + Format.entryHeaderSize, size === undefined ? [] : oneBitAway(at, size))
    if (next === undefined) return false
    const problem = `the entry at byte ${at} runs past the end of the file, although one can be read at byte ${next}`
    return this.#damage(problem, { next })
  }

  /** Zeros stand where an entry could. */
  async #meetZeros(): Promise<boolean> {
    const at = this.#position
    const first = await findByte(this.#source.read, at, this.#end)
    if (first === undefined && this.#isSealed && this.#map === undefined) return false
    if (this.#isSealed) return this.#damage(`there are zeros from byte ${at} on, although the log was sealed`)
    // An entry begins with zeros too, those of its size.
    const expected = first === undefined ? [] : [first - 3, first - 2, first - 1, first]
    const next = await this.#find(expected[0] ?? this.#end, expected)
    if (next !== undefined) {
      const problem = `there are zeros from byte ${at} on, although an entry can be read at byte ${next}`
      return this.#damage(problem, { next })
    }
    if (first === undefined || borderAfter(at) <= first) return false
    return this.#damage(`there are zeros from byte ${at} on, which end in the midst of a sector, at byte ${first}`)
  }

  /** The walk is at the ledgers map, or where it should be. */
  async #meetMap(map: Format.Header): Promise<boolean> {
    // What was passed over has been told of.
    const problem = this.#isWhole ? await this.#checkMap(map) : undefined
    this.#map = undefined
    return problem === undefined ? this.#refill() : this.#damage(problem, { next: this.#position })
  }

  /** Holds a ledgers map against what stands before it, and passes over it; or says what is wrong. */
  async #checkMap({ ledgerCount, mapOffset }: Format.Header): Promise<string | undefined> {
    const at = this.#position
    if (mapOffset !== at) {
      const says = `the header says, at byte ${Format.mapFieldsOffset}, that the ledgers map is at byte ${mapOffset}`
      return `${says}; the entries ${at < mapOffset ? "and the file end" : "begin"} at byte ${at}`
    }
    const sums = new LedgerSums()
    const reading = await LedgersMap.read(this.#source.read, { ledgerCount, mapOffset }, (ledgerId, size) => {
      sums.add(Number(ledgerId >> 32n), Number(ledgerId & 0xffff_ffffn) | 0, size)
      return size <= mapOffset
    })
    if ("problem" in reading) return `the ledgers map at byte ${at} ${reading.problem}`
    if (this.#isFromStart && !sums.equals(this.#sums))
      return `the ledgers map at byte ${at} says that other bytes stand before it`
    this.#position = reading.end
    return undefined
  }

  /**
   * Fails, or tells of damage and goes on at the next position where entries can be read, or else at the end. `from` is
   * where the damage begins, `search` where to look for entries.
   */
  async #damage(why: string, options: { from?: number; next?: number; search?: number } = {}): Promise<boolean> {
    const { from = this.#position, next, search = this.#position + 1 } = options
    const { salvage } = this.#options
    if (salvage === undefined) throw EntryLogError.corruption(why, this.#source.where)
    const position = next ?? (await this.#find(search)) ?? Math.max(search, this.#end)
    // If entries go on before, the size of the last one was wrong.
    const start = position < from ? this.#previous : from
    salvage({ from: start, bytes: position - start, why })
    this.#isWhole = false
    this.#hasHeader = true
    this.#position = position
    return this.#refill()
  }

  /** Where entries can be read again: from a position on, or from within the last entry on. */
  async #find(from: number, expected: ReadonlyArray<number> = []): Promise<number | undefined> {
    const { maxEntrySize, read } = this.#source
    const ledgerIds = new Set(this.#recent)
    const bytes = Buffer.alloc(Format.entryHeaderSize)
    await read(bytes, this.#position)
    // A damaged size may stand before ids that are right.
    if (bytes.readInt32BE(0) !== 0) ledgerIds.add(bytes.readBigInt64BE(Format.sizeFieldSize))
    const search = { read, end: this.#end, maxEntrySize, ledgerIds }
    return (
      (await findEntryInLast(search, this.#previous, this.#position)) ??
      (await findEntry({ ...search, from, to: this.#end, expected: new Set(expected) }))
    )
  }
}

/** In bytes. */
const bufferSize = 256 * 1024

/** In bytes: the least that a disk writes at once. */
const sectorSize = 512

/** Where the sector after that of a position begins. */
const borderAfter = (position: number): number => (Math.floor(position / sectorSize) + 1) * sectorSize

/** Of how many entries the ledgers are remembered. */
const recentEntries = 1024

const viewOf = (buffer: Buffer): DataView => new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
