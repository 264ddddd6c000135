/**
 * Uses a database while the process has no descriptors left, and again once it
 * has. Prints what each operation answered both times, and how many of the
 * acknowledged entries are gone at the end, as JSON.
 * Arguments: the engine, the directory of the database.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import { RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Descriptors from "./descriptors.ts"
import { args, engine } from "./engine.ts"

const [path = ""] = args

let acknowledged = 0

const key = (number: number) => Buffer.from(String(number).padStart(6, "0"))

const put = (database: RocksDB.RocksDB["Service"]) =>
  Effect.suspend(() => database.put(key(acknowledged), randomBytes(100_000))).pipe(
    Effect.tap(() => Effect.sync(() => (acknowledged += 1)))
  )

/** More than one memtable holds. */
const puts = (database: RocksDB.RocksDB["Service"]) => Effect.repeat(put(database), { times: 30 })

const operations: Record<
  string,
  (database: RocksDB.RocksDB["Service"]) => Effect.Effect<unknown, RocksDBError.RocksDBError>
> = {
  get: (database) => database.get(key(1)),
  stream: (database) => Stream.runDrain(database.stream()),
  puts,
  put,
  compact: (database) => database.compact(),
  syncWal: (database) => database.syncWal,
  last: (database) => database.last(),
  property: (database) => database.property("rocksdb.estimate-num-keys")
}

const use = (database: RocksDB.RocksDB["Service"]) =>
  Effect.gen(function* () {
    const answers: Record<string, string> = {}
    for (const [name, operation] of Object.entries(operations)) {
      answers[name] = Descriptors.answerOf(yield* Effect.exit(operation(database)))
    }
    return answers
  })

const program = Effect.gen(function* () {
  const database = yield* RocksDB.RocksDB
  yield* puts(database)
  Descriptors.limit()
  const giveBack = Descriptors.exhaust(0)
  const without = yield* use(database)
  giveBack()
  const again = yield* use(database)
  const lost = acknowledged - (yield* Stream.runCount(database.stream()))
  return { without, again, lost }
})

const database = RocksDB.layerWithoutEngine({ path, writeBufferSize: "1 MiB", maxOpenFiles: 20 })
console.log(JSON.stringify(await Effect.runPromise(Effect.provide(program, Layer.provide(database, engine)))))
