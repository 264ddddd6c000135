/**
 * Reads entries out of the logs, by where the index, or memory, says they are.
 * Every one is checked against its checksum.
 *
 * A log may be removed between the look at the index and the read, after its
 * entries were moved or deleted: so an entry that is not where it should be is
 * looked up again, once.
 */
import type { EntryLocationIndex } from "@effect-bookie/entry-location-index/EntryLocationIndex"
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type { EntryLog } from "@effect-bookie/entry-log/EntryLog"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Location from "@effect-bookie/entry-log/Location"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { EntryKey } from "../../LedgerStorage.ts"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import { above, fromBelow } from "./below.ts"
import type { Pending } from "./Pending.ts"

type Answer<A> = Effect.Effect<A, LedgerStorageError.LedgerStorageError>

/** An entry, and where it should be. */
export interface LocatedKey extends EntryKey {
  readonly location: Location.Location
}

/** An entry that was looked for at its location: what is there, or what is wrong with it. */
export type Found =
  | EntryFrame.Decoded
  /** There is nothing, because the entry has been deleted meanwhile. */
  | undefined
  | { readonly _tag: "DamagedEntry" | "MissingEntry"; readonly problem: string }

/** The entries of a storage. */
export class StoredEntries {
  readonly #index: EntryLocationIndex["Service"]
  readonly #log: EntryLog["Service"]
  readonly #pending: Pending
  readonly #where: LedgerStorageError.Where

  constructor(parts: {
    readonly storage: string
    readonly index: EntryLocationIndex["Service"]
    readonly entryLog: EntryLog["Service"]
    readonly pending: Pending
  }) {
    this.#index = parts.index
    this.#log = parts.entryLog
    this.#pending = parts.pending
    this.#where = { operation: "read", storage: parts.storage }
  }

  /** The ledgers that the index has entries of. */
  get ledgers(): Stream.Stream<LedgerId.LedgerId, LedgerStorageError.LedgerStorageError> {
    return Stream.mapError(this.#index.ledgers, (error) => fromBelow(error, this.#where))
  }

  /** The id of the last entry of a ledger. */
  last(ledgerId: LedgerId.LedgerId): Answer<EntryId.EntryId | undefined> {
    return Effect.suspend(() => {
      const last = this.#pending.last(ledgerId)
      return last === undefined
        ? above(this.#where)(this.#index.getLastEntryInLedger(ledgerId))
        : Effect.succeed(EntryId.make(last))
    })
  }

  /** Where entries are, in the order of their keys. */
  locations(keys: ReadonlyArray<EntryKey>): Answer<ReadonlyArray<Location.Location | undefined>> {
    return Effect.suspend(() => {
      // Memory first: what is not there any more is in the index.
      const locations = keys.map(({ entryId, ledgerId }) => this.#pending.get(ledgerId, entryId))
      const elsewhere = keys.filter((_, index) => locations[index] === undefined)
      if (elsewhere.length === 0) return Effect.succeed(locations)
      return Effect.map(above(this.#where)(this.#index.getLocations(elsewhere)), (found) => {
        let next = 0
        return locations.map((location) => location ?? found[next++])
      })
    })
  }

  /** Where the entries from one id to another are; those that are nowhere are left out. */
  range(ledgerId: LedgerId.LedgerId, from: EntryId.EntryId, to: EntryId.EntryId): Answer<ReadonlyArray<LocatedKey>> {
    return Effect.suspend(() => {
      const pending: Array<LocatedKey> = []
      for (let id: bigint = to; id >= from; id -= 1n) {
        const location = this.#pending.get(ledgerId, id)
        if (location === undefined) break
        pending.push({ ledgerId, entryId: EntryId.make(id), location })
      }
      pending.reverse()
      const last = to - BigInt(pending.length)
      if (last < from) return Effect.succeed(pending)
      const columns = this.#index.entryColumns(ledgerId, { from, to: EntryId.make(last) })
      return Effect.map(above(this.#where)(Stream.runCollect(columns)), (parts) => {
        const keys: Array<LocatedKey> = []
        for (const { entryIds, locations } of parts) {
          entryIds.forEach((entryId, index) => {
            const location = Location.make(locations[index] ?? 0n)
            keys.push({ ledgerId, entryId: EntryId.make(entryId), location })
          })
        }
        return keys.concat(pending)
      })
    })
  }

  /** The entries at locations, in the order of the keys. */
  find(keys: ReadonlyArray<LocatedKey>): Answer<ReadonlyArray<Found>> {
    return Effect.gen({ self: this }, function* () {
      const bodies = yield* above(this.#where)(this.#log.readBodies(keys))
      const found = keys.map((key, index) => decode(key, bodies[index]))
      const missed = keys.flatMap((_, index) => (bodies[index] === undefined ? [index] : []))
      if (missed.length === 0) return found
      const missedKeys = missed.flatMap((index) => keys[index] ?? [])
      const again = yield* this.locations(missedKeys)
      const moved = missedKeys.flatMap((key, index): ReadonlyArray<LocatedKey> => {
        const location = again[index]
        return location === undefined || location === key.location ? [] : [{ ...key, location }]
      })
      const movedBodies = moved.length === 0 ? [] : yield* above(this.#where)(this.#log.readBodies(moved))
      let next = 0
      missed.forEach((index, number) => {
        const key = keys[index]
        const location = again[number]
        if (key === undefined) return
        if (location === undefined) found[index] = undefined
        else if (location !== key.location) found[index] = decode({ ...key, location }, movedBodies[next++])
      })
      return found
    })
  }

  /** The same, where damage fails it. */
  read(keys: ReadonlyArray<LocatedKey>): Answer<ReadonlyArray<EntryFrame.Decoded | undefined>> {
    return Effect.flatMap(this.find(keys), (found) => {
      const entries: Array<EntryFrame.Decoded | undefined> = []
      for (const entry of found) {
        if (entry !== undefined && "problem" in entry) {
          return Effect.fail(LedgerStorageError.corruption(entry.problem, this.#where))
        }
        entries.push(entry)
      }
      return Effect.succeed(entries)
    })
  }
}

const decode = ({ entryId, ledgerId, location }: LocatedKey, body: Uint8Array | undefined): Found => {
  const log = `${Location.logId(location).toString(16)}.log`
  const what = `entry ${entryId} of ledger ${ledgerId} at byte ${Location.position(location)} of ${log}`
  if (body === undefined) return { _tag: "MissingEntry", problem: `${what} is not there` }
  const decoded = EntryFrame.decode(body)
  return "problem" in decoded ? { _tag: "DamagedEntry", problem: `${what} is damaged: ${decoded.problem}` } : decoded
}
