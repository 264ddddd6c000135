/**
 * Puts the keys 000000, 000001, … into the database at a path until the
 * operating system refuses one, then prints the reason, how many were
 * acknowledged and how many of those can be read, as JSON.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import { RocksDB } from "@effect-bookie/rocksdb"
import { args, engine } from "./engine.ts"

const [path = ""] = args

const program = Effect.gen(function* () {
  const database = yield* RocksDB.RocksDB
  let acknowledged = 0
  const put = Effect.suspend(() =>
    database.put(Buffer.from(String(acknowledged).padStart(6, "0")), randomBytes(10_000))
  ).pipe(Effect.tap(() => Effect.sync(() => (acknowledged += 1))))
  const { reason } = yield* Effect.flip(Effect.forever(put))
  const readable = yield* Stream.runCount(database.stream())
  console.log(JSON.stringify({ tag: reason._tag, message: reason.message, acknowledged, readable }))
})

await Effect.runPromise(Effect.provide(program, Layer.provide(RocksDB.layerWithoutEngine({ path }), engine)))
