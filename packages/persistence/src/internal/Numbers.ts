/**
 * Numbers that are never given twice, and that go up in the order in which they
 * are taken: also over a restart or a crash, after which some are left out.
 *
 * They are reserved in blocks. The record of a reservation is written in the
 * same batch as the first number of its block.
 */
import { readUint, uint } from "./keys.ts"
import type { View } from "./Transactions.ts"

/** The numbers of one key space. */
export class Numbers {
  readonly #key: Uint8Array
  #next: number
  #reserved: number

  /** `record` is what the key holds. */
  constructor(key: Uint8Array, record: Uint8Array | undefined) {
    this.#key = key
    this.#next = record === undefined ? 1 : readUint(record)
    this.#reserved = this.#next
  }

  /** The next number, for a transaction that has read all that it needs. One that it does not use is left out. */
  take(view: View): number {
    const number = this.#next
    this.#next += 1
    if (number >= this.#reserved && !view.isProvisional) {
      this.#reserved = number + blockSize
      view.put(this.#key, uint(this.#reserved))
    }
    return number
  }

  /** The last reservation may not have been written. */
  rollBack(): void {
    this.#reserved = this.#next
  }
}

const blockSize = 65_536
