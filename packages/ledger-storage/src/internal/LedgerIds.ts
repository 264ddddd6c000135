/**
 * Which ledger ids have ever been given, so that none is given twice.
 *
 * Kept as ranges, so that ids which the storage gives cost nothing: they follow
 * one another. An id that a caller chose, away from all others, costs a range
 * for ever.
 */
import * as LedgerId from "@effect-bookie/entry-log/LedgerId"

/** Ids from the first to the last, both included. */
export interface LedgerIdRange {
  readonly first: LedgerId.LedgerId
  readonly last: LedgerId.LedgerId
}

/** The ids that have been given. */
export class LedgerIds {
  /** Ascending, and not touching each other. */
  readonly #ranges: Array<LedgerIdRange>

  /** Takes ranges that are ascending and do not touch each other. */
  constructor(ranges: ReadonlyArray<LedgerIdRange> = []) {
    this.#ranges = [...ranges]
  }

  /** What has been given. */
  get ranges(): ReadonlyArray<LedgerIdRange> {
    return this.#ranges
  }

  /** Whether an id has been given. */
  has(ledgerId: LedgerId.LedgerId): boolean {
    return this.rangeOf(ledgerId) !== undefined
  }

  /** The range that an id is in which has been given. */
  rangeOf(ledgerId: LedgerId.LedgerId): LedgerIdRange | undefined {
    const range = this.#ranges[this.#after(ledgerId) - 1]
    return range !== undefined && ledgerId <= range.last ? range : undefined
  }

  /**
   * The id that comes next: after the highest that has been given or, if that is the largest of all, the lowest that has
   * not. `undefined` if every id has been given.
   */
  next(): LedgerId.LedgerId | undefined {
    const highest = this.#ranges.at(-1)
    if (highest === undefined) return smallest
    if (highest.last < largest) return LedgerId.make(highest.last + 1n)
    const lowest = this.#ranges[0]
    if (lowest === undefined || lowest.first > smallest) return smallest
    return lowest.last < largest ? LedgerId.make(lowest.last + 1n) : undefined
  }

  /** Marks an id as given. */
  add(ledgerId: LedgerId.LedgerId): void {
    const index = this.#after(ledgerId)
    const before = this.#ranges[index - 1]
    if (before !== undefined && ledgerId <= before.last) return
    const after = this.#ranges[index]
    const joinsBefore = before !== undefined && before.last === ledgerId - 1n
    const joinsAfter = after !== undefined && after.first === ledgerId + 1n
    this.#ranges.splice(index - (joinsBefore ? 1 : 0), (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), {
      first: joinsBefore ? before.first : ledgerId,
      last: joinsAfter ? after.last : ledgerId
    })
  }

  /** Takes back that an id has been given: the creation of its ledger has failed, and left nothing behind. */
  takeBack(ledgerId: LedgerId.LedgerId): void {
    const index = this.#after(ledgerId) - 1
    const range = this.#ranges[index]
    if (range === undefined || ledgerId > range.last) return
    const left: Array<LedgerIdRange> = []
    if (range.first < ledgerId) left.push({ first: range.first, last: LedgerId.make(ledgerId - 1n) })
    if (range.last > ledgerId) left.push({ first: LedgerId.make(ledgerId + 1n), last: range.last })
    this.#ranges.splice(index, 1, ...left)
  }

  /** How many ranges begin at an id or before it. */
  #after(ledgerId: LedgerId.LedgerId): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const range = this.#ranges[middle]
      if (range !== undefined && range.first <= ledgerId) low = middle + 1
      else high = middle
    }
    return low
  }
}

const smallest = LedgerId.make(0n)
const largest = LedgerId.make(0x7fff_ffff_ffff_ffffn)
