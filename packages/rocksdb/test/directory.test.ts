/**
 * The directory of a database before RocksDB sees it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { RocksDB } from "../src/index.ts"
import { temporaryDirectory } from "./support/directory.ts"

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

/** The names in a directory, and what they hold. */
const contentOf = (path: string) =>
  Object.fromEntries(Fs.readdirSync(path).map((name) => [name, Fs.readFileSync(Path.join(path, name)).toString("hex")]))

/** A database as another program leaves it: without what this project puts beside it. */
const foreignDatabase = Effect.gen(function* () {
  const path = yield* temporaryDirectory
  yield* using(path, (database) => Effect.andThen(database.put(key, key), database.compact()))
  for (const name of ["ENGINE", "OWNER.lock"]) Fs.rmSync(Path.join(path, name))
  return path
})

/** Changes the options that RocksDB keeps of a database. */
const changeOptions = (path: string, change: (options: string) => string) => {
  const names = Fs.readdirSync(path).filter((name) => name.startsWith("OPTIONS-"))
  for (const name of names) {
    const file = Path.join(path, name)
    Fs.writeFileSync(file, change(Fs.readFileSync(file, "utf8")))
  }
  assert.isNotEmpty(names)
}

describe("a database of another program", () => {
  it.effect("is opened and marked if it is of the default kind, also beside older options", () =>
    Effect.gen(function* () {
      const path = yield* foreignDatabase
      Fs.writeFileSync(Path.join(path, "OPTIONS-000001"), '[CFOptions "default"]\n[CFOptions "meta"]\n')
      yield* using(path, (database) => database.get(key))
      assert.include(Fs.readdirSync(path), "ENGINE")
    }).pipe(Effect.scoped)
  )

  it.effect("with families of columns is refused and left as it was", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* Effect.promise(async () => {
        const { default: Binding } = await import("rocksdb-native")
        const options = {
          readOnly: false,
          createIfMissing: true,
          writeBufferSize: 2 ** 20,
          blockCache: true,
          tableCacheIndexAndFilterBlocks: false,
          filterPolicy: null,
          tableFormatVersion: 6,
          columnFamilies: ["meta"]
        }
        const binding = new Binding(path, options)
        await binding.ready()
        await binding.close()
      })
      const before = contentOf(path)
      const error = yield* Effect.flip(using(path, (database) => database.get(key)))
      assert.strictEqual(error.reason._tag, "UnsupportedFormat")
      assert.include(error.message, '"meta"')
      assert.deepStrictEqual(contentOf(path), before)
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    ["comparator=leveldb.BytewiseComparator", "comparator=rocksdb.ReverseBytewiseComparator", "in another order"],
    [/ compression=kNoCompression/, " compression=kLZ4Compression", "LZ4"]
  ] as const)("whose options say %s, but %s, is refused and left as it was", ([is, becomes, why]) =>
    Effect.gen(function* () {
      const path = yield* foreignDatabase
      changeOptions(path, (options) => options.replace(is, becomes))
      const before = contentOf(path)
      const error = yield* Effect.flip(using(path, (database) => database.get(key)))
      assert.strictEqual(error.reason._tag, "UnsupportedFormat")
      assert.include(error.message, why)
      assert.deepStrictEqual(contentOf(path), before)
    }).pipe(Effect.scoped)
  )
})
