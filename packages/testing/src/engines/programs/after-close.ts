/**
 * Does every operation on the database at a path after its scope has closed,
 * and prints what each answered. Exits with 0 if all answered Closed.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { args, engine } from "./engine.ts"

const [path = ""] = args
const key = Buffer.from("key")

const outcome = <A>(self: Effect.Effect<A, RocksDBError.RocksDBError>): Effect.Effect<string> =>
  Effect.match(self, { onFailure: ({ reason }) => reason._tag, onSuccess: () => "success" })

const operations = (database: RocksDB.RocksDB["Service"]): Record<string, Effect.Effect<string>> => ({
  get: outcome(database.get(key)),
  getMany: outcome(database.getMany([key, key])),
  "getMany of none": outcome(database.getMany([])),
  first: outcome(database.first()),
  "first of an empty range": outcome(database.first({ gt: key, lt: key })),
  last: outcome(database.last({ lte: key })),
  stream: outcome(Stream.runDrain(database.stream())),
  "stream backwards": outcome(Stream.runDrain(database.stream({ lt: key }, { reverse: true }))),
  "stream of an empty range": outcome(Stream.runDrain(database.stream({ gt: key, lt: key }))),
  "stream of none": outcome(Stream.runDrain(database.stream({}, { limit: 0 }))),
  put: outcome(database.put(key, key)),
  "put buffered": outcome(database.put(key, key, { durability: "buffered" })),
  remove: outcome(database.remove(key)),
  write: outcome(database.write([{ type: "removeRange", gte: key, lt: Buffer.from("z") }])),
  "write of none": outcome(database.write([])),
  property: outcome(database.property("rocksdb.estimate-num-keys")),
  compact: outcome(database.compact()),
  "compact of a range": outcome(database.compact({ gte: key })),
  syncWal: outcome(database.syncWal)
})

const whileOpen = RocksDB.make({ path }).pipe(
  Effect.tap((database) => database.put(key, key)),
  // The very effects that worked while it was open, too.
  Effect.tap((database) => Effect.andThen(database.get(key), database.syncWal)),
  Effect.map((database) => ({ database, before: operations(database) }))
)

const report = (when: string, outcomes: Record<string, string>) => {
  for (const [operation, found] of Object.entries(outcomes)) {
    console.log(`${operation}, ${when}: ${found}`)
    if (found !== "Closed") process.exitCode = 1
  }
}

const program = Effect.gen(function* () {
  const { before, database } = yield* Effect.scoped(Effect.provide(whileOpen, engine))
  report("made before the close", yield* Effect.all(before))
  report("made after it", yield* Effect.all(operations(database)))
  report("all at once", yield* Effect.all(operations(database), { concurrency: "unbounded" }))
})

await Effect.runPromise(program)
