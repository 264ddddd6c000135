/**
 * Key spaces: their format versions, beside each other and beside an index, and
 * their release.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "@effect-bookie/entry-location-index"
import { Shutdown } from "@effect-bookie/lifecycle"
import { RocksDB } from "@effect-bookie/rocksdb"
import { RocksDBKeyValueStore } from "../src/index.ts"
import { keysOf, Layers, reasonOf, tagOf, temporaryDirectory } from "./support.ts"

const formatKey = (firstByte: number) => Uint8Array.of(firstByte, 0, 0)

describe("the format version of a key space", () => {
  it.effect("is written once, and refused if this build does not know it", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      yield* Effect.scoped(Effect.flatMap(RocksDBKeyValueStore.make(), (store) => store.set("k", "v")))
      assert.deepStrictEqual(Array.from((yield* database.get(formatKey(0x70))) ?? []), [0, 0, 0, 0, 0, 0, 0, 1])
      yield* database.put(formatKey(0x70), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2))
      const before = yield* Stream.runCollect(database.stream())
      const reason = yield* reasonOf(Effect.scoped(RocksDBKeyValueStore.make()))
      assert.strictEqual(reason._tag, "UnsupportedFormat")
      assert.include(reason.message, "format version 2")
      assert.deepStrictEqual(yield* Stream.runCollect(database.stream()), before)
      // Another prefix is another key space.
      yield* Effect.scoped(RocksDBKeyValueStore.make({ prefix: "other" }))
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("is missing where others have written: their records are not taken for ours", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      yield* database.put(Uint8Array.of(0x70, 0, 2, 65), Uint8Array.of(0, 65))
      assert.strictEqual(yield* tagOf(Effect.scoped(RocksDBKeyValueStore.make())), "UnsupportedFormat")
      assert.strictEqual((yield* keysOf(database)).length, 1)
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("lets a database that was opened read-only be read", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* KeyValueStore.KeyValueStore.use((store) => store.set("k", "v")).pipe(
        Effect.provide(Layers.at(path, RocksDBKeyValueStore.layer()))
      )
      yield* Effect.gen(function* () {
        const store = yield* RocksDBKeyValueStore.make()
        assert.strictEqual(yield* store.get("k"), "v")
        assert.include((yield* Effect.flip(store.set("k", "w"))).message, "read-only")
      }).pipe(Effect.scoped, Effect.provide(RocksDB.layer({ path, readOnly: true })))
    }).pipe(Effect.scoped)
  )
})

describe("a key space beside an index of entry locations", () => {
  it.effect("has keys of its own, and neither is in the way of the other", () =>
    Effect.gen(function* () {
      const store = yield* RocksDBKeyValueStore.make()
      const index = yield* EntryLocationIndex.EntryLocationIndex
      const [ledgerId, entryId] = [LedgerId.make(1n), EntryId.make(2n)]
      yield* store.set("k", "v")
      yield* index.addLocation(ledgerId, entryId, Location.make(3n))
      assert.strictEqual(yield* store.get("k"), "v")
      assert.strictEqual(yield* index.getLocation(ledgerId, entryId), 3n)
      yield* store.clear
      assert.strictEqual(yield* index.getLocation(ledgerId, entryId), 3n)
      yield* store.set("k", "v")
      yield* index.deleteLedger(ledgerId)
      assert.strictEqual(yield* store.get("k"), "v")
      assert.strictEqual(yield* index.entryCount, 0n)
    }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(EntryLocationIndex.layer(), RocksDB.layerTemp())))
  )
})

const useOnce = (at: number) =>
  Effect.scoped(Effect.flatMap(RocksDBKeyValueStore.make(), (store) => store.set(`k${at}`, "v")))

describe("a layer", () => {
  it.effect("is released before its database, once the last of two over one key space is", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const twice = Layer.merge(RocksDBKeyValueStore.layer(), Layer.effectDiscard(RocksDBKeyValueStore.make()))
      const names = ["key-value-store", "rocksdb.operations", "rocksdb.wal", "rocksdb"]
      const released = yield* Shutdown.expectOrder(Layer.provide(twice, RocksDB.layer({ path })), names)
      assert.deepStrictEqual(released, names)
    }).pipe(Effect.scoped)
  )

  it.effect("answers Closed once it is released, and its database lives", () =>
    Effect.gen(function* () {
      const store = yield* Effect.scoped(RocksDBKeyValueStore.make())
      for (const use of [store.get("k"), store.set("k", "v"), store.size, store.keys, store.isEmpty, store.clear]) {
        const error = yield* Effect.flip(use as Effect.Effect<unknown, KeyValueStore.KeyValueStoreError>)
        assert.include(error.message, "is closed")
      }
      assert.isFalse((yield* RocksDB.RocksDB).isClosed())
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("opened while another is being released, waits for it and finds what it left", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(Array.from({ length: 50 }).keys(), useOnce, { concurrency: "unbounded", discard: true })
      yield* Effect.flatMap(RocksDBKeyValueStore.make(), (store) =>
        Effect.map(store.size, (size) => assert.strictEqual(size, 50))
      ).pipe(Effect.scoped)
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("refuses options that mean nothing", () =>
    Effect.gen(function* () {
      const untyped: (options: object) => ReturnType<typeof RocksDBKeyValueStore.make> = RocksDBKeyValueStore.make
      for (const options of [{ prefix: 1 }, { prefix: null }, { durability: "later" }]) {
        assert.strictEqual(yield* tagOf(Effect.scoped(untyped(options))), "InvalidArgument")
      }
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )
})
