/**
 * The ledgers that have entries: those that memtables say so of, and those that
 * have a record in the database and that no memtable knows otherwise of.
 */
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { RocksDB } from "@effect-bookie/rocksdb"
import type { Memtable } from "../journal/Memtable.ts"
import * as Keys from "../keys.ts"
import { chunkSize, type Merge } from "./Merge.ts"

export class LedgerMerge implements Merge<LedgerId> {
  /** The ledgers that changed, in order, and whether they have entries. */
  readonly #above: ReadonlyArray<readonly [ledgerId: LedgerId, hasEntries: boolean]>
  #records: ReadonlyArray<RocksDB.Entry> = []
  #nextRecord = 0
  #nextAbove = 0
  #isFed = false

  /** Begins with what the memtables, the oldest first, hold. */
  constructor(memtables: ReadonlyArray<Memtable>) {
    const known = new Map<LedgerId, boolean>()
    for (const memtable of memtables) {
      for (let slot = 0; slot < memtable.ledgers; slot++) {
        if (memtable.isChanged(slot)) known.set(memtable.ledgerId(slot), memtable.lastHigh(slot) >= 0)
      }
    }
    this.#above = [...known].toSorted(([left], [right]) => (left < right ? -1 : 1))
  }

  get isDone(): boolean {
    return this.#isFed && this.#nextRecord >= this.#records.length && this.#nextAbove >= this.#above.length
  }

  feed(records: ReadonlyArray<RocksDB.Entry>): void {
    this.#records = records
    this.#nextRecord = 0
    if (records.length === 0) this.#isFed = true
  }

  take(): ReadonlyArray<LedgerId> | string {
    const found: Array<LedgerId> = []
    while (found.length < chunkSize) {
      const above = this.#above[this.#nextAbove]
      const record = this.#records[this.#nextRecord]
      if (record === undefined && (above === undefined || !this.#isFed)) break
      const below = record === undefined ? undefined : Keys.ledgerIdIn(record.key)
      if (record !== undefined && below === undefined) {
        return found.length > 0 ? found : "the key of a ledger is malformed"
      }
      if (above !== undefined && (below === undefined || above[0] <= below)) {
        this.#nextAbove += 1
        if (above[0] === below) this.#nextRecord += 1
        if (above[1]) found.push(above[0])
      } else if (below !== undefined) {
        this.#nextRecord += 1
        found.push(below)
      }
    }
    return found
  }
}
