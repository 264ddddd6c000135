/**
 * Decoded pages and ledger records in memory, bounded in bytes.
 *
 * All of it lies in typed arrays: a hash table, whose rows are what the cache
 * holds, and blocks with the locations of 64 slots each. So a lookup touches two
 * places in memory, the garbage collector has nothing to look at, and the size
 * is known. What is absent in the database is cached too: an empty page has a
 * row and no block, and a row may say that a ledger has no record.
 *
 * A clock decides what goes: a hand walks around the table, and removes the
 * first row that was not used since it last came by. So a hit costs one write,
 * and what is read once goes before what is read again.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import * as LocationPage from "./LocationPage.ts"
import * as Block from "./Blocks.ts"
import { Blocks } from "./Blocks.ts"
import type { PageId } from "./pages.ts"
import type { LedgerRecord } from "./records.ts"
import * as Words from "../words.ts"

/** Says that only the database knows. */
export const unread: unique symbol = Symbol("unread")

/** What a page takes up at most, in bytes. */
export const maxPageSize = LocationPage.slotCount * 8 + 64

/** What a cache of pages and ledger records does. */
export interface Pages {
  /** How many bytes it may take up, and does. */
  readonly capacity: number
  readonly bytes: number
  /** The location of an entry, if its page is in memory. */
  readonly find: (ledgerId: LedgerId, entryId: EntryId) => Location | undefined | typeof unread
  /** The record of a ledger, if that is in memory. */
  readonly record: (ledgerId: LedgerId) => LedgerRecord | undefined | typeof unread
  /** Whether a page is in memory. */
  readonly has: (id: PageId) => boolean
  /** Sets the slots of a page in an empty one, and answers whether it is in memory. */
  readonly load: (id: PageId, into: LocationPage.LocationPage) => boolean
  /** Puts a page in place of the one that is there, if there is one. The cache makes a copy. */
  readonly putPage: (id: PageId, page: LocationPage.LocationPage) => void
  /** Puts the record of a ledger, or that it has none, in place of the one that is there, if there is one. */
  readonly putRecord: (ledgerId: LedgerId, record: LedgerRecord | undefined) => void
  /** Puts the record of a ledger in place of the one that is there, if there is one. */
  readonly replaceRecord: (ledgerId: LedgerId, record: LedgerRecord | undefined) => void
}

/** A cache of at most so many bytes. */
export class PageCache implements Pages {
  /** In bytes. */
  readonly capacity: number
  readonly #blocks = new Blocks()
  #rows = new Int32Array(0)
  #size = 0
  /** Where the hand is. */
  #hand = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** How many bytes the table and the blocks take up. */
  get bytes(): number {
    return this.#rows.byteLength + this.#blocks.bytes
  }

