/**
 * Entries that are stored as an application stores them: appended, synced, and
 * only then indexed; and what was acknowledged of them.
 *
 * What was acknowledged must be there, byte for byte and where it was said to
 * be. A write that was refused must have left nothing in the index; the logs may
 * hold what it appended.
 */
import { EntryLocationIndex } from "@effect-bookie/entry-location-index"
import { EntryLog, type LedgerId, type Location } from "@effect-bookie/entry-log"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { Failure } from "../harness/Exits.ts"
import type { Findings } from "../harness/Findings.ts"
import { keyOf } from "./Inspection.ts"

/** An index, and the entry logs that it points into. */
export interface Services {
  readonly index: EntryLocationIndex.EntryLocationIndex["Service"]
  readonly entryLog: EntryLog.EntryLog["Service"]
}

/** Those of the current context. */
export const currentServices: Effect.Effect<
  Services,
  never,
  EntryLocationIndex.EntryLocationIndex | EntryLog.EntryLog
> = Effect.gen(function* () {
  return { index: yield* EntryLocationIndex.EntryLocationIndex, entryLog: yield* EntryLog.EntryLog }
})

/** An entry that was acknowledged. */
export interface Stored {
  readonly entry: EntryLog.Entry
  readonly location: Location.Location
}

/** Stores entries, and keeps account of what was acknowledged. */
export class Acknowledged {
  readonly #findings: Findings
  readonly #stored = new Map<string, Stored>()

  constructor(findings: Findings) {
    this.#findings = findings
  }

  /** How many entries there must be. */
  get size(): number {
    return this.#stored.size
  }

  /** The entries that must be there. */
  get all(): ReadonlyArray<Stored> {
    return [...this.#stored.values()]
  }

  /** Stores entries, and answers how many. */
  store({ entryLog, index }: Services, entries: ReadonlyArray<EntryLog.Entry>): Effect.Effect<number, Failure> {
    return Effect.gen({ self: this }, function* () {
      const locations = yield* entryLog.appendAll(entries)
      yield* entryLog.sync
      const located = entries.flatMap((entry, at) => {
        const location = locations[at]
        return location === undefined ? [] : [{ entry, location }]
      })
      yield* index.addLocations(located.map(({ entry, location }) => ({ ...entry, location })))
      for (const stored of located) this.#stored.set(keyOf(stored.entry.ledgerId, stored.entry.entryId), stored)
      return located.length
    })
  }

  /** Deletes a ledger. */
  deleteLedger({ index }: Services, ledgerId: LedgerId.LedgerId): Effect.Effect<void, Failure> {
    return Effect.map(index.deleteLedger(ledgerId), () => {
      for (const [key, { entry }] of this.#stored) if (entry.ledgerId === ledgerId) this.#stored.delete(key)
    })
  }

  /** Whether an entry is where it was acknowledged to be, byte for byte. */
  isThere({ entryLog, index }: Services, { entry, location }: Stored): Effect.Effect<boolean, Failure> {
    return Effect.gen(function* () {
      const { entryId, ledgerId, payload } = entry
      const found = yield* index.getLocation(ledgerId, entryId)
      const read = yield* entryLog.read(ledgerId, entryId, location)
      return found === location && Buffer.compare(read, payload) === 0
    })
  }

  /** The index counts and lists what was acknowledged, and nothing else. */
  readonly verifyIndex = Effect.fnUntraced(function* (this: Acknowledged, { index }: Services) {
    let found = 0
    const scan = index.ledgers.pipe(
      Stream.flatMap((ledgerId) => index.entries(ledgerId)),
      Stream.runForEach(({ entryId, ledgerId, location }) =>
        Effect.sync(() => {
          found += 1
          const key = keyOf(ledgerId, entryId)
          const expected = this.#stored.get(key)?.location
          this.#findings.check(expected === location, `entry ${key} is at ${location}, not at ${expected}`)
        })
      )
    )
    const exit = yield* Effect.exit(Effect.andThen(scan, index.entryCount))
    if (Exit.isFailure(exit)) return this.#findings.add(`the index cannot be scanned: ${Cause.pretty(exit.cause)}`)
    this.#findings.check(found === this.size, `${found} of ${this.size} entries are there`)
    this.#findings.check(
      exit.value === BigInt(this.size),
      `the count is ${exit.value}, and ${this.size} entries are acknowledged`
    )
  })

  /** A scan of the logs finds what was acknowledged, whatever failed writes have left there. */
  readonly verifyLogs = Effect.fnUntraced(function* (this: Acknowledged, { entryLog }: Services) {
    const found = new Set<Location.Location>()
    const exit = yield* Effect.exit(
      Stream.runForEach(entryLog.scan(), ({ location }) => Effect.sync(() => found.add(location)))
    )
    if (Exit.isFailure(exit)) this.#findings.add(`the logs cannot be scanned: ${Cause.pretty(exit.cause)}`)
    const missing = this.all.filter(({ location }) => !found.has(location))
    this.#findings.check(missing.length === 0, `a scan of the logs misses ${missing.length} entries`)
  })
}
