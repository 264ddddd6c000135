/**
 * Rebuilds our index from entry logs, whoever wrote them, and holds it against
 * the one that BookKeeper rebuilt from the same logs.
 */
import { EntryId, EntryLocationIndex, IndexRebuild, LedgerId } from "@effect-bookie/entry-location-index"
import { NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"

/** The directories of logs in a room, each beside what BookKeeper says of its index in `NAME.rebuild`. */
export const directoriesIn = (room: string): ReadonlyArray<string> =>
  Fs.readdirSync(room)
    .filter((name) => name.endsWith(".rebuild"))
    .map((name) => `${room}/${name.slice(0, -".rebuild".length)}`)

/** Rebuilds, and answers how many entries there are, or what differs first. */
export const rebuild = (directory: string): Effect.Effect<number, { readonly message: string }> =>
  Effect.gen(function* () {
    const database = `${directory}.ours`
    yield* IndexRebuild.rebuild({ entryLogs: directory, database })
    const index = yield* Effect.flatMap(RocksDB.make({ path: database }), (opened) =>
      Effect.provideService(EntryLocationIndex.make(), RocksDB.RocksDB, opened)
    )
    const [theirs = "", theirLast = ""] = Fs.readFileSync(`${directory}.rebuild`, "utf8").split("\n\n")
    const rows = theirs.split("\n").slice(1).map(read)
    const lastRows = theirLast.split("\n").slice(1, -1).map(read)
    // As many entries as BookKeeper has, and each of BookKeeper's where it is there: so none is another one.
    const count = yield* index.entryCount
    const ledgers = yield* Stream.runCount(index.ledgers)
    let problem =
      count === BigInt(rows.length) && ledgers === lastRows.length
        ? undefined
        : `${count} entries of ${ledgers} ledgers, and BookKeeper has ${rows.length} of ${lastRows.length}`
    for (let from = 0; from < rows.length; from += chunk) {
      const some = rows.slice(from, from + chunk).map(([ledger, entry, location]) => ({
        ledgerId: LedgerId.make(BigInt(ledger)),
        entryId: EntryId.make(BigInt(entry)),
        location
      }))
      for (const [at, found] of (yield* index.getLocations(some)).entries()) {
        const { entryId, ledgerId, location } = some[at] ?? { location: "" }
        if (String(found) !== location)
          problem ??= `${ledgerId}:${entryId} is at ${found}, by BookKeeper at ${location}`
      }
    }
    for (const [ledger, last] of lastRows) {
      const found = yield* index.getLastEntryInLedger(LedgerId.make(BigInt(ledger)))
      // BookKeeper looks for a ledger's last entry below this one, and does not find it.
      if (found !== maxEntryId && String(found) !== last) {
        problem ??= `the last entry of ledger ${ledger} is ${found}, by BookKeeper ${last}`
      }
    }
    if (problem !== undefined) return yield* Effect.fail({ message: problem })
    return rows.length
  }).pipe(Effect.scoped, Effect.provide(NativeEngine.layer))

const read = (line: string): readonly [string, string, string] => {
  const [ledger = "", second = "", third = ""] = line.split("\t")
  return [ledger, second, third]
}

/** How many locations are looked up together. */
const chunk = 10_000

const maxEntryId = 2n ** 63n - 1n
