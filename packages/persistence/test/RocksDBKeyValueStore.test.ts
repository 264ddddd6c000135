/**
 * The key-value store: as Effect's own in memory, on disk, and atomic.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Layer, Schema } from "effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { RocksDB } from "@effect-bookie/rocksdb"
import { RocksDBKeyValueStore } from "../src/index.ts"
import { begun, Layers, Probe, probed, start, temporaryDirectory } from "./support.ts"

const Store = KeyValueStore.KeyValueStore

/** What every `KeyValueStore` does. */
const contract = (name: string, layer: Layer.Layer<KeyValueStore.KeyValueStore, unknown>) =>
  it.layer(layer)(`a store ${name}`, (it) => {
    const cleared = Effect.tap(Store, (store) => store.clear)

    it.effect("keeps the last value of a key, until it is removed", () =>
      Effect.gen(function* () {
        const store = yield* cleared
        yield* store.set("a", "1")
        yield* store.set("a", "2")
        assert.strictEqual(yield* store.get("a"), "2")
        assert.strictEqual(yield* store.size, 1)
        yield* store.remove("a")
        yield* store.remove("a")
        assert.isUndefined(yield* store.get("a"))
        assert.isFalse(yield* store.has("a"))
        assert.isTrue(yield* store.isEmpty)
      })
    )

    it.effect("answers bytes as base64, and a text as UTF-8", () =>
      Effect.gen(function* () {
        const store = yield* cleared
        yield* store.set("bytes", Uint8Array.of(0, 42, 255, 128))
        assert.strictEqual(yield* store.get("bytes"), "ACr/gA==")
        assert.deepStrictEqual(yield* store.getUint8Array("bytes"), Uint8Array.of(0, 42, 255, 128))
        // It looks like base64, and is none.
        yield* store.set("text", "Zm9v")
        assert.strictEqual(yield* store.get("text"), "Zm9v")
        assert.deepStrictEqual(yield* store.getUint8Array("text"), new TextEncoder().encode("Zm9v"))
      })
    )

    it.effect("modifies what is there, and nothing else", () =>
      Effect.gen(function* () {
        const store = yield* cleared
        assert.isUndefined(yield* store.modify("a", (value) => `${value}!`))
        assert.isFalse(yield* store.has("a"))
        yield* store.set("a", "1")
        assert.strictEqual(yield* store.modify("a", (value) => `${value}!`), "1!")
        assert.strictEqual(yield* store.get("a"), "1!")
        assert.deepStrictEqual(yield* store.modifyUint8Array("a", (value) => value.slice(1)), Uint8Array.of(33))
        assert.strictEqual(yield* store.get("a"), "IQ==")
      })
    )

    it.effect("clears what begins with a prefix, in UTF-16", () =>
      Effect.gen(function* () {
        const store = yield* cleared
        for (const key of ["a", "a/", "a/1", "a/\uffff", "a0", "b", "😀", "\ud83d"]) yield* store.set(key, "")
        yield* store.clearPrefix("a/")
        yield* store.clearPrefix("\ud83d")
        assert.sameMembers([...(yield* store.keys)], ["a", "a0", "b"])
        yield* store.clearPrefix("")
        assert.strictEqual(yield* store.size, 0)
      })
    )

    it.effect("behind Effect's prefix has the keys of that prefix", () =>
      Effect.gen(function* () {
        const store = yield* cleared
        const prefixed = KeyValueStore.prefix(store, "p/")
        yield* store.set("other", "")
        yield* prefixed.set("one", "1")
        assert.strictEqual(yield* store.get("p/one"), "1")
        assert.deepStrictEqual(yield* prefixed.keys, ["one"])
        yield* prefixed.clear
        assert.deepStrictEqual(yield* store.keys, ["other"])
      })
    )

    it.effect("keeps texts that are no UTF-8, and a byte order mark", () =>
      Effect.gen(function* () {
        const store = yield* cleared
        for (const text of ["", "\ufeffa", "\ud800", "a\0", "é😀"]) {
          yield* store.set(text, text)
          assert.strictEqual(yield* store.get(text), text)
          assert.deepStrictEqual(yield* store.getUint8Array(text), new TextEncoder().encode(text))
        }
        assert.strictEqual(yield* store.size, 5)
      })
    )
  })

