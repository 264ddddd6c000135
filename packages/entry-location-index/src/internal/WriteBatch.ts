/**
 * What a commit is to change: mutations that add the location of an entry or delete
 * a ledger, in their order.
 *
 * Kept as plain words, because objects for each of the 100,000 entries of a
 * flush would cost more than writing them does. The ids have been checked.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import type { RecordOperation } from "./CallerRecords.ts"
import * as Words from "./words.ts"

/** How many words a mutation has: two each for the ledger id, the entry id and the location. */
export const stride = 6

/** Where in a mutation each word is. */
export const ledgerHighAt = Words.highAt
export const ledgerLowAt = Words.lowAt
export const entryHighAt = 2 + Words.highAt
export const entryLowAt = 2 + Words.lowAt
export const highAt = 4 + Words.highAt
export const lowAt = 4 + Words.lowAt

/** The high word of the entry id in a mutation that deletes the ledger. */
export const deletes = -1

/** Mutations in their order. */
export class WriteBatch {
  #ids: BigInt64Array<ArrayBuffer>
  #length = 0
  /** The mutations, {@link stride} words each; there is room behind the last one. */
  words: Int32Array<ArrayBuffer>
  /** What becomes of callers' records, in their order. */
  readonly records: Array<RecordOperation> = []

  /** Makes room for so many mutations; it grows when there are more. */
  constructor(room = 16) {
    this.#ids = new BigInt64Array(room * idsPerMutation)
    this.words = new Int32Array(this.#ids.buffer)
  }

  /** How many mutations these are. */
  get size(): number {
    return this.#length / idsPerMutation
  }

  /** Forgets the mutations, and keeps their room. */
  clear(): void {
    this.#length = 0
    this.records.length = 0
  }

  /** Adds the location of an entry, or overwrites it. */
  add(ledgerId: LedgerId, entryId: EntryId, location: Location): void {
    const at = this.#extend(idsPerMutation)
    this.#ids[at] = ledgerId
    this.#ids[at + 1] = entryId
    this.#ids[at + 2] = location
  }

  /** Deletes all that a ledger has until now. */
  deleteLedger(ledgerId: LedgerId): void {
    const at = this.#extend(idsPerMutation)
    this.#ids[at] = ledgerId
    this.#ids[at + 1] = BigInt(deletes)
  }

  /** Adds a mutation as its words. */
  addWords(
    ledgerHigh: number,
    ledgerLow: number,
    entryHigh: number,
    entryLow: number,
    high: number,
    low: number
  ): void {
    const at = this.#extend(idsPerMutation) * 2
    const { words } = this
    words[at + ledgerHighAt] = ledgerHigh
    words[at + ledgerLowAt] = ledgerLow
    words[at + entryHighAt] = entryHigh
    words[at + entryLowAt] = entryLow
    words[at + highAt] = high
    words[at + lowAt] = low
  }

  /** Whether a mutation deletes its ledger. */
  isDelete(mutation: number): boolean {
    return this.words[mutation * stride + entryHighAt] === deletes
  }

  /** The mutation after the last one of a group, which adds entries to one ledger, no more than fit in a record, or is one delete. */
  endOfGroup(start: number): number {
    if (this.isDelete(start)) return start + 1
    const { words } = this
    const size = Math.min(this.size, start + maxRun)
    const high = words[start * stride + ledgerHighAt]
    const low = words[start * stride + ledgerLowAt]
    let end = start + 1
    for (let at = end * stride; end < size; end++, at += stride) {
      if (words[at + ledgerLowAt] !== low || words[at + ledgerHighAt] !== high) break
      if (words[at + entryHighAt] === deletes) break
    }
    return end
  }

  #extend(length: number): number {
    const at = this.#length
    if (at + length > this.#ids.length) {
      const larger = new BigInt64Array(Math.max(2 * this.#ids.length, at + length))
      larger.set(this.#ids.subarray(0, at))
      this.#ids = larger
      this.words = new Int32Array(larger.buffer)
    }
    this.#length += length
    return at
  }

  /** The changes of several commits as one, in their order. None of them is changed. */
  static merge(all: ReadonlyArray<WriteBatch>): WriteBatch {
    const [first] = all
    if (first !== undefined && all.length === 1) return first
    const merged = new WriteBatch(all.reduce((size, changes) => size + changes.size, 0))
    for (const changes of all) {
      const at = merged.#extend(changes.#length)
      merged.#ids.set(changes.#ids.subarray(0, changes.#length), at)
      for (const operation of changes.records) merged.records.push(operation)
    }
    return merged
  }
}

const idsPerMutation = 3

const maxRun = 65_536
