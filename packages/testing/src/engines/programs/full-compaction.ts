/**
 * Compacts with the default engine on a disk that is too full for it, twice:
 * what RocksDB says the second time has no text. Prints what each answered, as
 * JSON. Arguments: the directory of the database, a file to fill the disk with.
 */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { Engine, NativeEngine, RocksDBError } from "@effect-bookie/rocksdb"

const [path = "", filler = ""] = process.argv.slice(2)

const options: Engine.OpenOptions = {
  path,
  readOnly: false,
  createIfMissing: true,
  writeBufferSize: 64 * 1024 * 1024,
  blockCacheSize: undefined,
  bloomBitsPerKey: undefined,
  maxOpenFiles: undefined,
  checkDirectory: async () => {}
}

const tagOf = (compacting: Promise<void>): Promise<string> =>
  compacting.then(
    () => "ok",
    (cause) => RocksDBError.fromNative(cause, { operation: "compact", path }).reason._tag
  )

/** Adds a file to the first level: an open flushes what the log files hold. */
const addFile = Effect.gen(function* () {
  const engine = yield* Engine.Engine
  const database = yield* engine.open(options)
  yield* Effect.promise(async () => {
    for (let at = 0; at < 300; at++) {
      await database.write([{ type: "put", key: randomBytes(4), value: randomBytes(10_000) }], false)
    }
    await database.close()
  })
})

const program = Effect.gen(function* () {
  yield* addFile
  yield* addFile
  const engine = yield* Engine.Engine
  const database = yield* engine.open(options)
  yield* Effect.promise(async () => {
    // The disk is full as soon as this has failed.
    await Fs.promises.writeFile(filler, Buffer.alloc(64_000_000)).catch(() => {})
    const everything = { lower: undefined, upper: undefined }
    const answers = [await tagOf(database.compact(everything)), await tagOf(database.compact(everything))]
    await Fs.promises.rm(filler)
    console.log(JSON.stringify(answers))
    await database.close()
  })
})

Fs.mkdirSync(path)
await Effect.runPromise(Effect.provide(program, NativeEngine.layer))
