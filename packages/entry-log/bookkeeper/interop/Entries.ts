/**
 * Random entries as an application might write them: ledgers side by side,
 * gaps, entries written again, ids at both ends of their range, empty and large
 * payloads.
 */
import { EntryId, type EntryLog, LedgerId } from "@effect-bookie/entry-log"
import type { Random } from "./Random.ts"

/** An endless sequence of random entries. */
export class Entries {
  readonly #random: Random
  readonly #maxPayload: number
  readonly #ledgers: Array<{ readonly ledgerId: bigint; nextEntryId: bigint }>
  readonly #written: Array<readonly [ledgerId: bigint, entryId: bigint]> = []

  /** `maxPayload`, in bytes, is the largest payload, and comes up now and then. */
  constructor(random: Random, maxPayload: number) {
    this.#random = random
    this.#maxPayload = maxPayload
    this.#ledgers = Array.from({ length: 1 + random.integer(12) }, (_, index) => ({
      ledgerId: index === 0 ? random.pick([0n, maximum]) : random.id(),
      nextEntryId: random.id() >> 1n
    }))
  }

  /** The next entry. */
  next(): EntryLog.Entry {
    const [ledgerId, entryId] = this.#nextIds()
    if (this.#written.length < 1000) this.#written.push([ledgerId, entryId])
    return {
      ledgerId: LedgerId.make(ledgerId),
      entryId: EntryId.make(entryId),
      payload: this.#random.bytes(this.#nextSize())
    }
  }

  #nextIds(): readonly [ledgerId: bigint, entryId: bigint] {
    const random = this.#random
    const again = this.#written[random.integer(this.#written.length)]
    if (again !== undefined && random.chance(0.05)) return again
    const ledger = this.#ledgers[random.integer(this.#ledgers.length)]
    if (ledger === undefined) throw new Error("there is no ledger")
    if (random.chance(0.02)) return [ledger.ledgerId, random.pick([0n, maximum])]
    ledger.nextEntryId += random.chance(0.03) ? BigInt(random.integer(1000)) : 1n
    return [ledger.ledgerId, ledger.nextEntryId]
  }

  #nextSize(): number {
    const random = this.#random
    if (random.chance(0.05)) return 0
    if (random.chance(0.01)) return this.#maxPayload - random.pick([0, 0, 1, random.integer(this.#maxPayload)])
    return Math.min(random.integer(random.chance(0.05) ? 5000 : 300), this.#maxPayload)
  }
}

const maximum = 2n ** 63n - 1n
