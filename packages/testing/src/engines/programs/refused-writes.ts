/**
 * Puts the same key again and again into the database at a path: while the
 * operating system refuses it, once it would no longer, and after the database
 * has been opened anew. Prints what each put answered and what was read at the
 * end, as JSON.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawnSync } from "node:child_process"
import { RocksDB } from "@effect-bookie/rocksdb"
import { args, engine } from "./engine.ts"

const [path = ""] = args

const key = Buffer.from("key")

/** Limits the size of the files that this process may write, in bytes. */
const limitFiles = (size: string) => {
  const { status, stderr } = spawnSync("prlimit", [`--fsize=${size}`, `--pid=${process.pid}`], { encoding: "utf8" })
  if (status !== 0) throw new Error(`prlimit: ${stderr}`)
}

const put = (value: Uint8Array) =>
  Effect.flatMap(RocksDB.RocksDB, (database) =>
    Effect.match(database.put(key, value), { onFailure: ({ reason }) => reason._tag, onSuccess: () => "ok" })
  )

const opened = <A, E>(use: Effect.Effect<A, E, RocksDB.RocksDB>) =>
  Effect.provide(use, Layer.provide(RocksDB.layerWithoutEngine({ path }), engine))

const refused = Effect.gen(function* () {
  const before = yield* put(Buffer.from("before"))
  limitFiles("1000:unlimited")
  // At once, so that some are on their way when the first one fails.
  const limited = yield* Effect.all(
    Array.from({ length: 4 }, () => put(Buffer.alloc(2000))),
    { concurrency: "unbounded" }
  )
  limitFiles("unlimited:unlimited")
  const unlimited = yield* put(Buffer.from("unlimited"))
  return { before, limited, unlimited }
})

const after = Effect.gen(function* () {
  const after = yield* put(Buffer.from("after"))
  const value = yield* Effect.flatMap(RocksDB.RocksDB, (database) => database.get(key))
  return { after, value: Buffer.from(value ?? []).toString() }
})

const seen = { ...(await Effect.runPromise(opened(refused))), ...(await Effect.runPromise(opened(after))) }
const again = await Effect.runPromise(opened(Effect.flatMap(RocksDB.RocksDB, (database) => database.get(key))))
console.log(JSON.stringify({ ...seen, again: Buffer.from(again ?? []).toString() }))
