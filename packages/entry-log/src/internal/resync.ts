/**
 * Looks for entries behind bytes that are none, at any byte.
 *
 * Bytes of a payload may look like an entry by chance, or because they hold
 * numbers. So what counts is a row of entries, one behind the other, and how
 * much speaks for it:
 *
 * - that a ledger is one that the log is known to have; less, that an entry has
 *   an id such as ledgers count up to
 * - that the row ends exactly where the entries of the log do, or begins where an
 *   entry is to be expected
 * - against it, that it ends in what cannot be, and that other rows in the same
 *   bytes do not, as in a list of numbers
 *
 * A payload that holds the bytes of an entry log cannot be told from one: it is
 * reported, never passed over.
 */
import * as Header from "./entryHeader.ts"
import type { ReadLog } from "./files.ts"
import * as Format from "./format.ts"

/** Where to look for entries. */
export interface Search extends Log {
  /** The first position where one may begin, and the one after the last. */
  readonly from: number
  readonly to: number
  /** Positions where an entry is to be expected. */
  readonly expected: ReadonlySet<number>
}

/** A log to look for entries in. */
export interface Log {
  readonly read: ReadLog
  /** Where the entries of the log end. */
  readonly end: number
  readonly maxEntrySize: number
  /** Ledgers that the log is known to have. */
  readonly ledgerIds: ReadonlySet<bigint>
}

/** The first position from which on entries can be read, or `undefined`. */
export const findEntry = async (search: Search): Promise<number | undefined> => {
  const { end, from, maxEntrySize, read, to } = search
  const window = Buffer.allocUnsafeSlow(Math.max(0, Math.min(windowSize, end - from)))
  let buffer = window.subarray(0, 0)
  for (let start = from; start < to; start += windowStep) {
    // What the window before has of it is moved to the front.
    const kept = Math.max(0, buffer.length - windowStep)
    window.copyWithin(0, windowStep, windowStep + kept)
    const wanted = window.subarray(kept, Math.min(windowSize, end - start))
    buffer = window.subarray(0, kept + (await read(wanted, start + kept)))
    const last = Math.min(buffer.length - Format.entryHeaderSize, windowStep - 1, to - start - 1)
    for (let offset = 0; offset <= last; offset += 1) {
      // No size begins with the zeros of a hole, which may have as many bytes as a disk.
      if (offset % zeros.length === 0 && zeros.equals(buffer.subarray(offset, offset + zeros.length))) {
        offset += zeros.length - Format.sizeFieldSize
        continue
      }
      const size = buffer.readInt32BE(offset)
      if (size < Format.idsSize || size > Math.max(maxEntrySize, Format.maxMapPartSize)) continue
      if (isRow(weigh(search, buffer, start, offset), search, buffer, start)) return start + offset
    }
  }
  return undefined
}

/**
 * The first position within the last entry from which on entries can be read: then its size is what is wrong. In the
 * bytes that go on behind its end, only places are looked at that a size with one other bit would lead to, because bytes
 * of two entries are easily taken for one.
 */
export const findEntryInLast = async (log: Log, last: number, lastEnd: number): Promise<number | undefined> => {
  const from = last + Format.entryHeaderSize
  const border = Math.max(from, lastEnd - Format.entryHeaderSize + 1)
  const expected = new Set(oneBitAway(last, lastEnd - last - Format.sizeFieldSize))
  const ranges = [[from, border], ...Array.from(expected, (place) => [Math.max(place, border), place + 1])]
  for (const [from = 0, to = 0] of ranges) {
    const found = await findEntry({ ...log, from, to: Math.min(to, lastEnd), expected })
    if (found !== undefined) return found
  }
  return undefined
}

/** Where the entry after one begins if one bit of its size is turned round. */
export const oneBitAway = (position: number, size: number): ReadonlyArray<number> =>
  Array.from({ length: 31 }, (_, bit) => position + Format.sizeFieldSize + (size ^ (1 << bit)))

/** Where the first byte is that is not zero, from a position on and before another one. */
export const findByte = async (read: ReadLog, from: number, end: number): Promise<number | undefined> => {
  const zeros = Buffer.alloc(chunkSize)
  const buffer = Buffer.allocUnsafeSlow(chunkSize)
  for (let start = from; start < end;) {
    const count = await read(buffer.subarray(0, Math.min(chunkSize, end - start)), start)
    if (count === 0) break
    const bytes = buffer.subarray(0, count)
    if (!bytes.equals(zeros.subarray(0, count))) return start + bytes.findIndex((byte) => byte !== 0)
    start += count
  }
  return undefined
}

