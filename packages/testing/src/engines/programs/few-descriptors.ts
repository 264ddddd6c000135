/**
 * Opens copies of a database, each with one descriptor more left than the one
 * before, and again with enough of them. Prints what the first open of each
 * answered, and what the second one had lost, as JSON.
 * Arguments: the engine, the directory of the database.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Descriptors from "./descriptors.ts"
import { args, engine } from "./engine.ts"

const [path = ""] = args

const opened = <A>(
  path: string,
  use: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<A, RocksDBError.RocksDBError>
) =>
  Effect.runPromiseExit(
    Effect.provide(Effect.flatMap(RocksDB.RocksDB, use), Layer.provide(RocksDB.layerWithoutEngine({ path }), engine))
  )

const key = Buffer.from("key")

Descriptors.limit()
// In the log alone.
await opened(path, (database) => database.put(key, key))
const answers: Array<string> = []
let lost = 0
for (let left = 0; left < 24; left++) {
  const copy = `${path}-${left}`
  Fs.cpSync(path, copy, { recursive: true })
  const giveBack = Descriptors.exhaust(left)
  answers.push(Descriptors.answerOf(await opened(copy, () => Effect.void)))
  giveBack()
  const found = await opened(copy, (database) => database.get(key))
  if (!(Exit.isSuccess(found) && found.value?.length === key.length)) lost += 1
}
console.log(JSON.stringify({ answers, lost }))
