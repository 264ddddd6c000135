/**
 * Writes to the database at a path until it is killed, from several fibers at
 * once, and prints each key once its write has been acknowledged. The value of
 * a key is the key, a hundred times.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { RocksDB } from "@effect-bookie/rocksdb"
import { args, engine } from "./engine.ts"

const [path = ""] = args

const writer = (name: number) =>
  Effect.gen(function* () {
    const database = yield* RocksDB.RocksDB
    for (let count = 0; ; count++) {
      const key = `${name}-${String(count).padStart(6, "0")}`
      const value = Buffer.from(key.repeat(100))
      yield* count % 3 === 0
        ? database.write([
            { type: "put", key: Buffer.from(`${key}-a`), value },
            { type: "put", key: Buffer.from(key), value },
            { type: "remove", key: Buffer.from(`${key}-a`) }
          ])
        : database.put(Buffer.from(key), value)
      // Synchronous, so that nothing that was printed is lost with the process.
      yield* Effect.sync(() => Fs.writeSync(1, `${key}\n`))
    }
  })

const program = Effect.all([writer(1), writer(2), writer(3), writer(4)], { concurrency: "unbounded" })
const database = RocksDB.layerWithoutEngine({ path, writeBufferSize: "128 KiB" })
await Effect.runPromise(Effect.provide(program, Layer.provide(database, engine)))
