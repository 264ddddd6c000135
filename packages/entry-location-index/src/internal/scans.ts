/**
 * Scans: the entries of a ledger and the ledgers of the index, as they stood
 * when the scan began, in order. A scan that cannot go on fails; it never ends
 * early.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as LocationPage from "../LocationPage.ts"
import * as Errors from "./errors.ts"
import type { Gate } from "./Gate.ts"
import * as Keys from "./keys.ts"
import { entryIn, pageOf, slotOf } from "./pages.ts"

/** An entry and its location. */
export interface EntryLocation {
  readonly ledgerId: LedgerId
  readonly entryId: EntryId
  readonly location: Location
}

/** The entries of a ledger from one entry to another, both included. */
export const entries = (
  gate: Gate,
  database: RocksDB.RocksDB["Service"],
  ledgerId: LedgerId,
  from: EntryId,
  to: EntryId
): Stream.Stream<EntryLocation, RocksDBError.RocksDBError> => {
  const range = { gte: Keys.page(ledgerId, pageOf(from)), lte: Keys.page(ledgerId, pageOf(to)) }
  return Stream.transformPull(database.stream(range), (pull) =>
    Effect.sync(() => {
      let records: ReadonlyArray<RocksDB.Entry> = []
      let at = 0
      const next: Pull.Pull<NonEmpty<EntryLocation>, RocksDBError.RocksDBError> = Effect.suspend(() => {
        if (gate.closed) return gate.refuse("entries")
        const found: Array<EntryLocation> = []
        for (; at < records.length && found.length < chunkSize; at++) {
          const problem = collect(found, records[at], ledgerId, from, to)
          if (problem !== undefined) {
            return Effect.fail(Errors.corruption(problem, { operation: "entries", path: database.path }))
          }
        }
        if (isNonEmpty(found)) return Effect.succeed(found)
        return Effect.flatMap(pull, (more) => {
          records = more
          at = 0
          return next
        })
      })
      return next
    })
  )
}

/** The ledgers that have entries. */
export const ledgers = (
  gate: Gate,
  database: RocksDB.RocksDB["Service"]
): Stream.Stream<LedgerId, RocksDBError.RocksDBError> =>
  Stream.mapArrayEffect(database.stream(Keys.allLedgers, { keysOnly: true }), (records) => {
    if (gate.closed) return gate.refuse("ledgers")
    const found = records.map(({ key }) => Keys.ledgerIdIn(key))
    return areLedgerIds(found)
      ? Effect.succeed(found)
      : Effect.fail(
          Errors.corruption("the key of a ledger is malformed", { operation: "ledgers", path: database.path })
        )
  })

/** About how many entries a scan answers at once: enough to be fast, few enough to leave room for others. */
const chunkSize = 4096

type NonEmpty<A> = readonly [A, ...Array<A>]

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is NonEmpty<A> => values.length > 0

const areLedgerIds = (found: ReadonlyArray<LedgerId | undefined>): found is NonEmpty<LedgerId> =>
  found.length > 0 && !found.includes(undefined)

/** Adds the entries of a page that are in the range, or says what is wrong with the page. */
const collect = (
  found: Array<EntryLocation>,
  record: RocksDB.Entry | undefined,
  ledgerId: LedgerId,
  from: EntryId,
  to: EntryId
): string | undefined => {
  if (record === undefined) return undefined
  const number = Keys.pageNumberIn(record.key)
  if (number === undefined) return `the key of a page of ledger ${ledgerId} is malformed`
  const page = LocationPage.decode(record.value)
  if (Result.isFailure(page)) return `page ${number} of ledger ${ledgerId} is rotten: ${page.failure}`
  const first = number === pageOf(from) ? slotOf(from) : 0
  const last = number === pageOf(to) ? slotOf(to) : LocationPage.slotCount - 1
  const end = Math.min(last + 1, page.success.length)
  for (let slot = first; slot < end; slot++) {
    const location = LocationPage.get(page.success, slot)
    if (location !== undefined) found.push({ ledgerId, entryId: entryIn(number, slot), location })
  }
  return undefined
}
