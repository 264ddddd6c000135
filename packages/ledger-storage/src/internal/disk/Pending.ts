/**
 * Where entries are that have been appended, and are not yet in the index: those
 * of "buffered" appends, until the logs have been synced.
 *
 * So the index is never ahead of what is on disk. Of each ledger they are its
 * last entries, one after another.
 */
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Location from "@effect-bookie/entry-log/Location"

/** Locations of entries that are not in the index yet. */
export class Pending {
  readonly #ledgers = new Map<LedgerId.LedgerId, Run>()
  #entries = 0

  /** How many entries there are. */
  get entries(): number {
    return this.#entries
  }

  /** Adds consecutive entries of a ledger, which come behind those that are here; those that are here already stay. */
  add(ledgerId: LedgerId.LedgerId, from: bigint, locations: BigInt64Array): void {
    const run = this.#ledgers.get(ledgerId) ?? { from, locations: [] }
    this.#ledgers.set(ledgerId, run)
    const known = Number(run.from + BigInt(run.locations.length) - from)
    for (const location of locations.subarray(known)) run.locations.push(Location.make(location))
    this.#entries += locations.length - known
  }

  get(ledgerId: LedgerId.LedgerId, entryId: bigint): Location.Location | undefined {
    const run = this.#ledgers.get(ledgerId)
    return run === undefined || entryId < run.from ? undefined : run.locations[Number(entryId - run.from)]
  }

  /** The id of the last entry of a ledger that has some here. */
  last(ledgerId: LedgerId.LedgerId): bigint | undefined {
    const run = this.#ledgers.get(ledgerId)
    return run === undefined ? undefined : run.from + BigInt(run.locations.length) - 1n
  }

  /** They are in the index now. */
  clear(): void {
    this.#ledgers.clear()
    this.#entries = 0
  }
}

interface Run {
  readonly from: bigint
  readonly locations: Array<Location.Location>
}
