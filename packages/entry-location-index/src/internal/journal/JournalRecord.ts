/**
 * A commit, or a part of a large one, as the bytes of one record. Pure.
 *
 * This journal is of the index alone and lies in RocksDB, below its pages. That
 * of a BookKeeper bookie is a file of its own, in front of entry log and index,
 * and has whole entries.
 *
 * - the version, 1
 * - groups of mutations about one ledger each, in their order:
 *   - `count << 3`, with bit 0 for a delete (then that is all but the ledger),
 *     bit 1 if the entries are consecutive, bit 2 if the last entry of the
 *     ledger is that of the group
 *   - the ledger id
 *   - the number of entries of the ledger after the group, and its last entry
 *     unless bit 2 is set
 *   - the entry ids: the first one if they are consecutive, else each
 *   - the locations, each as it follows from the one before in the record: how
 *     much further on it is in the same log; or 0, then its log id and position
 * - 0, and the number of entries of the index after the record
 *
 * Numbers are varints, ids two of 32 bits each. All counts are absolute, so to
 * apply a record twice is to apply it once.
 */
import * as Mutation from "../WriteBatch.ts"
import { WriteBatch } from "../WriteBatch.ts"
import { LedgerGroups } from "../LedgerGroups.ts"

/** The version of the encoding. */
export const version = 1

/** What a record says. */
export interface JournalRecord {
  readonly changes: WriteBatch
  /** The groups of the changes; their slots are -1. */
  readonly groups: LedgerGroups
  /** How many entries the index has after it. */
  readonly entries: number
}

/** Writes records into a buffer that it reuses. */
export class Encoder {
  #bytes = new Uint8Array(64 * 1024)
  #at = 0
  #high = 0
  #low = 0

  /** Begins a record. */
  begin(): void {
    this.#at = 0
    this.#high = 0
    this.#low = 0
    this.#bytes[this.#at++] = version
  }

  /** Adds the group of mutations from `start` up to, and without, `end`; a delete is a group of its own. */
  group(changes: WriteBatch, start: number, end: number, entries: number, lastHigh: number, lastLow: number): void {
    this.#reserve(runSize + (end - start) * callSize)
    const { words } = changes
    const first = start * Mutation.stride
    if (changes.isDelete(start)) {
      this.#word(isDelete)
      this.#id(words[first + Mutation.ledgerHighAt] ?? 0, words[first + Mutation.ledgerLowAt] ?? 0)
      return
    }
    const last = (end - 1) * Mutation.stride
    const consecutive = areConsecutive(words, start, end)
    const endsLedger = words[last + Mutation.entryLowAt] === lastLow && words[last + Mutation.entryHighAt] === lastHigh
    this.#word(((end - start) << 3) | (consecutive ? isConsecutive : 0) | (endsLedger ? isLast : 0))
    this.#id(words[first + Mutation.ledgerHighAt] ?? 0, words[first + Mutation.ledgerLowAt] ?? 0)
    this.#number(entries)
    if (!endsLedger) this.#id(lastHigh, lastLow)
    for (let at = first; at <= last; at += Mutation.stride) {
      if (at === first || !consecutive)
        this.#id(words[at + Mutation.entryHighAt] ?? 0, words[at + Mutation.entryLowAt] ?? 0)
      this.#location(words[at + Mutation.highAt] ?? 0, (words[at + Mutation.lowAt] ?? 0) >>> 0)
    }
  }

  /** Ends the record, and answers its bytes in an array of their own. */
  end(entries: number): Uint8Array {
    this.#reserve(runSize)
    this.#word(0)
    this.#number(entries)
    return this.#bytes.slice(0, this.#at)
  }

  #location(high: number, low: number): void {
    if (high === this.#high && low > this.#low) {
      this.#word(low - this.#low)
    } else {
      this.#bytes[this.#at++] = 0
      this.#id(high, low)
    }
    this.#high = high
    this.#low = low
  }

  #id(high: number, low: number): void {
    this.#word(high)
    this.#word(low)
  }

  #number(value: number): void {
    this.#id(Math.floor(value / 0x1_0000_0000), value % 0x1_0000_0000)
  }

  #word(value: number): void {
    let rest = value >>> 0
    let at = this.#at
    const bytes = this.#bytes
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
    this.#at = at
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + length))
    larger.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = larger
  }
}

/** Reads a record into changes and groups whose room is used again, or answers what is wrong with it. */
export const decode = (
  bytes: Uint8Array,
  changes = new WriteBatch(),
  groups = new LedgerGroups()
): JournalRecord | string => {
  changes.clear()
  groups.clear()
  const decoder = new Decoder(bytes, changes, groups)
  while (!decoder.step()) continue
  return decoder.record
}

/** The flags in the number that a group begins with. */
const isDelete = 1
const isConsecutive = 2
const isLast = 4

/** After so many mutations a step ends, with the group that they are in. */
const mutationsPerStep = 2048

/** The most that a group takes up before its mutations, and a mutation. */
const runSize = 64
const callSize = 24

