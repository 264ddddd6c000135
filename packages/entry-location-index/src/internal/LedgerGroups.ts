/**
 * LedgerGroups: mutations one after another about one ledger, and what they make of it.
 *
 * In columns, because a wide flush has as many groups as entries.
 */
import { doubledNumbers } from "./columns.ts"

/** LedgerGroups in their order. */
export class LedgerGroups {
  #numbers = new Float64Array(16 * stride)
  #size = 0

  /** How many groups there are. */
  get size(): number {
    return this.#size
  }

  /** Forgets the groups, and keeps their room. */
  clear(): void {
    this.#size = 0
  }

  /** Adds a group that ends before a mutation, of the ledger of a slot, which has so many entries and such a last one after it. */
  add(slot: number, end: number, entries: number, lastHigh: number, lastLow: number): void {
    const at = this.#size * stride
    if (at === this.#numbers.length) this.#numbers = doubledNumbers(this.#numbers)
    const numbers = this.#numbers
    numbers[at] = slot
    numbers[at + 1] = end
    numbers[at + 2] = entries
    numbers[at + 3] = lastHigh
    numbers[at + 4] = lastLow
    this.#size += 1
  }

  /** The slot of the ledger. */
  slot(nth: number): number {
    return this.#numbers[nth * stride] ?? 0
  }

  /** The first mutation. */
  start(nth: number): number {
    return nth === 0 ? 0 : this.end(nth - 1)
  }

  /** The mutation after the last one. */
  end(nth: number): number {
    return this.#numbers[nth * stride + 1] ?? 0
  }

  /** How many entries the ledger has after the group. */
  entries(nth: number): number {
    return this.#numbers[nth * stride + 2] ?? 0
  }

  /** The high word of its last entry then, negative if it has none. */
  lastHigh(nth: number): number {
    return this.#numbers[nth * stride + 3] ?? 0
  }

  /** The low word of its last entry then. */
  lastLow(nth: number): number {
    return this.#numbers[nth * stride + 4] ?? 0
  }
}

const stride = 5
