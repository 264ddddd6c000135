/**
 * Fills the disk that a database is on, frees some room, and goes on. Prints
 * what each step answered, as JSON.
 * Arguments: the directory of the database, a file on the same disk to fill it
 * with.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { RocksDB } from "@effect-bookie/rocksdb"
import { args, engine } from "./engine.ts"

const [path = "", filler = ""] = args

const key = (number: number) => Buffer.from(String(number).padStart(6, "0"))

const small = 2000

const smallKey = (number: number) => Buffer.from(`small${number}`)

const value = Buffer.from("1")

const tagOf = <A>(self: Effect.Effect<A, { readonly reason: { readonly _tag: string } }>) =>
  Effect.match(self, { onFailure: ({ reason }) => reason._tag, onSuccess: () => "ok" })

const count = Effect.flatMap(RocksDB.RocksDB, (database) =>
  Effect.map(Stream.runCount(database.stream()), (entries) => entries - small)
)

const program = Effect.gen(function* () {
  const database = yield* RocksDB.RocksDB
  Fs.writeFileSync(filler, Buffer.alloc(14_000_000))
  // More than one read of a cursor brings.
  yield* database.write(Array.from({ length: small }, (_, number) => ({ type: "put", key: smallKey(number), value })))
  let acknowledged = 0
  const put = Effect.suspend(() => database.put(key(acknowledged), randomBytes(100_000))).pipe(
    Effect.tap(() => Effect.sync(() => (acknowledged += 1)))
  )
  const full = yield* tagOf(Effect.forever(put))
  const stillFull = yield* tagOf(put)
  const readable = yield* count
  let refusedMeanwhile = ""
  const kept = yield* Stream.runFoldEffect(
    database.stream(),
    () => 0,
    (read) =>
      Effect.gen(function* () {
        if (read === 0) refusedMeanwhile = yield* tagOf(put)
        return read + 1
      })
  )
  const reader = yield* Effect.forkChild(
    tagOf(Stream.runForEach(database.stream({ lt: smallKey(0) }), () => Effect.sleep("20 millis")))
  )
  yield* Effect.sleep("50 millis")
  const beforeRoom = acknowledged
  Fs.rmSync(filler)
  const freed = yield* tagOf(put)
  const again = yield* tagOf(put)
  const readableAfter = yield* count
  const streamed = yield* Fiber.join(reader)
  console.log(
    JSON.stringify({
      full,
      stillFull,
      beforeRoom,
      readable,
      refusedMeanwhile,
      kept: kept - small,
      freed,
      again,
      acknowledged,
      readableAfter,
      streamed
    })
  )
})

await Effect.runPromise(
  program.pipe(
    Effect.provide(Layer.provide(RocksDB.layerWithoutEngine({ path, shutdownDeadline: "10 seconds" }), engine))
  )
)
