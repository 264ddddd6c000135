/**
 * Rebuilds our index from entry logs, whoever wrote them, and holds it against
 * the one that BookKeeper rebuilt from the same logs.
 */
import { EntryLocationIndex, IndexRebuild } from "@effect-bookie/entry-location-index"
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
    const locations: Array<string> = []
    const lastEntries: Array<string> = []
    for (const ledgerId of yield* Stream.runCollect(index.ledgers)) {
      let last = "-"
      for (const { entryId, location } of yield* Stream.runCollect(index.entries(ledgerId))) {
        locations.push([ledgerId, entryId, location].join("\t"))
        // BookKeeper looks for a ledger's last entry below this one, and does not find it.
        if (entryId < maxEntryId) last = String(entryId)
      }
      const found = yield* index.getLastEntryInLedger(ledgerId)
      lastEntries.push(`${ledgerId}\t${found === maxEntryId ? last : String(found)}`)
    }
    const [theirs = "", theirLast = ""] = Fs.readFileSync(`${directory}.rebuild`, "utf8").split("\n\n")
    const difference =
      differenceOf(locations, theirs.split("\n").slice(1)) ??
      differenceOf(lastEntries, theirLast.split("\n").slice(1, -1))
    if (difference !== undefined) return yield* Effect.fail({ message: difference })
    return locations.length
  }).pipe(Effect.scoped, Effect.provide(NativeEngine.layer))

const differenceOf = (ours: ReadonlyArray<string>, theirs: ReadonlyArray<string>): string | undefined => {
  for (let at = 0; at < Math.max(ours.length, theirs.length); at++) {
    if (ours[at] !== theirs[at]) return `line ${at} of our index is ${ours[at]}, and of BookKeeper's ${theirs[at]}`
  }
  return undefined
}

const maxEntryId = 2n ** 63n - 1n
