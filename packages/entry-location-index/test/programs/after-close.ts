/**
 * Does every operation of an index after its scope has closed, and prints what
 * each answered. Exits with 0 if all answered Closed. The path of the database
 * is its first argument; the second says which scope: "index", "database" or "both".
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { NativeEngine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "../../src/index.ts"

const [path = "", what = "both"] = process.argv.slice(2)
const ledgerId = LedgerId.make(1n)
const entryId = EntryId.make(1n)
const entry = { ledgerId, entryId, location: Location.make(1n) }

const outcome = <A>(self: Effect.Effect<A, RocksDBError.RocksDBError>): Effect.Effect<string> =>
  Effect.match(self, { onFailure: ({ reason }) => reason._tag, onSuccess: () => "success" })

const operations = (
  index: EntryLocationIndex.EntryLocationIndex["Service"],
  batch: EntryLocationIndex.Batch
): Record<string, Effect.Effect<string>> => ({
  addLocation: outcome(index.addLocation(ledgerId, entryId, entry.location)),
  addLocations: outcome(index.addLocations([entry])),
  "addLocations of none": outcome(index.addLocations([])),
  updateLocations: outcome(index.updateLocations([entry])),
  "commit of a batch": outcome(batch.commit),
  "getLocation from memory": outcome(index.getLocation(ledgerId, entryId)),
  getLocation: outcome(index.getLocation(ledgerId, EntryId.make(1000n))),
  "getLocations from memory": outcome(index.getLocations([entry])),
  getLocations: outcome(index.getLocations([entry, { ledgerId, entryId: EntryId.make(1000n) }])),
  "getLocations of none": outcome(index.getLocations([])),
  "getLastEntryInLedger from memory": outcome(index.getLastEntryInLedger(ledgerId)),
  getLastEntryInLedger: outcome(index.getLastEntryInLedger(LedgerId.make(2n))),
  entries: outcome(Stream.runDrain(index.entries(ledgerId))),
  "entries of none": outcome(Stream.runDrain(index.entries(ledgerId, { from: EntryId.make(2n), to: entryId }))),
  ledgers: outcome(Stream.runDrain(index.ledgers)),
  deleteLedger: outcome(index.deleteLedger(ledgerId)),
  deleteLedgers: outcome(index.deleteLedgers([ledgerId, LedgerId.make(2n)])),
  entryCount: outcome(index.entryCount),
  compact: outcome(index.compact)
})

const report = (when: string, outcomes: Record<string, string>) => {
  for (const [operation, found] of Object.entries(outcomes)) {
    console.log(`${operation}, ${when}: ${found}`)
    if (found !== "Closed") process.exitCode = 1
  }
}

const program = Effect.gen(function* () {
  const databaseScope = yield* Scope.make()
  const indexScope = yield* Scope.make()
  const database = yield* RocksDB.make({ path }).pipe(Scope.provide(databaseScope), Effect.provide(NativeEngine.layer))
  const index = yield* EntryLocationIndex.make().pipe(
    Scope.provide(indexScope),
    Effect.provideService(RocksDB.RocksDB, database)
  )
  yield* index.addLocations([entry])
  yield* index.getLastEntryInLedger(ledgerId)
  const batch = yield* index.makeBatch
  batch.add(ledgerId, entryId, entry.location)
  const before = operations(index, batch)
  if (what !== "database") yield* Scope.close(indexScope, Exit.void)
  if (what !== "index") yield* Scope.close(databaseScope, Exit.void)
  report("made before the close", yield* Effect.all(before))
  report("made after it", yield* Effect.all(operations(index, batch)))
  report("all at once", yield* Effect.all(operations(index, batch), { concurrency: "unbounded" }))
  yield* Scope.close(indexScope, Exit.void)
  yield* Scope.close(databaseScope, Exit.void)
})

await Effect.runPromise(program)
