/**
 * The ledgers that have entries: those that memtables say so of, and those that
 * have a record in the database and that no memtable knows otherwise of.
 */
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { RocksDB } from "@effect-bookie/rocksdb"
import type { ChangedLedgers } from "../memtable/ChangedLedgers.ts"
import type { Memtable } from "../memtable/Memtable.ts"
import * as Keys from "../pages/keys.ts"
import { chunkSize, type Merge } from "./Merge.ts"

export class LedgerMerge implements Merge<LedgerId> {
  /** The ledgers that changed, of each memtable, the newest first. */
  readonly #above: ReadonlyArray<ChangedLedgers>
  #records: ReadonlyArray<RocksDB.Entry> = []
  #nextRecord = 0
  #isFed = false

  /** Begins with what the memtables, the oldest first, hold. */
  constructor(memtables: ReadonlyArray<Memtable>) {
    this.#above = memtables.map((memtable) => memtable.changedLedgers()).toReversed()
  }

  get isDone(): boolean {
    return (
      this.#isFed &&
      this.#nextRecord >= this.#records.length &&
      this.#above.every((ledgers) => ledgers.look() && ledgers.next === undefined)
    )
  }

  get needsRecords(): boolean {
    return !this.#isFed && this.#nextRecord >= this.#records.length
  }

  feed(records: ReadonlyArray<RocksDB.Entry>): void {
    this.#records = records
    this.#nextRecord = 0
    if (records.length === 0) this.#isFed = true
  }

  take(): ReadonlyArray<LedgerId> | string {
    const found: Array<LedgerId> = []
    // Those that have no entries count too: each takes its time.
    for (let seen = 0; seen < chunkSize && !this.needsRecords; seen++) {
      const record = this.#records[this.#nextRecord]
      const below = record === undefined ? undefined : Keys.ledgerIdIn(record.key)
      if (record !== undefined && below === undefined) {
        return found.length > 0 ? found : "the key of a ledger is malformed"
      }
      for (const ledgers of this.#above) if (!ledgers.look()) return found
      let lowest = below
      for (const { next } of this.#above) {
        if (next !== undefined && (lowest === undefined || next < lowest)) lowest = next
      }
      if (lowest === undefined) break
      if (this.#takeAbove(lowest, below === lowest)) found.push(lowest)
      if (below === lowest) this.#nextRecord += 1
    }
    return found
  }

  /** Whether a ledger has entries: as the newest memtable says that knows it, or as the database does. */
  #takeAbove(ledgerId: LedgerId, below: boolean): boolean {
    let hasEntries: boolean | undefined
    for (const ledgers of this.#above) {
      if (ledgers.next !== ledgerId) continue
      hasEntries ??= ledgers.hasEntries
      ledgers.take()
    }
    return hasEntries ?? below
  }
}
