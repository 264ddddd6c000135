/**
 * Reads and verifies every entry of a storage, some at a time.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { CheckOptions, Inconsistency } from "../../LedgerStorage.ts"
import type { LedgerStorageError } from "../../LedgerStorageError.ts"
import { toBytes } from "../arguments.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import type { Catalog } from "./Catalog.ts"
import type { StoredEntries } from "./StoredEntries.ts"

/** Tells of each entry that is damaged, missing, or of no ledger. */
export const check = (
  catalog: Catalog,
  stored: StoredEntries,
  { rate }: CheckOptions
): Stream.Stream<Inconsistency, LedgerStorageError> => {
  const parts = Stream.flatMap(catalog.ledgers, ({ ledgerId }) =>
    Stream.unwrap(
      Effect.map(stored.last(ledgerId), (last) =>
        last === undefined ? Stream.empty : partsOf(catalog, stored, ledgerId, last)
      )
    )
  )
  const paced =
    rate === undefined
      ? parts
      : Stream.throttle(parts, {
          cost: (chunk) => chunk.reduce((sum, { bytes }) => sum + bytes, 0),
          duration: "1 second",
          units: toBytes(rate)
        })
  return Stream.concat(
    Stream.flatMap(paced, ({ problems }) => Stream.fromIterable(problems)),
    strays(catalog, stored)
  )
}

/** How many entries are read at once. */
const entriesAtOnce = 32n

/** Some entries that have been checked. */
interface Part {
  readonly bytes: number
  readonly problems: ReadonlyArray<Inconsistency>
}

const partsOf = (
  catalog: Catalog,
  stored: StoredEntries,
  ledgerId: LedgerId.LedgerId,
  last: EntryId.EntryId
): Stream.Stream<Part, LedgerStorageError> =>
  Stream.paginate(0n, (from) => {
    const to = last - from < entriesAtOnce ? last : from + entriesAtOnce - 1n
    const next = to === last ? Option.none<bigint>() : Option.some(to + 1n)
    return Effect.map(checkPart(catalog, stored, ledgerId, from, to), (part) => [[part], next])
  })

const checkPart = (
  catalog: Catalog,
  stored: StoredEntries,
  ledgerId: LedgerId.LedgerId,
  from: bigint,
  to: bigint
): Effect.Effect<Part, LedgerStorageError> =>
  Effect.gen(function* () {
    const keys = yield* stored.range(ledgerId, EntryId.make(from), EntryId.make(to))
    const found = yield* stored.find(keys)
    const problems: Array<Inconsistency> = []
    const seen = new Set<bigint>()
    let bytes = 0
    found.forEach((entry, index) => {
      const entryId = keys[index]?.entryId
      if (entryId === undefined || entry === undefined) return
      seen.add(entryId)
      if ("problem" in entry) problems.push({ _tag: entry._tag, ledgerId, entryId, message: entry.problem })
      else bytes += EntryFrame.frameSize(entry.payload)
    })
    for (let id = from; id <= to; id += 1n) {
      if (seen.has(id)) continue
      const entryId = EntryId.make(id)
      const message = `entry ${id} of ledger ${ledgerId} is not in the index, and later ones are`
      problems.push({ _tag: "MissingEntry", ledgerId, entryId, message })
    }
    // A ledger that is deleted meanwhile has nothing wrong with it.
    const isGone = problems.length > 0 && (yield* catalog.ledger(ledgerId)) === undefined
    return { bytes, problems: isGone ? [] : problems }
  })

/** What the index has of ledgers that do not exist. */
const strays = (catalog: Catalog, stored: StoredEntries): Stream.Stream<Inconsistency, LedgerStorageError> =>
  Stream.flatMap(stored.ledgers, (ledgerId) =>
    Stream.unwrap(
      Effect.gen(function* () {
        if ((yield* catalog.ledger(ledgerId)) !== undefined) return Stream.empty
        const entryId = yield* stored.last(ledgerId)
        if (entryId === undefined) return Stream.empty
        const message = `ledger ${ledgerId} does not exist, and the index has entries of it up to ${entryId}`
        return Stream.succeed<Inconsistency>({ _tag: "StrayEntry", ledgerId, entryId, message })
      })
    )
  )
