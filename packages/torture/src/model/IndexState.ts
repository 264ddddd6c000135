/**
 * What the index of a bookie's directory holds, read by lookups and by scans,
 * and whether that is what it should hold.
 */
import { EntryLocationIndex } from "@effect-bookie/entry-location-index"
import type { Location } from "@effect-bookie/entry-log"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Answers } from "./Answers.ts"
import { indexIn, keyOf } from "./Inspection.ts"
import type { Placed } from "./Pristine.ts"

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
export const look = Effect.fnUntraced(function* (answers: Answers, index: Index, ids: Iterable<Placed>) {
  const found = new Map<string, Location.Location>()
  for (const { entryId, ledgerId } of ids) {
    const location = yield* answers.attempt("getLocation", index.getLocation(ledgerId, entryId))
    if (location !== undefined) found.set(keyOf(ledgerId, entryId), location)
  }
  return found
})

/** What its scans answer, without those that fail. */
export const scan = Effect.fnUntraced(function* (answers: Answers, index: Index) {
  const found = new Map<string, Location.Location>()
  const ledgers = yield* answers.attempt("ledgers", Stream.runCollect(index.ledgers))
  for (const ledgerId of ledgers ?? []) {
    const entries = yield* answers.attempt("entries", Stream.runCollect(index.entries(ledgerId)))
    for (const { entryId, location } of entries ?? []) found.set(keyOf(ledgerId, entryId), location)
  }
  return found
})

/** Whether exactly a state was found. */
export const isWhole = (state: State, found: Locations): boolean => state.size === found.size && isPart(state, found)

/** Whether nothing was found that is not in a state. */
export const isPart = (state: State, found: Locations): boolean =>
  [...found].every(([key, location]) => state.get(key)?.location === location)
