/**
 * A database where modules run in a realm of their own, as in Jest and in
 * vitest's vmThreads: what Node and the binding throw, and bytes that were made
 * elsewhere, are no `instanceof` anything here.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { runInNewContext } from "node:vm"
import { PropertyGauge, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { bytes, pair, text } from "@effect-bookie/testing/bytes"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { tagOf } from "@effect-bookie/testing/failure"

const use = <A, E>(options: RocksDB.Options, f: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(RocksDB.RocksDB, f)).pipe(Effect.provide(Layer.fresh(RocksDB.layer(options))))

describe("another realm", () => {
  it("is where this file runs", () => {
    const cause = thrownBy(() => Fs.readFileSync(Path.join(import.meta.dirname, "missing")))
    assert.include(String(cause), "ENOENT")
    assert.isFalse(cause instanceof Error)
  })

  it.effect("opens a new database, and opens it again with what was written", () =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      yield* use({ path }, (database) => database.put(bytes("a"), bytes("1")))
      yield* use({ path }, (database) => database.put(bytes("b"), bytes("2")))
      const entries = yield* use({ path, readOnly: true }, (database) => Stream.runCollect(database.stream()))
      assert.deepStrictEqual(entries.map(pair), ["a=1", "b=2"])
    })
  )

  it.effect("takes bytes of a third realm", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      const key: Uint8Array = runInNewContext("Uint8Array.of(97, 98)")
      yield* database.put(key, key)
      assert.strictEqual(text(yield* database.get(key)), "ab")
      assert.strictEqual(text((yield* database.last({ gte: key, lte: key }))?.value), "ab")
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("writes to disk, compacts, scans backwards and samples gauges", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      yield* database.write([
        { type: "put", key: bytes("a"), value: bytes("1") },
        { type: "put", key: bytes("b"), value: bytes("2") },
        { type: "removeRange", gte: bytes("b"), lt: bytes("c") }
      ])
      yield* database.compact()
      yield* database.syncWal
      const entries = yield* Stream.runCollect(database.stream({}, { reverse: true }))
      assert.deepStrictEqual(entries.map(pair), ["a=1"])
    }).pipe(Effect.provide(Layer.provideMerge(PropertyGauge.layerAll, RocksDB.layerTemp())))
  )

  it.effect.each<readonly [RocksDBError.Reason["_tag"], (directory: string) => RocksDB.Options]>([
    ["MissingDatabase", (path) => ({ path, createIfMissing: false })],
    ["MissingDatabase", (path) => ({ path, readOnly: true })],
    ["MissingDatabase", (directory) => ({ path: Path.join(directory, "missing"), readOnly: true })],
    ["IOError", (directory) => ({ path: Path.join(fileOf(directory, "file"), "below") })],
    ["Corruption", (path) => ({ path: Path.dirname(fileOf(path, "000004.log")) })],
    ["UnsupportedFormat", (path) => ({ path: Path.dirname(fileOf(path, "ENGINE")) })]
  ])("tells %s as elsewhere", ([tag, options]) =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      assert.strictEqual(yield* tagOf(use(options(directory), () => Effect.void)), tag)
    })
  )

  it.effect("tells Locked as elsewhere", () =>
    Effect.gen(function* () {
      const { path } = yield* RocksDB.RocksDB
      assert.strictEqual(yield* tagOf(use({ path }, () => Effect.void)), "Locked")
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )
})

const thrownBy = (call: () => unknown): unknown => {
  try {
    return call()
  } catch (cause) {
    return cause
  }
}

/** Makes a file that is no part of a database of this package, and answers its path. */
const fileOf = (directory: string, name: string): string => {
  const path = Path.join(directory, name)
  Fs.writeFileSync(path, "foreign")
  return path
}
