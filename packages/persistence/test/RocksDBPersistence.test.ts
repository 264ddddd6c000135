/**
 * Persistence: as Effect's own in memory, with times to live that hold over a
 * restart, and what has expired removed in the background.
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, type Layer, Schema, Stream } from "effect"
import * as Persistable from "effect/persistence/Persistable"
import * as PersistedCache from "effect/persistence/PersistedCache"
import * as Persistence from "effect/persistence/Persistence"
import { TestClock } from "effect/testing"
import { RocksDB } from "@effect-bookie/rocksdb"
import { RocksDBPersistence } from "../src/index.ts"
import { begun, keysOf, Layers, Probe, probed, tagOf, temporaryDirectory } from "./support.ts"

const Backing = Persistence.BackingPersistence

const storeOf = (storeId: string) => Effect.flatMap(Backing, (backing) => backing.make(storeId))

class User extends Persistable.Class<{ readonly payload: { readonly id: number } }>()("User", {
  primaryKey: ({ id }) => `User:${id}`,
  success: Schema.Struct({ name: Schema.String }),
  error: Schema.String
}) {}

/** What every `BackingPersistence` does. */
const contract = (name: string, layer: Layer.Layer<Persistence.BackingPersistence, unknown>) =>
  describe(`stores ${name}`, () => {
    it.effect("keep values until they are replaced, removed or cleared, each in its own", () =>
      Effect.gen(function* () {
        const [one, other] = [yield* storeOf("one"), yield* storeOf("other")]
        yield* one.set("a", { n: 1 }, undefined)
        yield* one.set("a", { n: 2 }, undefined)
        yield* other.set("a", { n: 3 }, undefined)
        assert.deepStrictEqual(yield* one.get("a"), { n: 2 })
        yield* one.remove("a")
        yield* one.remove("a")
        assert.isUndefined(yield* one.get("a"))
        yield* one.set("b", { n: 4 }, undefined)
        yield* one.clear
        assert.isUndefined(yield* one.get("b"))
        assert.deepStrictEqual(yield* other.get("a"), { n: 3 })
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("answer many by position", () =>
      Effect.gen(function* () {
        const store = yield* storeOf("s")
        yield* store.setMany([
          ["a", { n: 1 }, undefined],
          ["b", { n: 2 }, Duration.seconds(1)],
          ["a", { n: 3 }, undefined]
        ])
        const [a, b] = [{ n: 3 }, { n: 2 }]
        assert.deepStrictEqual(yield* store.getMany(["b", "x", "a", "b"]), [b, undefined, a, b])
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("expire when the time has come, and not before", () =>
      Effect.gen(function* () {
        const store = yield* storeOf("s")
        yield* store.set("a", { n: 1 }, Duration.seconds(10))
        yield* TestClock.adjust("9999 millis")
        assert.deepStrictEqual(yield* store.get("a"), { n: 1 })
        yield* TestClock.adjust("1 millis")
        assert.isUndefined(yield* store.get("a"))
        assert.deepStrictEqual(yield* store.getMany(["a"]), [undefined])
        // A new time to live begins with the new value.
        yield* store.set("a", { n: 2 }, Duration.seconds(10))
        yield* store.set("a", { n: 3 }, undefined)
        yield* TestClock.adjust("1 day")
        assert.deepStrictEqual(yield* store.get("a"), { n: 3 })
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("have ids that are told apart from keys", () =>
      Effect.gen(function* () {
        const pairs = [
          ["a", "b:c"],
          ["a:b", "c"],
          ["a%3Ab", "c"],
          ["a\0b", "c"],
          ["a", "b\0c"],
          ["", "a:b:c"],
          ["\ud800", ""],
          ["\ud801", ""]
        ] as const
        for (const [at, [storeId, key]] of pairs.entries()) {
          yield* (yield* storeOf(storeId)).set(key, { at }, undefined)
        }
        for (const [at, [storeId, key]] of pairs.entries()) {
          assert.deepStrictEqual(yield* (yield* storeOf(storeId)).get(key), { at })
        }
        yield* (yield* storeOf("a")).clear
        assert.deepStrictEqual(yield* (yield* storeOf("a:b")).get("c"), { at: 1 })
        assert.deepStrictEqual(yield* (yield* storeOf("a\0b")).get("c"), { at: 3 })
      }).pipe(Effect.scoped, Effect.provide(layer))
    )
  })

contract("in memory", Persistence.layerBackingMemory)
contract("on RocksDB", Layers.on(RocksDBPersistence.layerBacking()))

const ttlOf = (millis: number | undefined) => (millis === undefined ? undefined : Duration.millis(millis))

const everything = (backing: Persistence.BackingPersistence["Service"]) =>
  Effect.forEach(["s", "s\0", "s:"], (storeId) =>
    Effect.flatMap(backing.make(storeId), (store) =>
      Effect.all([store.getMany(["a", "b", "a\0", ""]), store.get("a"), store.get("")])
    )
  )

describe("any history", () => {
  const Key = Schema.Literals(["a", "b", "a\0", ""])
  const StoreId = Schema.Literals(["s", "s\0", "s:"])
  const Ttl = Schema.Literals([-1, 0, 1, 2, 500, 600_000])
  const Entry = Schema.Struct({ key: Key, n: Schema.Literals([0, 1, 2, 3]), ttl: Schema.optional(Ttl) })
  const Step = Schema.Union([
    Schema.TaggedStruct("set", { storeId: StoreId, entry: Entry }),
    Schema.TaggedStruct("setMany", { storeId: StoreId, entries: Schema.NonEmptyArray(Entry) }),
    Schema.TaggedStruct("remove", { storeId: StoreId, key: Key }),
    Schema.TaggedStruct("clear", { storeId: StoreId }),
    Schema.TaggedStruct("wait", { millis: Schema.Literals([1, 499, 300_000]) })
  ])
  const run = (backing: Persistence.BackingPersistence["Service"], step: typeof Step.Type) =>
    Effect.gen(function* () {
      if (step._tag === "wait") return
      const store = yield* backing.make(step.storeId)
      switch (step._tag) {
        case "set":
          return yield* store.set(step.entry.key, { n: step.entry.n }, ttlOf(step.entry.ttl))
        case "setMany": {
          const [first, ...others] = step.entries
          const entryOf = ({ key, n, ttl }: typeof Entry.Type) => [key, { n }, ttlOf(ttl)] as const
          return yield* store.setMany([entryOf(first), ...others.map(entryOf)])
        }
        case "remove":
          return yield* store.remove(step.key)
        case "clear":
          return yield* store.clear
      }
    })

  it.effect.prop("leaves what it leaves in memory, also after a restart", [Schema.Array(Step)], ([steps]) =>
    Effect.gen(function* () {
      const layer = Layers.at(yield* temporaryDirectory, RocksDBPersistence.layerBacking())
      const memory = yield* Effect.provide(Backing, Persistence.layerBackingMemory)
      yield* Effect.gen(function* () {
        const backing = yield* Backing
        for (const step of steps) {
          if (step._tag === "wait") yield* TestClock.adjust(step.millis)
          yield* run(backing, step)
          yield* run(memory, step)
          assert.deepStrictEqual(yield* everything(backing), yield* everything(memory))
        }
      }).pipe(Effect.provide(layer))
      yield* Effect.flatMap(Backing, (backing) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(backing), yield* everything(memory))
        })
      ).pipe(Effect.provide(layer))
    }).pipe(Effect.scoped)
  )
})

const entry = (at: number) => [`k${at}`, { at }, Duration.seconds(30)] as const

describe("what has expired", () => {
  /** Keys of records and of the index, without the format of the key space. */
  const left = Effect.flatMap(RocksDB.RocksDB, (database) => Effect.map(keysOf(database), (keys) => keys.length - 1))

  it.effect("is removed in the background, in batches that are bounded, and nothing else is", () =>
    Effect.gen(function* () {
      const probe = new Probe()
      yield* Effect.gen(function* () {
        const backing = yield* RocksDBPersistence.make({ sweepInterval: "1 minute" })
        const store = yield* backing.make("s")
        yield* store.setMany([entry(0), ...Array.from({ length: 2_499 }, (_, at) => entry(at + 1))])
        yield* store.set("forever", { n: 1 }, undefined)
        yield* store.set("later", { n: 1 }, Duration.minutes(2))
        // It had an earlier time to live before.
        yield* store.set("k7", { at: -7 }, Duration.minutes(2))
        const before = begun(probe, "write")
        yield* TestClock.adjust("1 minute")
        while ((yield* left) > 5) {
          yield* TestClock.adjust("10 millis")
          yield* TestClock.withLive(Effect.sleep("5 millis"))
        }
        assert.strictEqual(begun(probe, "write") - before, 3)
        assert.deepStrictEqual(yield* store.getMany(["forever", "later", "k7", "k8"]), [
          { n: 1 },
          { n: 1 },
          { at: -7 },
          undefined
        ])
      }).pipe(Effect.scoped, Effect.provide(probed(yield* temporaryDirectory, probe)))
    }).pipe(Effect.scoped)
  )

  it.effect("while the process was down is removed when the layer is opened, also of stores that were cleared", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      yield* Effect.gen(function* () {
        const backing = yield* RocksDBPersistence.make()
        const [cleared, other] = [yield* backing.make("cleared"), yield* backing.make("other")]
        yield* cleared.set("a", { n: 1 }, Duration.seconds(1))
        yield* other.set("a", { n: 1 }, Duration.seconds(1))
        yield* cleared.clear
        yield* cleared.set("a", { n: 2 }, undefined)
      }).pipe(Effect.scoped)
      yield* TestClock.adjust("1 second")
      yield* Effect.gen(function* () {
        const backing = yield* RocksDBPersistence.make()
        let keys: ReadonlyArray<string> = yield* keysOf(database)
        while (keys.length > 2) {
          yield* TestClock.withLive(Effect.sleep("2 millis"))
          keys = yield* keysOf(database)
        }
        assert.deepStrictEqual(yield* (yield* backing.make("cleared")).get("a"), { n: 2 })
      }).pipe(Effect.scoped)
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("leaves nothing behind of the times that a value had before", () =>
    Effect.gen(function* () {
      const store = yield* (yield* RocksDBPersistence.make()).make("s")
      for (let seconds = 1; seconds <= 20; seconds++) yield* store.set("a", { n: 1 }, Duration.seconds(seconds))
      assert.strictEqual(yield* left, 2)
      yield* store.set("a", { n: 1 }, undefined)
      assert.strictEqual(yield* left, 1)
      yield* store.set("a", { n: 1 }, Duration.seconds(1))
      yield* store.remove("a")
      assert.strictEqual(yield* left, 0)
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("stays if the interval is infinite", () =>
    Effect.gen(function* () {
      const backing = yield* RocksDBPersistence.make({ sweepInterval: "Infinity" })
      const store = yield* backing.make("s")
      yield* store.set("a", { n: 1 }, Duration.seconds(1))
      yield* TestClock.adjust("30 days")
      assert.isUndefined(yield* store.get("a"))
      assert.strictEqual(yield* left, 2)
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("setMany", () => {
  it.effect("is one batch", () =>
    Effect.gen(function* () {
      const probe = new Probe()
      yield* Effect.gen(function* () {
        const store = yield* (yield* RocksDBPersistence.make()).make("s")
        const before = [begun(probe, "write"), begun(probe, "getMany")]
        yield* store.setMany([
          ["a", { n: 1 }, Duration.seconds(1)],
          ["b", { n: 2 }, undefined]
        ])
        assert.deepStrictEqual(
          [begun(probe, "write"), begun(probe, "getMany")],
          before.map((calls) => calls + 1)
        )
      }).pipe(Effect.scoped, Effect.provide(probed(yield* temporaryDirectory, probe)))
    }).pipe(Effect.scoped)
  )

  it.effect("with a value that is no JSON sets none", () =>
    Effect.gen(function* () {
      const store = yield* (yield* RocksDBPersistence.make()).make("s")
      const round: { self?: object } = {}
      round.self = round
      const error = yield* Effect.flip(
        store.setMany([
          ["a", { n: 1 }, undefined],
          ["b", round, undefined]
        ])
      )
      assert.strictEqual(error._tag, "PersistenceError")
      assert.isUndefined(yield* store.get("a"))
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("a value that this build cannot read", () => {
  it.effect("is an error, also among many, and stays", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      const store = yield* (yield* RocksDBPersistence.make()).make("s")
      yield* store.set("a", { n: 1 }, undefined)
      const [entry] = (yield* Stream.runCollect(database.stream())).slice(-1)
      assert.isDefined(entry)
      for (const damaged of [Uint8Array.of(2, ...entry.value.slice(1)), entry.value.slice(0, -1), new Uint8Array(0)]) {
        yield* database.put(entry.key, damaged)
        assert.include((yield* Effect.flip(store.get("a"))).message, "this version")
        assert.include((yield* Effect.flip(store.getMany(["b", "a"]))).message, "this version")
        assert.deepStrictEqual(Array.from((yield* database.get(entry.key)) ?? []), Array.from(damaged))
      }
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("Persistence over it", () => {
  it.effect("keeps exits of requests, and a cache asks once", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      let asked = 0
      const cached = Effect.gen(function* () {
        const cache = yield* PersistedCache.make(
          (user: User) => Effect.sync(() => ({ name: `user ${user.id}, ${++asked}` })),
          { storeId: "users", timeToLive: () => "5 seconds" }
        )
        return yield* cache.get(new User({ id: 1 }))
      }).pipe(Effect.scoped, Effect.provide(Layers.at(path, RocksDBPersistence.layer())))
      assert.deepStrictEqual(yield* cached, { name: "user 1, 1" })
      assert.deepStrictEqual(yield* cached, { name: "user 1, 1" })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* cached, { name: "user 1, 2" })
      const store = yield* Effect.flatMap(Persistence.Persistence, (persistence) =>
        Effect.gen(function* () {
          const users = yield* persistence.make({ storeId: "users" })
          yield* users.setMany([[new User({ id: 2 }), Exit.fail("gone")]])
          return yield* users.getMany([new User({ id: 3 }), new User({ id: 2 })])
        })
      ).pipe(Effect.scoped, Effect.provide(Layers.at(path, RocksDBPersistence.layer())))
      assert.deepStrictEqual(store, [undefined, Exit.fail("gone")])
    }).pipe(Effect.scoped)
  )
})

describe("an interval that means nothing", () => {
  it.effect.each([0, -1, NaN, "-1 seconds", "soon", {}])("is refused: %s", (sweepInterval) =>
    Effect.gen(function* () {
      const untyped: (options: object) => ReturnType<typeof RocksDBPersistence.make> = RocksDBPersistence.make
      assert.strictEqual(yield* tagOf(Effect.scoped(untyped({ sweepInterval }))), "InvalidArgument")
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )
})
