/**
 * The directory of a database before RocksDB sees it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { RocksDB } from "../src/index.ts"
import { temporaryDirectory } from "@effect-bookie/testing/directory"

const key = Uint8Array.of(1)

const using = <A, E>(path: string, use: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<A, E>) =>
  Effect.provide(RocksDB.RocksDB.use(use), RocksDB.layer({ path }))

describe("a database that has lost its CURRENT file", () => {
  it.effect("is corrupt at each open, and nothing of it is deleted", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* using(path, (database) => Effect.andThen(database.put(key, key), database.compact()))
      yield* using(path, (database) => database.put(key, key))
      const current = Path.join(path, "CURRENT")
      const content = Fs.readFileSync(current)
      Fs.rmSync(current)
      for (let open = 0; open < 2; open++) {
        const error = yield* Effect.flip(using(path, (database) => database.get(key)))
        assert.strictEqual(error.reason._tag, "Corruption")
      }
      Fs.writeFileSync(current, content)
      assert.deepStrictEqual(yield* using(path, (database) => database.get(key)), Buffer.from(key))
    }).pipe(Effect.scoped)
  )
})

describe("a database whose creation was cut short", () => {
  it.effect("is created by the next open", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      Fs.writeFileSync(Path.join(path, "ENGINE"), "rocksdb-native\n")
      Fs.writeFileSync(Path.join(path, "MANIFEST-000001"), "")
      yield* using(path, (database) => database.put(key, key))
    }).pipe(Effect.scoped)
  )
})
