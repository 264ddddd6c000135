/**
 * What is done with the index of a damaged directory: looked up, scanned,
 * written to, rebuilt.
 */
import { EntryLocationIndex, IndexRebuild } from "@effect-bookie/entry-location-index"
import type { Location } from "@effect-bookie/entry-log"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { indexIn, keyOf, logsIn } from "../Inspection.ts"
import type { Placed, Pristine } from "../Pristine.ts"
import { Outcome } from "./Outcome.ts"

type Index = EntryLocationIndex.EntryLocationIndex["Service"]

/** Locations of entries, by `ledger:entry`. */
export type Locations = ReadonlyMap<string, Location.Location>

/** What an index holds. */
export type State = ReadonlyMap<string, Placed>

/** Opens the index of a bookie's directory. RocksDB reserves room for a memtable, which costs memory where it is small. */
export const open = (directory: string) =>
  Effect.flatMap(RocksDB.make({ path: indexIn(directory), writeBufferSize: "1 MiB" }), (database) =>
    Effect.provideService(EntryLocationIndex.make(), RocksDB.RocksDB, database)
  )

/** What an index answers to lookups, without those that fail. */
export const look = Effect.fnUntraced(function* (outcome: Outcome, index: Index, ids: Iterable<Placed>) {
  const found = new Map<string, Location.Location>()
  for (const { entryId, ledgerId } of ids) {
    const location = yield* outcome.attempt("getLocation", index.getLocation(ledgerId, entryId))
    if (location !== undefined) found.set(keyOf(ledgerId, entryId), location)
  }
  return found
})

/** What its scans answer, without those that fail. */
export const scan = Effect.fnUntraced(function* (outcome: Outcome, index: Index) {
  const found = new Map<string, Location.Location>()
  const ledgers = yield* outcome.attempt("ledgers", Stream.runCollect(index.ledgers))
  for (const ledgerId of ledgers ?? []) {
    const entries = yield* outcome.attempt("entries", Stream.runCollect(index.entries(ledgerId)))
    for (const { entryId, location } of entries ?? []) found.set(keyOf(ledgerId, entryId), location)
  }
  return found
})

/** Whether exactly a state was found. */
export const isWhole = (state: State, found: Locations): boolean => state.size === found.size && isPart(state, found)

/** Whether nothing was found that is not in a state. */
export const isPart = (state: State, found: Locations): boolean =>
  [...found].every(([key, location]) => state.get(key)?.location === location)

/** Adds, deletes and compacts, each of which may fail. */
export const use = Effect.fnUntraced(function* (outcome: Outcome, index: Index, state: State) {
  const entries = [...state.values()]
  const some = entries.filter((_, at) => at % 97 === 0)
  yield* outcome.attempt("addLocations", index.addLocations(some))
  const first = entries[0]
  if (first !== undefined) yield* outcome.attempt("deleteLedger", index.deleteLedger(first.ledgerId))
  yield* outcome.attempt("compact", index.compact)
  yield* outcome.attempt("addLocations", index.addLocations(some))
})

/** Rebuilds the index from intact logs, which is what each Corruption asks for; everything must be there again. */
export const rebuild = Effect.fnUntraced(function* (pristine: Pristine, directory: string, outcome: Outcome) {
  const rebuilt = yield* Effect.result(
    IndexRebuild.rebuild({
      entryLogs: logsIn(directory),
      database: indexIn(directory),
      includes: (ledgerId) => !pristine.deleted.has(ledgerId)
    })
  )
  if (rebuilt._tag === "Failure") {
    // A directory that may be another program's is not replaced.
    outcome.note(`${rebuilt.failure.reason._tag} from the rebuild`)
    if (rebuilt.failure.reason._tag !== "UnsupportedFormat") {
      outcome.wrong(`it cannot be rebuilt: ${rebuilt.failure.message}`)
    }
    return
  }
  const after = new Outcome((what) => outcome.wrong(`after the rebuild, ${what}`))
  yield* Effect.gen(function* () {
    const index = yield* after.attempt("open", open(directory))
    if (index === undefined) return
    const found = yield* scan(after, index)
    if (!isWhole(lastOf(pristine), found)) outcome.wrong("the rebuilt index holds something else")
  }).pipe(Effect.scoped)
  if (after.hasErrors) outcome.wrong(`the rebuilt index answers ${after.summary}`)
})

/** What the index of an intact directory holds. */
export const lastOf = ({ states }: Pristine): State => states.at(-1) ?? new Map()
