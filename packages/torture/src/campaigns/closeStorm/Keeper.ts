/**
 * A ledger for each fiber, and what each of its entries may be: the location
 * that was acknowledged last, or one that was asked for since.
 */
import { EntryId, type EntryLocationIndex, LedgerId, Location } from "@effect-bookie/entry-location-index"
import type { RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import type { Findings } from "../../harness/Findings.ts"
import type { Random } from "../../harness/Random.ts"

type Index = EntryLocationIndex.EntryLocationIndex["Service"]

/** How many entries a ledger has at most. */
const entriesPerLedger = 600

/** Keeps account of what was acknowledged. */
export class Keeper {
  readonly #random: Random
  readonly #findings: Findings
  /** For each ledger and entry: the locations that it may have. */
  readonly #ledgers: ReadonlyArray<Map<number, Array<bigint | undefined>>>
  /** For each ledger the entry that was added last: where a race would show. */
  readonly #latest = new Map<number, number>()
  #location = 1n
  acknowledged = 0
  compared = 0

  constructor(ledgers: number, random: Random, findings: Findings) {
    this.#random = random
    this.#findings = findings
    this.#ledgers = Array.from({ length: ledgers }, () => new Map())
  }

  /** Adds an entry to a ledger. Not called again for that ledger before it has ended. */
  add(index: Index, ledger: number): Effect.Effect<void, RocksDBError.RocksDBError> {
    return Effect.suspend(() => {
      const entry = this.#random.below(entriesPerLedger)
      const location = this.#location++
      this.#latest.set(ledger, entry)
      const entries = this.#ledgers[ledger] ?? new Map()
      entries.set(entry, [...(entries.get(entry) ?? [undefined]), location])
      return Effect.map(index.addLocation(ledgerId(ledger), entryId(entry), Location.make(location)), () => {
        entries.set(entry, [location])
        this.acknowledged += 1
      })
    })
  }

  /**
   * Reads an entry of a ledger while nobody adds to it, but others read it and its page changes for other entries: memory
   * must not hold an older one.
   */
  read(index: Index, ledger: number): Effect.Effect<void, RocksDBError.RocksDBError> {
    return Effect.suspend(() => {
      const entry = this.#someEntry(ledger)
      const allowed = this.#ledgers[ledger]?.get(entry) ?? [undefined]
      return Effect.map(index.getLocation(ledgerId(ledger), entryId(entry)), (location) => {
        this.compared += 1
        this.#findings.check(
          allowed.includes(location),
          `entry ${entry} of ledger ${ledger} was read at ${location}, not at ${allowed.join(" or ")}`
        )
      })
    })
  }

  /** Reads entries of any ledger, whatever becomes of them meanwhile. */
  readAny(index: Index): Effect.Effect<unknown, RocksDBError.RocksDBError> {
    return Effect.suspend(() => {
      const ledger = this.#random.below(this.#ledgers.length)
      return index.getLocation(ledgerId(ledger), entryId(this.#someEntry(ledger)))
    })
  }

  #someEntry(ledger: number): number {
    const latest = this.#latest.get(ledger)
    return latest === undefined || this.#random.oneIn(4) ? this.#random.below(entriesPerLedger) : latest
  }

  /** Compares some ledgers with what they may be. */
  readonly verify = Effect.fnUntraced(function* (this: Keeper, index: Index, cycle: number) {
    for (let count = 0; count < 8; count++) {
      const ledger = this.#random.below(this.#ledgers.length)
      const entries = this.#ledgers[ledger] ?? new Map<number, Array<bigint | undefined>>()
      const known = [...entries]
      const found = yield* Effect.orDie(
        index.getLocations(known.map(([entry]) => ({ ledgerId: ledgerId(ledger), entryId: entryId(entry) })))
      )
      for (const [at, [entry, allowed]] of known.entries()) {
        this.compared += 1
        const location = found[at]
        this.#findings.check(
          allowed.includes(location),
          `cycle ${cycle}: entry ${entry} of ledger ${ledger} is at ${location}, not at ${allowed.join(" or ")}`
        )
        entries.set(entry, [location])
      }
    }
  }).bind(this)
}

const ledgerId = (ledger: number) => LedgerId.make(BigInt(ledger))

const entryId = (entry: number) => EntryId.make(BigInt(entry))