contract("in memory", KeyValueStore.layerMemory)
contract("on RocksDB", Layers.on(RocksDBKeyValueStore.layer()))
contract("on RocksDB, with a prefix", Layers.on(RocksDBKeyValueStore.layer({ prefix: "tenant\0" })))

const Key = Schema.Array(Schema.Literals(["a", "b", "\0", "\ud83d", "\ude00", "é"])).check(Schema.isMaxLength(3))

const Step = Schema.Union([
  Schema.TaggedStruct("set", { key: Key, value: Schema.Union([Schema.String, Schema.Uint8Array]) }),
  Schema.TaggedStruct("remove", { key: Key }),
  Schema.TaggedStruct("modify", { key: Key }),
  Schema.TaggedStruct("modifyUint8Array", { key: Key }),
  Schema.TaggedStruct("clearPrefix", { key: Key }),
  Schema.TaggedStruct("clear", {})
])

const run = (store: KeyValueStore.KeyValueStore, step: typeof Step.Type): Effect.Effect<unknown, unknown> => {
  switch (step._tag) {
    case "set":
      return Effect.asVoid(store.set(step.key.join(""), step.value))
    case "remove":
      return Effect.asVoid(store.remove(step.key.join("")))
    case "modify":
      return store.modify(step.key.join(""), (value) => `${value}é`)
    case "modifyUint8Array":
      return store.modifyUint8Array(step.key.join(""), (value) => Uint8Array.of(...value, 0xff))
    case "clearPrefix":
      return store.clearPrefix(step.key.join(""))
    case "clear":
      return store.clear
  }
}

const everything = (store: KeyValueStore.KeyValueStore) =>
  Effect.gen(function* () {
    const keys = (yield* store.keys).toSorted()
    const found = yield* Effect.forEach(keys, (key) => Effect.all([store.get(key), store.getUint8Array(key)]))
    return { keys, found, size: yield* store.size, isEmpty: yield* store.isEmpty }
  })

describe("any history", () => {
  const model = Effect.provide(Store, KeyValueStore.layerMemory)

  it.effect.prop("leaves what it leaves in memory, also after a restart", [Schema.Array(Step)], ([steps]) =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const layer = Layers.at(path, RocksDBKeyValueStore.layer())
      const memory = yield* model
      yield* Effect.gen(function* () {
        const store = yield* Store
        for (const step of steps) assert.deepStrictEqual(yield* run(store, step), yield* run(memory, step))
        assert.deepStrictEqual(yield* everything(store), yield* everything(memory))
      }).pipe(Effect.provide(layer))
      const reopened = yield* Effect.flatMap(Store, everything).pipe(Effect.provide(layer))
      assert.deepStrictEqual(reopened, yield* everything(memory))
    }).pipe(Effect.scoped)
  )
})

const add = (store: KeyValueStore.KeyValueStore) => store.modify("n", (value) => String(Number(value) + 1))

