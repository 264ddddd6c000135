/**
 * Whole numbers that look random and that a seed repeats, on every machine. Pure.
 */

/** A number in 0..2^32-1 that depends on every bit of the seed and the index. */
export const hash = (seed: number, index: number): number =>
  mix(Math.imul(seed, 0x9e37_79b1) ^ mix(index + 0x7f4a_7c15))

/** A sequence of random numbers; the same words make the same one. */
export class Draws {
  readonly #seed: number
  #drawn = 0

  constructor(...words: ReadonlyArray<number>) {
    this.#seed = words.reduce((seed, word) => hash(seed, word), 0)
  }

  /** A whole number from 0 up to, and without, a bound of at most 2^32. */
  below(bound: number): number {
    return Math.floor((hash(this.#seed, this.#drawn++) / 2 ** 32) * bound)
  }

  /** A number of the standard normal distribution. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log((this.below(2 ** 32) + 1) / 2 ** 32))
    return radius * Math.cos((2 * Math.PI * this.below(2 ** 32)) / 2 ** 32)
  }
}

/** Spreads the bits of a 32-bit number over all of them; different numbers stay different. */
const mix = (value: number): number => {
  let mixed = value | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
