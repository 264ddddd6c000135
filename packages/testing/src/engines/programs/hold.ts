/**
 * Writes a key to the database at a path, prints "held", and holds the database
 * until it is killed.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RocksDB } from "@effect-bookie/rocksdb"
import { args, engine } from "./engine.ts"

const [path = ""] = args

const program = Effect.gen(function* () {
  const database = yield* RocksDB.RocksDB
  yield* database.put(Buffer.from("held"), Buffer.from("by a child"))
  yield* Effect.sync(() => console.log("held"))
  yield* Effect.never
}).pipe(Effect.provide(Layer.provide(RocksDB.layerWithoutEngine({ path }), engine)))

// Effect.never does not keep the process alive.
setInterval(() => {}, 60_000)
await Effect.runPromise(program)
