/**
 * Tells whether two counts of bytes by ledger are the same, in the memory of
 * three numbers: what all add up to, and two sums in which each ledger has a
 * weight of its own. That counts which differ have the same sums is possible,
 * as with every checksum, and rarer than once in 2^32.
 */

/** Sums over counts of bytes by ledger. */
export class LedgerSums {
  #bytes = 0
  #first = 0
  #second = 0

  /** Adds bytes of a ledger, whose id is given as its two halves. */
  add(high: number, low: number, bytes: number): void {
    this.#bytes += bytes
    this.#first = (this.#first + Math.imul(weightOf(low, high), bytes)) | 0
    this.#second = (this.#second + Math.imul(weightOf(~high, low), bytes)) | 0
  }

  /** Whether the same has been added to both, in whatever order. */
  equals(other: LedgerSums): boolean {
    return this.#bytes === other.#bytes && this.#first === other.#first && this.#second === other.#second
  }
}

/** Mixes the bits of two numbers, as MurmurHash3 does, to an odd one, which no factor below 2^32 makes zero. */
const weightOf = (left: number, right: number): number => {
  let bits = Math.imul(left ^ Math.imul(right, 0x9e37_79b1), 0x85eb_ca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35)
  return (bits ^ (bits >>> 16)) | 1
}
