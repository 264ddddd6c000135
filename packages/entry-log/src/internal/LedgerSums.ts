/**
 * Tells whether two counts of bytes by ledger are the same, in the memory of
 * three numbers: what all add up to, and two sums in which each ledger has a
 * weight of its own. That counts which differ have the same sums is possible,
 * as with every checksum, about once in 2^32.
 */

/** Sums over counts of bytes by ledger. */
export class LedgerSums {
  #bytes = 0
  #first = 0
  #second = 0

  /** Adds bytes of a ledger, whose id is given as its two halves. */
  add(high: number, low: number, bytes: number): void {
    // The bits of the id, mixed as MurmurHash3 does.
    let weight = Math.imul(low ^ Math.imul(high, 0x9e37_79b1), 0x85eb_ca6b)
    weight = Math.imul(weight ^ (weight >>> 13), 0xc2b2_ae35)
    this.#bytes += bytes
    // An odd weight: no number of bytes makes the product zero.
    this.#first = (this.#first + Math.imul(weight | 1, bytes)) | 0
    this.#second = (this.#second + Math.imul((weight ^ (weight >>> 16)) | 1, bytes)) | 0
  }

  /** Whether the same has been added to both, in whatever order. */
  equals(other: LedgerSums): boolean {
    return this.#bytes === other.#bytes && this.#first === other.#first && this.#second === other.#second
  }
}