const areConsecutive = (words: Int32Array, start: number, end: number): boolean => {
  const first = start * Mutation.stride
  const high = words[first + Mutation.entryHighAt] ?? 0
  const low = words[first + Mutation.entryLowAt] ?? 0
  // Within one high word, which is all but never crossed.
  if ((low >>> 0) + (end - start) > 0x1_0000_0000) return end - start === 1
  for (let mutation = start + 1; mutation < end; mutation++) {
    const at = mutation * Mutation.stride
    if (
      words[at + Mutation.entryLowAt] !== ((low + (mutation - start)) | 0) ||
      words[at + Mutation.entryHighAt] !== high
    ) {
      return false
    }
  }
  return true
}

class Malformed extends Error {}

/** Reads a record in steps of a fraction of a millisecond, into changes and groups, which are empty. */
export class Decoder {
  readonly #bytes: Uint8Array
  readonly #changes: WriteBatch
  readonly #groups: LedgerGroups
  #at = 0
  #high = 0
  #low = 0
  /** What the record says, or what is wrong with it, once all of it has been read. */
  record: JournalRecord | string = "it has not been read"

  constructor(bytes: Uint8Array, changes: WriteBatch, groups: LedgerGroups) {
    this.#bytes = bytes
    this.#changes = changes
    this.#groups = groups
  }

  /** Reads some of its groups, and answers whether that was all. */
  step(): boolean {
    try {
      const record = this.#read()
      if (record === undefined) return false
      this.record = record
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause
      this.record = cause.message
    }
    return true
  }

  #read(): JournalRecord | string | undefined {
    if (this.#at === 0 && this.#bytes[this.#at++] !== version) {
      return `its version is ${this.#bytes[0] ?? "missing"}, not ${version}`
    }
    const pause = this.#changes.size + mutationsPerStep
    for (let header = this.#word(); header !== 0; header = this.#word()) {
      this.#group(header)
      if (this.#changes.size >= pause) return undefined
    }
    const entries = this.#number()
    if (this.#at < this.#bytes.length) return `${this.#bytes.length - this.#at} bytes follow its end`
    return { entries, changes: this.#changes, groups: this.#groups }
  }

  #group(header: number): void {
    const count = header >>> 3
    const ledgerHigh = this.#highWord()
    const ledgerLow = this.#word()
    const start = this.#changes.size
    if ((header & isDelete) !== 0) {
      if (header !== isDelete) throw new Malformed("a delete in it has entries")
      this.#changes.addWords(ledgerHigh, ledgerLow, Mutation.deletes, 0, 0, 0)
      this.#groups.add(-1, start + 1, 0, -1, 0)
      return
    }
    // Each mutation takes a byte at least, so nothing is allocated for a count that cannot be.
    if (count === 0 || count > this.#bytes.length - this.#at) throw new Malformed("a number of entries in it cannot be")
    const entries = this.#number()
    const endsLedger = (header & isLast) !== 0
    const lastHigh = endsLedger ? 0 : this.#highWord()
    const lastLow = endsLedger ? 0 : this.#word()
    let high = 0
    let low = 0
    for (let nth = 0; nth < count; nth++) {
      if (nth === 0 || (header & isConsecutive) === 0) {
        high = this.#highWord()
        low = this.#word()
      } else {
        low += 1
        if (low > 0xffff_ffff) throw new Malformed("its consecutive entries are out of range")
      }
      this.#location()
      this.#changes.addWords(ledgerHigh, ledgerLow, high, low, this.#high, this.#low)
    }
    if (endsLedger) this.#groups.add(-1, start + count, entries, high, low | 0)
    else this.#groups.add(-1, start + count, entries, lastHigh, lastLow | 0)
  }

  #location(): void {
    const step = this.#word()
    if (step > 0) {
      this.#low += step
      if (this.#low > 0xffff_ffff) throw new Malformed("a position in it is out of range")
    } else {
      const high = this.#highWord()
      const low = this.#word()
      if (high === this.#high && low > this.#low) throw new Malformed("a location in it is spelled out needlessly")
      this.#high = high
      this.#low = low
    }
  }

  #highWord(): number {
    const word = this.#word()
    if (word > 0x7fff_ffff) throw new Malformed("an id in it is out of range")
    return word
  }

  #number(): number {
    const value = this.#word() * 0x1_0000_0000 + this.#word()
    if (!Number.isSafeInteger(value)) throw new Malformed("a count in it is out of range")
    return value
  }

  #word(): number {
    const bytes = this.#bytes
    let byte = bytes[this.#at++] ?? -1
    // Nearly all are of one or two bytes.
    if (byte < 0x80) return byte < 0 ? truncated() : byte
    let value = byte & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      byte = bytes[this.#at++] ?? -1
      if (byte < 0x80) return byte < 0 ? truncated() : byte === 0 ? tooLong() : value | (byte << shift)
      value |= (byte & 0x7f) << shift
    }
    byte = bytes[this.#at++] ?? -1
    if (byte < 0) return truncated()
    return byte === 0 || byte > 0x0f ? tooLong() : value + byte * 0x1000_0000
  }
}

const truncated = (): never => {
  throw new Malformed("it is truncated")
}

const tooLong = (): never => {
  throw new Malformed("a number in it is too long")
}
