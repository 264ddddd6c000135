/**
 * Writes until many files wait for a compaction that the disk has no room for,
 * makes room, and goes on. Prints what was seen, as JSON. Arguments: the
 * engine, the directory of the database, a file on the same disk to fill it
 * with.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { RocksDB } from "@effect-bookie/rocksdb"
import { args, engine } from "./engine.ts"

const [path = "", filler = ""] = args

/** All over the keys that are there, so that a compaction has to rewrite everything. */
const key = (number: number) => Buffer.from(`${number % 2 === 0 ? "a" : "z"}${number}`)

const program = Effect.gen(function* () {
  const database = yield* RocksDB.RocksDB
  const stored: Array<Buffer> = []
  const put = Effect.suspend(() => {
    const value = randomBytes(60_000)
    return Effect.tap(database.put(key(stored.length), value), () => Effect.sync(() => stored.push(value)))
  })
  const waiting = Effect.map(database.property("rocksdb.num-files-at-level0"), Number)
  while (stored.length < 200) yield* put
  yield* database.compact()
  const { bavail, bsize } = Fs.statfsSync(path)
  Fs.writeFileSync(filler, Buffer.alloc(bavail * bsize - 8_000_000))

  let refusal = ""
  while (refusal === "" || (yield* waiting) < 32) {
    refusal = yield* Effect.match(put, { onFailure: ({ reason }) => reason._tag, onSuccess: () => "" })
    console.error(
      refusal,
      yield* waiting,
      Number(yield* database.property("rocksdb.background-errors")),
      stored.length,
      Fs.statfsSync(path).bavail * 4096
    )
    // A compaction that finds no room takes up all that there is for a while.
    if (refusal !== "") yield* Effect.sleep("50 millis")
  }
  const files = yield* waiting
  Fs.rmSync(filler)
  const freed = yield* Effect.match(put, { onFailure: ({ reason }) => reason._tag, onSuccess: () => "ok" })
  const found = yield* database.getMany(stored.map((_, number) => key(number)))
  const missing = stored.filter((value, number) => !value.equals(found[number] ?? Buffer.alloc(0))).length
  console.log(JSON.stringify({ refusal, files, freed, stored: stored.length, missing }))
})

await Effect.runPromise(
  program.pipe(
    Effect.provide(
      Layer.provide(
        RocksDB.layerWithoutEngine({ path, writeBufferSize: "64 KiB", shutdownDeadline: "10 seconds" }),
        engine
      )
    ),
    Effect.timeout("50 seconds")
  )
)
