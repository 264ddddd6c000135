/**
 * Numbers that a seed decides: mulberry32, whose period of 2^32 is enough here.
 */

/** A source of numbers. */
export interface Random {
  /** A whole number from 0 up to, and without, a bound. */
  readonly below: (bound: number) => number
  /** True once in so many times. */
  readonly oneIn: (times: number) => boolean
  /** One of some values. */
  readonly pick: <A>(values: readonly [A, ...ReadonlyArray<A>]) => A
}

/** The source of a seed. */
export const make = (seed: number): Random => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    below,
    oneIn: (times) => below(times) === 0,
    pick: (values) => values[below(values.length)] ?? values[0]
  }
}