  /** How many rows a search looks at, at most: what a lookup may cost. It looks at all of them. */
  get longestSearch(): number {
    const rows = this.#rows
    const mask = rows.length - 1
    let longest = 0
    for (let row = 0; row < rows.length; row += rowLength) {
      if (!this.#isTaken(row)) continue
      longest = Math.max(longest, ((row - homeOf(rows, row, mask)) & mask) / rowLength + 1)
    }
    return longest
  }

  /** The location of an entry, if its page is in memory. */
  find(ledgerId: LedgerId, entryId: EntryId): Location | undefined | typeof unread {
    return this.findWords(Words.high(ledgerId), Words.low(ledgerId), Words.high(entryId), Words.low(entryId))
  }

  /** The same by the words of the ids. */
  findWords(ledgerHigh: number, ledgerLow: number, high: number, low: number): Location | undefined | typeof unread {
    const row = this.#find(ledgerHigh, ledgerLow, isPage | (high >>> 8), (high << 24) | (low >>> 8))
    if (row < 0) return unread
    const block = this.#rows[row + valueAt + ((low >>> 6) & 3)] ?? none
    return block < 0 ? undefined : this.#blocks.get(block, low & (Block.slotCount - 1))
  }

  /** The record of a ledger, if that is in memory. */
  record(ledgerId: LedgerId): LedgerRecord | undefined | typeof unread {
    const row = this.#find(Words.high(ledgerId), Words.low(ledgerId), isRecord, 0)
    if (row < 0) return unread
    const value = row + valueAt
    const high = this.#rows[value] ?? none
    if (high < 0) return undefined
    const low = this.#rows[value + 1] ?? 0
    const entries = (this.#rows[value + 2] ?? 0) * 0x1_0000_0000 + ((this.#rows[value + 3] ?? 0) >>> 0)
    // It was one when it was put.
    return { entries, lastEntry: Words.join(high, low) as EntryId }
  }

  /** Whether a page is in memory. */
  has({ ledgerId, number }: PageId): boolean {
    return this.#findPage(ledgerId, number) >= 0
  }

  /** Sets the slots of a page in an empty one, and answers whether it is in memory. */
  load({ ledgerId, number }: PageId, into: LocationPage.LocationPage): boolean {
    const row = this.#findPage(ledgerId, number)
    if (row < 0) return false
    for (let nth = 0; nth < blocksPerPage; nth++) {
      const block = this.#rows[row + valueAt + nth] ?? none
      if (block >= 0) this.#blocks.load(block, into, nth * Block.slotCount)
    }
    return true
  }

  /** Puts a page in place of the one that is there, if there is one. The cache makes a copy. */
  putPage({ ledgerId, number }: PageId, page: LocationPage.LocationPage): void {
    const known = this.#findPage(ledgerId, number)
    if (known >= 0) this.#remove(known)
    const blocks = Math.ceil(page.length / Block.slotCount)
    this.#blocks.reserve(blocks)
    const row = this.#add(Words.high(ledgerId), Words.low(ledgerId), isPage | highOf(number), lowOf(number), blocks)
    if (row < 0) return
    for (let nth = 0; nth < blocksPerPage; nth++) {
      this.#rows[row + valueAt + nth] = nth < blocks ? this.#blocks.put(page, nth * Block.slotCount) : none
    }
  }

  /** Puts the record of a ledger, or that it has none, in place of the one that is there, if there is one. */
  putRecord(ledgerId: LedgerId, record: LedgerRecord | undefined): void {
    const high = Words.high(ledgerId)
    const low = Words.low(ledgerId)
    const known = this.#find(high, low, isRecord, 0)
    const row = known < 0 ? this.#add(high, low, isRecord, 0, 0) : known
    if (row < 0) return
    const value = row + valueAt
    this.#rows[value] = record === undefined ? none : Words.high(record.lastEntry)
    this.#rows[value + 1] = record === undefined ? 0 : Words.low(record.lastEntry)
    this.#rows[value + 2] = Math.floor((record?.entries ?? 0) / 0x1_0000_0000)
    this.#rows[value + 3] = record?.entries ?? 0
  }

  /** Puts the record of a ledger in place of the one that is there, if there is one. */
  replaceRecord(ledgerId: LedgerId, record: LedgerRecord | undefined): void {
    if (this.#find(Words.high(ledgerId), Words.low(ledgerId), isRecord, 0) >= 0) this.putRecord(ledgerId, record)
  }

  /** Forgets the pages and the records of ledgers. Looks at all that there is, so it takes many of them at once. */
  dropLedgers(ledgerIds: ReadonlyArray<LedgerId>): void {
    const dropped = new Set(ledgerIds.map(Words.mapKey))
    for (let row = 0; row < this.#rows.length;) {
      const high = this.#rows[row] ?? 0
      const low = this.#rows[row + 1] ?? 0
      // What was moved into its place is looked at next.
      if (this.#isTaken(row) && dropped.has(Words.mapKeyOf(high, low))) this.#remove(row)
      else row += rowLength
    }
  }

  #findPage(ledgerId: LedgerId, number: Words.MapKey): number {
    return this.#find(Words.high(ledgerId), Words.low(ledgerId), isPage | highOf(number), lowOf(number))
  }

  /** The row of a key, which counts as its use, or -1. */
  #find(ledgerHigh: number, ledgerLow: number, kind: number, numberLow: number): number {
    const rows = this.#rows
    const mask = rows.length - 1
    if (mask < 0) return -1
    for (let row = placeOf(ledgerHigh, ledgerLow, kind, numberLow, mask); ; row = (row + rowLength) & mask) {
      const found = rows[row + kindAt] ?? 0
      if (found === 0) return -1
      if ((found & ~isUsed) !== kind || rows[row + numberAt] !== numberLow) continue
      if (rows[row + 1] !== ledgerLow || rows[row] !== ledgerHigh) continue
      if (found === kind) rows[row + kindAt] = found | isUsed
      return row
    }
  }

  /** Makes a row for a key that has none, and room for so many blocks; -1 if there is not enough for that. */
  #add(ledgerHigh: number, ledgerLow: number, kind: number, numberLow: number, blocks: number): number {
    if (!this.#makeRoom(blocks)) return -1
    const rows = this.#rows
    const mask = rows.length - 1
    let row = placeOf(ledgerHigh, ledgerLow, kind, numberLow, mask)
    while (this.#isTaken(row)) row = (row + rowLength) & mask
    rows[row] = ledgerHigh
    rows[row + 1] = ledgerLow
    rows[row + kindAt] = kind
    rows[row + numberAt] = numberLow
    this.#size += 1
    return row
  }

  /** Makes room for a row and so many blocks, if the cache is large enough for that. */
  #makeRoom(blocks: number): boolean {
    const room = this.#rows.length * fullest - rowLength
    if (this.#size * rowLength > room) {
      const length = Math.max(smallest, 2 * this.#rows.length)
      // Small pages and records may take half of the room, and then drive out one another.
      if (length * bytesPerWord <= this.capacity / 2) this.#grow(length)
      else if (this.#size === 0) return false
      else this.#evict(isRow)
    }
    const size = blocks * Block.blockSize
    // What has no blocks would go without making room for any.
    while (this.bytes + size > this.capacity && this.#blocks.bytes > 0) this.#evict(hasFrames)
    return this.bytes + size <= this.capacity
  }

  #evict(isMeant: (rows: Int32Array, row: number) => boolean): void {
    const rows = this.#rows
    while (true) {
      const row = this.#hand
      if (isMeant(rows, row)) {
        const kind = rows[row + kindAt] ?? 0
        if ((kind & isUsed) === 0) return this.#remove(row)
        rows[row + kindAt] = kind & ~isUsed
      }
      this.#hand = (row + strideOf(rows)) & (rows.length - 1)
    }
  }

  #grow(length: number): void {
    const before = this.#rows
    const rows = new Int32Array(length)
    this.#rows = rows
    this.#hand = 0
    for (let row = 0; row < before.length; row += rowLength) {
      if (before[row + kindAt] === 0) continue
      const free = this.#freePlaceOf(before, row)
      for (let word = 0; word < rowLength; word++) rows[free + word] = before[row + word] ?? 0
    }
  }

  /** Where there is room for a row that lies in another table. */
  #freePlaceOf(rows: Int32Array, row: number): number {
    const mask = this.#rows.length - 1
    let free = homeOf(rows, row, mask)
    while (this.#isTaken(free)) free = (free + rowLength) & mask
    return free
  }

  /** Removes a row, and moves those behind it so that none is cut off from its place. */
  #remove(row: number): void {
    const rows = this.#rows
    const mask = rows.length - 1
    if (((rows[row + kindAt] ?? 0) & isPage) !== 0) {
      for (let nth = 0; nth < blocksPerPage; nth++) {
        const block = rows[row + valueAt + nth] ?? none
        if (block >= 0) this.#blocks.free(block)
      }
    }
    let hole = row
    for (let next = (hole + rowLength) & mask; this.#isTaken(next); next = (next + rowLength) & mask) {
      if (((next - homeOf(rows, next, mask)) & mask) < ((next - hole) & mask)) continue
      rows.copyWithin(hole, next, next + rowLength)
      hole = next
    }
    rows[hole + kindAt] = 0
    this.#size -= 1
  }

  #isTaken(row: number): boolean {
    return this.#rows[row + kindAt] !== 0
  }
}

/** A row: the words of the ledger id, of what it is, and its value. */
const rowLength = 8
/** Whether it is used, whether it is a page or a record, and the upper bits of a page's number; 0 if there is no row. */
const kindAt = 2
/** The lower bits of a page's number. */
const numberAt = 3
/** A page's blocks, `none` where no slot is set; or the last entry of a ledger and how many there are, high words first. */
const valueAt = 4

const isUsed = 1 << 31
const isPage = 1 << 30
const isRecord = 1 << 29

const none = -1

const blocksPerPage = LocationPage.slotCount / Block.slotCount

const bytesPerWord = 4

/** How much of the table may be taken. */
const fullest = 3 / 4

/** In words. */
const smallest = 16 * rowLength

/**
 * How far the hand moves, so that it comes by every row and never by neighbours one after another. Else it would leave
 * the table empty behind it and full before it, where keys are then far from their places.
 */
const strideOf = (rows: Int32Array): number => (((rows.length / rowLength) * goldenRatio) | 1) * rowLength

const goldenRatio = 0.618

const isRow = (rows: Int32Array, row: number): boolean => rows[row + kindAt] !== 0

/** Whether it is a page with any location in it: those have the first block. */
const hasFrames = (rows: Int32Array, row: number): boolean =>
  ((rows[row + kindAt] ?? 0) & isPage) !== 0 && (rows[row + valueAt] ?? none) >= 0

/** The upper and the lower word of a page's number. */
const highOf = (number: Words.MapKey): number =>
  typeof number === "bigint" ? Words.high(number) : Math.floor(number / 0x1_0000_0000)
const lowOf = (number: Words.MapKey): number => (typeof number === "bigint" ? Words.low(number) : number | 0)

/** Where the row of a key is, if no other one is there. */
const placeOf = (ledgerHigh: number, ledgerLow: number, kind: number, numberLow: number, mask: number): number => {
  let mixed = Math.imul(ledgerLow, 0x9e37_79b1) ^ Math.imul(numberLow, 0x85eb_ca6b)
  mixed ^= Math.imul(ledgerHigh, 0xc2b2_ae35) ^ Math.imul(kind, 0x27d4_eb2f)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d)
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a_2d39)
  return ((mixed ^ (mixed >>> 15)) * rowLength) & mask
}

const homeOf = (rows: Int32Array, row: number, mask: number): number =>
  placeOf(rows[row] ?? 0, rows[row + 1] ?? 0, (rows[row + kindAt] ?? 0) & ~isUsed, rows[row + numberAt] ?? 0, mask)