/** In bytes: what is in memory at a time, and by how much that moves on, so that there is something behind each byte. */
const windowSize = 8 * 1024 * 1024
const windowStep = windowSize / 2

/** What is passed over at once, if it is there. */
const zeros = Buffer.alloc(4096)

/** In bytes: what is read at a time to look for a byte. */
const chunkSize = 256 * 1024

/** Bytes that may be entries one behind the other. */
interface Row {
  /** Where they begin. */
  readonly offsets: ReadonlyArray<number>
  readonly weight: number
  /** Whether a ledger is one that the log is known to have. */
  readonly isKnown: boolean
  /** Whether the entries of the log end where it does. */
  readonly isExact: boolean
}

/** Whether enough speaks for it. */
const isRow = (row: Row, search: Search, buffer: Buffer, start: number): boolean => {
  const { isExact, isKnown, offsets, weight } = row
  const isSingle = isExact && offsets.length === 1
  if (weight < (isSingle ? enough - 1 : enough)) return false
  if (isExact && weight >= enough && (isKnown || !isSingle)) return true
  return weight >= (isKnown ? certain : longEnough) || countRivals(row, search, buffer, start) <= (isSingle ? 0 : 2)
}

const enough = 3
const certain = 5
const longEnough = 8
const knownLedger = 2
const endsBadly = 2
const longestRow = 16

/** What speaks for entries at an offset. */
const weigh = (
  { end, expected, ledgerIds, maxEntrySize }: Search,
  buffer: Buffer,
  start: number,
  offset: number
): Row => {
  const offsets: Array<number> = []
  let weight = expected.has(start + offset) ? 1 : 0
  let isKnown = false
  let next = offset
  const row = (more: number): Row => ({
    offsets,
    weight: offsets.length === 0 ? 0 : weight + more,
    isKnown,
    isExact: start + next === end
  })
  while (!(isKnown && weight >= certain + endsBadly)) {
    next = Format.endOfPadding(buffer, next, buffer.length)
    const room = end - start - next
    if (room === 0) return row(1)
    if (next + Math.min(Header.length, room) > buffer.length || offsets.length === longestRow) return row(0)
    const found = Header.examine(buffer, next, room, maxEntrySize)
    if (found._tag === "Cut" || (found._tag === "Zeros" && isBlank(buffer, next))) return row(0)
    if (found._tag === "Zeros" || found._tag === "Impossible") return row(-endsBadly)
    const more = weightOf(found, ledgerIds)
    weight += more
    isKnown ||= more === knownLedger
    offsets.push(next)
    next += Format.sizeFieldSize + found.size
  }
  return row(0)
}

/** How many other rows there are in the bytes of one that do not come to an entry of it, and do not end badly. */
const countRivals = ({ offsets }: Row, search: Search, buffer: Buffer, start: number): number => {
  const own = new Set(offsets)
  const first = offsets[0] ?? 0
  const to = Math.min(first + rivalsSize, buffer.length - Format.entryHeaderSize)
  let count = 0
  for (let offset = Math.max(0, first - rivalsSize); offset < to; offset += 1) {
    const size = buffer.readInt32BE(offset)
    if (size < Format.idsSize || size > search.end - start - offset) continue
    const rival = weigh(search, buffer, start, offset)
    if (rival.weight > 0 && !rival.offsets.some((other) => own.has(other))) count += 1
  }
  return count
}

/** In bytes. */
const rivalsSize = 64 * 1024

const weightOf = (found: Header.Found, ledgerIds: ReadonlySet<bigint>): number => {
  if (found._tag !== "Entry") return knownLedger
  const { entryId, ledgerId } = found
  // Zeros with a number before them.
  if (ledgerId === 0n && entryId === 0n) return 0
  if (ledgerIds.has(ledgerId)) return knownLedger
  return entryId < commonIds ? 1 : 0
}

/** Ledgers count their entries from 0. */
const commonIds = 1n << 20n

/** Whether the bytes from an offset on are zeros, as far as that is worth looking. */
const isBlank = (buffer: Buffer, offset: number): boolean =>
  buffer.subarray(offset, offset + Format.paddedBlockSize).every((byte) => byte === 0)
