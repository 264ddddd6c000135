/**
 * Random values that a seed repeats.
 */
import { createCipheriv, createHash } from "node:crypto"

/** A stream of random values; the same words make the same one. */
export class Random {
  readonly #cipher: ReturnType<typeof createCipheriv>

  constructor(...words: ReadonlyArray<string | number>) {
    const key = createHash("sha256").update(words.join(" ")).digest()
    this.#cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16))
  }

  bytes(length: number): Buffer {
    return this.#cipher.update(Buffer.alloc(length))
  }

  /** A whole number from 0 up to, and without, a bound of at most 2^32. */
  integer(bound: number): number {
    return Math.floor((this.bytes(4).readUInt32BE() / 2 ** 32) * bound)
  }

  /** True with a probability. */
  chance(probability: number): boolean {
    return this.integer(1_000_000) < probability * 1_000_000
  }

  /** One of some values. */
  pick<A>(values: readonly [A, ...Array<A>]): A {
    return values[this.integer(values.length)] ?? values[0]
  }

  /** An id in 0..2^63-1, small as often as large. */
  id(): bigint {
    return BigInt.asUintN(this.integer(64), this.bytes(8).readBigUInt64BE())
  }
}
