/**
 * The ledgers that had changed in a memtable at one moment, in the order of their
 * ids, while the memtable goes on. They are looked for in steps of a fraction of
 * a millisecond, so that nobody waits for the first of a million.
 */
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import { IncrementalSort } from "./IncrementalSort.ts"
import * as Words from "../words.ts"
import { keyLength } from "./WordIndex.ts"

/** What has become of a ledger. */
export const Change = { none: 0, isEmpty: 1, hasEntries: 2 } as const

/** Ledgers one after another. */
export class ChangedLedgers {
  readonly #keys: Int32Array
  readonly #changes: Uint8Array
  readonly #sorted: IncrementalSort
  /** How many slots have been listed. */
  #listed = 0
  /** The next one, if it is known and there is one. */
  next: LedgerId | undefined

  /** Of the slots of a memtable: the keys, which do not change, and a copy of their changes. */
  constructor(keys: Int32Array, changes: Uint8Array) {
    this.#keys = keys
    this.#changes = changes
    this.#sorted = new IncrementalSort(changes.length)
  }

  /** Looks for the next one, if it is not known, for a fraction of a millisecond. Answers whether it, or that there is none, is. */
  look(): boolean {
    if (this.next !== undefined) return true
    if (this.#listed < this.#changes.length) {
      this.#list()
      return false
    }
    if (!this.#sorted.isReady) {
      this.#sorted.sortOn()
      if (!this.#sorted.isReady) return false
    }
    // It was an id when it was added.
    if (this.#sorted.take()) this.next = Words.join(this.#sorted.high, this.#sorted.low) as LedgerId
    return true
  }

  /** Whether the next one has entries. */
  get hasEntries(): boolean {
    return this.#sorted.value === Change.hasEntries
  }

  /** Goes on to the one behind it, which is to be looked for. */
  take(): void {
    this.next = undefined
  }

  #list(): void {
    const end = Math.min(this.#listed + slotsPerStep, this.#changes.length)
    this.#sorted.addAll(this.#keys, keyLength, this.#changes, this.#listed, end)
    this.#listed = end
  }
}

/** So many slots are listed in a step. */
const slotsPerStep = 8192