describe("at once", () => {
  it.effect("modifies lose nothing, also of two layers over the same store", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const one = yield* RocksDBKeyValueStore.make()
        const other = yield* RocksDBKeyValueStore.make()
        yield* one.set("n", "0")
        yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.all([add(one), add(other)]), {
          concurrency: "unbounded",
          discard: true
        })
        assert.strictEqual(yield* one.get("n"), "200")
      }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
    })
  )

  it.effect("sets share batches", () =>
    Effect.gen(function* () {
      const probe = new Probe()
      yield* Effect.gen(function* () {
        const store = yield* RocksDBKeyValueStore.make()
        const before = begun(probe, "write")
        yield* Effect.forEach(Array.from({ length: 1_000 }).keys(), (at) => store.set(`k${at}`, "v"), {
          concurrency: "unbounded",
          discard: true
        })
        assert.isAtMost(begun(probe, "write") - before, 3)
        assert.strictEqual(yield* store.size, 1_000)
      }).pipe(Effect.scoped, Effect.provide(probed(yield* temporaryDirectory, probe)))
    }).pipe(Effect.scoped)
  )

  it.effect("bytes may be used again once the store has been asked to keep them", () =>
    Effect.gen(function* () {
      const store = yield* RocksDBKeyValueStore.make()
      const value = Uint8Array.of(1, 2, 3)
      const setting = yield* Effect.forkChild(store.set("k", value), { startImmediately: true })
      value.fill(9)
      yield* Fiber.join(setting)
      assert.deepStrictEqual(yield* store.getUint8Array("k"), Uint8Array.of(1, 2, 3))
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("prefixes", () => {
  it.effect("keep stores apart, whatever they begin with", () =>
    Effect.gen(function* () {
      const stores = yield* Effect.forEach(["", "a", "ab", "a\0", "a/"], (prefix) =>
        RocksDBKeyValueStore.make({ prefix })
      )
      for (const [at, store] of stores.entries()) yield* store.set("b", String(at))
      for (const [at, store] of stores.entries()) {
        assert.deepStrictEqual([yield* store.get("b"), yield* store.size], [String(at), 1])
      }
      yield* (stores[1] ?? assert.fail()).clear
      assert.deepStrictEqual(yield* Effect.forEach(stores, (store) => store.size), [1, 0, 1, 1, 1])
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("what cannot be", () => {
  it.effect("is an error of the method that was asked", () =>
    Effect.gen(function* () {
      const store = yield* RocksDBKeyValueStore.make()
      const long = "k".repeat(8 * 1024 * 1024)
      const error = yield* Effect.flip(store.set(long, "v"))
      assert.deepStrictEqual([error._tag, error.method, error.key], ["KeyValueStoreError", "set", long])
      assert.include(error.message, "at most 8388608")
      // From JavaScript.
      const untyped: { readonly set: (key: unknown, value: unknown) => Effect.Effect<void, unknown> } = Object(store)
      assert.strictEqual(Object(yield* Effect.flip(untyped.set(undefined, "v"))).message, "set: a key is a string")
      assert.include(Object(yield* Effect.flip(untyped.set("k", 1))).message, "a string or a Uint8Array")
      assert.isTrue(yield* store.isEmpty)
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("is a value that this build does not know: an error that says so, and it stays", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      const store = yield* RocksDBKeyValueStore.make()
      yield* store.set("k", "v")
      const entry = yield* database.last()
      assert.isDefined(entry)
      yield* database.put(entry.key, Uint8Array.of(9, 1, 2))
      for (const read of [store.get("k"), store.getUint8Array("k"), store.modify("k", (value) => value)]) {
        assert.include(
          (yield* Effect.flip(read as Effect.Effect<unknown, KeyValueStore.KeyValueStoreError>)).message,
          "this version"
        )
      }
      assert.isTrue(yield* store.has("k"))
      assert.deepStrictEqual(Array.from((yield* database.get(entry.key)) ?? []), [9, 1, 2])
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("a process that is killed", () => {
  it.effect("loses nothing that was acknowledged", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      for (const lines of [1, 300, 41]) {
        const child = yield* start("key-value", path)
        yield* child.lines(lines)
        yield* child.kill
        yield* child.ended
        const acknowledged = new Map(child.printed().map((line) => line.split(" ") as [string, string]))
        const store = yield* Effect.provide(
          Effect.flatMap(Store, (store) => Effect.forEach([...acknowledged.keys()], (key) => store.get(key))),
          Layers.at(path, RocksDBKeyValueStore.layer())
        )
        for (const [at, [key, value]] of [...acknowledged].entries()) {
          assert.isAtLeast(Number(store[at]), Number(value), key)
        }
      }
    }).pipe(Effect.scoped)
  )
})
