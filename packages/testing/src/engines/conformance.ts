/**
 * What every engine must do behind the `RocksDB` service, on real directories:
 * `suite(name, layer)` runs it for one engine. Each test opens databases of its
 * own; to prove durability it opens the same directory again.
 */
import { assert, describe, it, type Vitest } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import type { Scope } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { setTimeout } from "node:timers/promises"
import { Engine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Model from "./model.ts"
import { bytes, pair, put, removeRange, text } from "../bytes.ts"
import { asOrdinaryUser, contents, find, flip, temporaryDirectory } from "../directory.ts"
import { reasonOf, tagOf } from "../failure.ts"
import * as Program from "./program.ts"

type Database = RocksDB.RocksDB["Service"]
type It = Vitest.MethodsNonLive<Engine.Engine>

/** Declares the tests of an engine. */
export const suite = (name: string, layer: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError>): void => {
  it.layer(layer)(name, (it) => {
    describe("reads", () => reads(it))
    describe("ranges", () => ranges(it))
    describe("streams", () => streams(it))
    describe("writes", () => writes(it))
    describe("refused writes", () => refusal(it))
    describe("arguments", () => argumentChecks(it))
    describe("upkeep", () => upkeep(it))
    describe("opening", () => opening(it))
    describe("read-only", () => readOnly(it))
    describe("locks", () => locks(it))
    describe("damage", () => damage(it))
    describe("the directory's engine", () => engineMarker(it))
    describe("model", () => model(it))
  })
}

/** Opens a database in a new directory for the test, with some entries written as `key=value`. */
const open = (
  entries: ReadonlyArray<string> = [],
  options?: Partial<RocksDB.Options>
): Effect.Effect<Database, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> =>
  Effect.flatMap(temporaryDirectory, (path) =>
    Effect.tap(RocksDB.make({ path, ...options }), (database) => database.write(entries.map(put)))
  )

/** Opens a database of a path, uses it, and closes it. */
const use = <A, E, R>(
  path: string,
  f: (database: Database) => Effect.Effect<A, E, R>,
  options?: Partial<RocksDB.Options>
): Effect.Effect<A, E | RocksDBError.RocksDBError, Exclude<R, Scope.Scope> | Engine.Engine> =>
  Effect.scoped(Effect.flatMap(RocksDB.make({ path, ...options }), f))

/** All entries as `key=value`. */
const entriesOf = (database: Database, range?: RocksDB.Range, options?: RocksDB.StreamOptions) =>
  Effect.map(Stream.runCollect(database.stream(range, options)), (entries) => entries.map(pair))

const numbered = (prefix: string, index: number): string => `${prefix}${String(index).padStart(6, "0")}`

/** Entries `a000000=value`, `a000001=value`, … */
const many = (prefix: string, count: number, value = "value"): Array<string> =>
  Array.from({ length: count }, (_, index) => `${numbered(prefix, index)}=${value}`)

const reads = (it: It) => {
  it.effect("get returns what was put, and undefined where nothing was", () =>
    Effect.gen(function* () {
      const database = yield* open(["a=1"])
      assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
      assert.isUndefined(yield* database.get(bytes("b")))
    })
  )

  it.effect("an empty value is a value", () =>
    Effect.gen(function* () {
      const database = yield* open(["a="])
      assert.strictEqual((yield* database.get(bytes("a")))?.length, 0)
      assert.deepStrictEqual(yield* entriesOf(database), ["a="])
    })
  )

  it.effect("a put replaces the value", () =>
    Effect.gen(function* () {
      const database = yield* open(["a=1"])
      yield* database.put(bytes("a"), bytes("2"))
      assert.deepStrictEqual(yield* entriesOf(database), ["a=2"])
    })
  )

  it.effect("getMany answers in the order of its keys, also for absent and repeated ones", () =>
    Effect.gen(function* () {
      const database = yield* open(["a=1", "b=2"])
      const values = yield* database.getMany(["b", "x", "a", "b"].map(bytes))
      assert.deepStrictEqual(values.map(text), ["2", undefined, "1", "2"])
    })
  )

  it.effect("getMany of thousands of keys answers each", () =>
    Effect.gen(function* () {
      const database = yield* open(many("a", 3000))
      const values = yield* database.getMany(Array.from({ length: 3000 }, (_, index) => bytes(numbered("a", index))))
      assert.strictEqual(values.filter((value) => text(value) === "value").length, 3000)
    })
  )

  it.effect("getMany of no keys is empty", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* (yield* open()).getMany([]), [])
    })
  )

  it.effect("keys and values may be views of a larger buffer", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const buffer = bytes("..key..value..")
      yield* database.put(buffer.subarray(2, 5), buffer.subarray(7, 12))
      assert.deepStrictEqual(yield* entriesOf(database, { gte: buffer.subarray(2, 4) }), ["key=value"])
    })
  )

  it.effect("every byte may occur in keys and values", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      yield* database.put(all, all)
      assert.deepStrictEqual(new Uint8Array((yield* database.get(all)) ?? []), all)
    })
  )

  it.effect("a value of several MiB comes back whole", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const value = new Uint8Array(5 * 1024 * 1024).map((_, index) => index % 251)
      yield* database.put(bytes("large"), value)
      const found = yield* database.get(bytes("large"))
      assert.isTrue(Buffer.from(value).equals(found ?? new Uint8Array()))
    })
  )
}

interface Case {
  readonly range: { readonly [Side in keyof RocksDB.Range]?: string }
  readonly expected: string
}

/** On a database of the keys a, b, c, d, e. */
const cases: ReadonlyArray<Case> = [
  { range: {}, expected: "abcde" },
  { range: { gt: "b" }, expected: "cde" },
  { range: { gte: "b" }, expected: "bcde" },
  { range: { lt: "d" }, expected: "abc" },
  { range: { lte: "d" }, expected: "abcd" },
  { range: { gt: "a", lt: "e" }, expected: "bcd" },
  { range: { gt: "a", lte: "e" }, expected: "bcde" },
  { range: { gte: "a", lt: "e" }, expected: "abcd" },
  { range: { gte: "a", lte: "e" }, expected: "abcde" },
  { range: { gt: "c", gte: "b" }, expected: "de" },
  { range: { gt: "b", gte: "c" }, expected: "cde" },
  { range: { gt: "b", gte: "b" }, expected: "cde" },
  { range: { lt: "c", lte: "d" }, expected: "ab" },
  { range: { lt: "d", lte: "c" }, expected: "abc" },
  { range: { lt: "d", lte: "d" }, expected: "abc" },
  { range: { gt: "a", gte: "b", lt: "e", lte: "d" }, expected: "bcd" },
  { range: { gte: "c", lte: "c" }, expected: "c" },
  { range: { gt: "c", lte: "c" }, expected: "" },
  { range: { gte: "c", lt: "c" }, expected: "" },
  { range: { gt: "c", lt: "c" }, expected: "" },
  { range: { gte: "d", lte: "b" }, expected: "" },
  { range: { gt: "bb", lt: "cc" }, expected: "c" },
  { range: { gte: "bb", lte: "bc" }, expected: "" },
  { range: { gt: "e" }, expected: "" },
  { range: { gte: "f" }, expected: "" },
  { range: { lt: "a" }, expected: "" },
  { range: { lte: "Z" }, expected: "" },
  { range: { gte: "A", lte: "z" }, expected: "abcde" }
]

const ranges = (it: It) => {
  it.effect.each(cases)("of $range are the keys '$expected', whichever way they are read", ({ expected, range }) =>
    Effect.gen(function* () {
      const database = yield* open(["a=1", "b=2", "c=3", "d=4", "e=5"])
      const bounds = Object.fromEntries(Object.entries(range).map(([side, key]) => [side, bytes(key)]))
      const keys = (options?: RocksDB.StreamOptions) =>
        Effect.map(entriesOf(database, bounds, options), (entries) => entries.map((entry) => entry[0]).join(""))
      const backwards = Array.from(expected).toReversed().join("")
      assert.strictEqual(yield* keys(), expected)
      assert.strictEqual(yield* keys({ reverse: true }), backwards)
      assert.strictEqual(yield* keys({ limit: 2 }), expected.slice(0, 2))
      assert.strictEqual(yield* keys({ limit: 2, reverse: true }), backwards.slice(0, 2))
      assert.strictEqual(text((yield* database.first(bounds))?.key), expected.at(0))
      assert.strictEqual(text((yield* database.last(bounds))?.key), expected.at(-1))
    })
  )

  it.effect("keys are ordered by their bytes, unsigned, a prefix first", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const keys = [[0], [0, 0], [0, 1], [1], [127], [127, 255], [128], [255], [255, 0], [255, 255]]
      for (const key of keys.toReversed()) yield* database.put(Uint8Array.from(key), new Uint8Array())
      const found = yield* Stream.runCollect(database.stream())
      assert.deepStrictEqual(
        found.map(({ key }) => Array.from(key)),
        keys
      )
    })
  )

  it.effect("first and last of everything are the lowest and the highest key", () =>
    Effect.gen(function* () {
      const database = yield* open(["b=2", "c=3", "a=1"])
      assert.deepStrictEqual(
        [yield* database.first(), yield* database.last()].map((entry) => entry && pair(entry)),
        ["a=1", "c=3"]
      )
    })
  )

  it.effect("an empty database has no first and no last key, and an empty stream", () =>
    Effect.gen(function* () {
      const database = yield* open()
      assert.isUndefined(yield* database.first())
      assert.isUndefined(yield* database.last())
      assert.deepStrictEqual(yield* entriesOf(database), [])
    })
  )
}

const streams = (it: It) => {
  it.effect("a stream brings thousands of entries in order, either way", () =>
    Effect.gen(function* () {
      const entries = many("a", 2500)
      const database = yield* open(entries)
      assert.deepStrictEqual(yield* entriesOf(database), entries)
      assert.deepStrictEqual(yield* entriesOf(database, {}, { reverse: true }), entries.toReversed())
    })
  )

  it.effect.each([0, 1, 2, 255, 256, 257, 512, 999, 1000, 1001, 2 ** 32 + 1, Infinity])("a limit of %s", (limit) =>
    Effect.gen(function* () {
      const entries = many("a", 1000)
      const database = yield* open(entries)
      assert.deepStrictEqual(yield* entriesOf(database, {}, { limit }), entries.slice(0, limit))
      assert.deepStrictEqual(
        yield* entriesOf(database, {}, { limit, reverse: true }),
        entries.toReversed().slice(0, limit)
      )
    })
  )

  it.effect.each([-1, 1.5, Number.NaN])("a limit of %s is refused", (limit) =>
    Effect.gen(function* () {
      const database = yield* open()
      assert.strictEqual(yield* tagOf(Stream.runDrain(database.stream({}, { limit }))), "InvalidArgument")
    })
  )

  it.effect("keysOnly leaves the values empty", () =>
    Effect.gen(function* () {
      const database = yield* open(["a=1", "b=2"])
      assert.deepStrictEqual(yield* entriesOf(database, {}, { keysOnly: true }), ["a=", "b="])
    })
  )

  it.effect("a stream shows the database as it stood when the stream began", () =>
    Effect.gen(function* () {
      const entries = many("b", 1500)
      const database = yield* open(entries)
      const last = bytes(numbered("b", 1499))
      const change = Effect.andThen(
        database.write([put("a=before"), put("c=after"), { type: "remove", key: last }]),
        database.put(bytes(numbered("b", 1498)), bytes("changed"))
      )
      const found = yield* database.stream().pipe(
        Stream.mapEffect((entry) => (text(entry.key) === "b000000" ? Effect.as(change, entry) : Effect.succeed(entry))),
        Stream.runCollect
      )
      assert.deepStrictEqual(found.map(pair), entries)
      assert.isUndefined(yield* database.get(last))
    })
  )

  it.effect("streams can be read side by side", () =>
    Effect.gen(function* () {
      const entries = many("a", 600)
      const database = yield* open(entries)
      const both = yield* Stream.runCollect(
        Stream.zip(database.stream(), database.stream({}, { reverse: true, keysOnly: true }))
      )
      assert.deepStrictEqual(
        both.map(([up, down]) => [text(up.key), text(down.key)]),
        Array.from({ length: 600 }, (_, index) => [numbered("a", index), numbered("a", 599 - index)])
      )
    })
  )

  it.effect("a stream that is left early does not keep the database from closing", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const first = yield* use(path, (database) =>
        Effect.andThen(database.write(many("a", 1000).map(put)), Stream.runCollect(Stream.take(database.stream(), 1)))
      )
      assert.deepStrictEqual(first.map(pair), ["a000000=value"])
    })
  )

  it.effect("a stream can be run again, and then shows what was written since", () =>
    Effect.gen(function* () {
      const database = yield* open(["a=1"])
      const stream = Stream.map(database.stream(), pair)
      assert.deepStrictEqual(yield* Stream.runCollect(stream), ["a=1"])
      yield* database.put(bytes("b"), bytes("2"))
      assert.deepStrictEqual(yield* Stream.runCollect(stream), ["a=1", "b=2"])
    })
  )
}

const writes = (it: It) => {
  it.effect("remove takes a key away, and one that is not there is no error", () =>
    Effect.gen(function* () {
      const database = yield* open(["a=1", "b=2"])
      yield* database.remove(bytes("a"))
      yield* database.remove(bytes("x"))
      assert.deepStrictEqual(yield* entriesOf(database), ["b=2"])
    })
  )

  it.effect("a batch is applied in its order", () =>
    Effect.gen(function* () {
      const database = yield* open(["b=old", "c=old", "d=old"])
      yield* database.write([
        put("a=1"),
        put("b=1"),
        removeRange("a", "d"),
        put("b=2"),
        put("e=1"),
        { type: "remove", key: bytes("e") },
        { type: "remove", key: bytes("f") },
        put("f=1")
      ])
      assert.deepStrictEqual(yield* entriesOf(database), ["b=2", "d=old", "f=1"])
    })
  )

  it.effect("removeRange takes its lower bound and leaves its upper one", () =>
    Effect.gen(function* () {
      const database = yield* open(["a=1", "b=2", "bb=3", "c=4"])
      yield* database.write([removeRange("b", "c")])
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1", "c=4"])
    })
  )

  it.effect.each([
    ["b", "b"],
    ["c", "a"]
  ] as const)("removeRange from %s to %s removes nothing, and does no harm", ([gte, lt]) =>
    Effect.gen(function* () {
      const database = yield* open(["a=1", "b=2"])
      yield* database.write([put("c=3"), removeRange(gte, lt), put("d=4")])
      yield* database.write([removeRange(gte, lt)])
      yield* database.put(bytes("e"), bytes("5"))
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1", "b=2", "c=3", "d=4", "e=5"])
    })
  )

  it.effect("what removeRange took from the files on disk does not come back", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use(path, (database) => database.write(many("a", 100).map(put)))
      yield* use(path, (database) => database.compact())
      yield* use(path, (database) => database.write([removeRange(numbered("a", 10), numbered("a", 90))]))
      const left = yield* use(path, (database) => entriesOf(database))
      assert.deepStrictEqual(left, [...many("a", 10), ...many("a", 100).slice(90)])
    })
  )

  it.effect("batches with range deletes that run at once are each applied whole", () =>
    Effect.gen(function* () {
      const database = yield* open()
      yield* Effect.forEach(
        Array.from({ length: 40 }, (_, index) => numbered("k", index)),
        (key) => database.write([removeRange("k", "l"), put(`${key}=1`), put(`${key}x=1`)]),
        { concurrency: "unbounded" }
      )
      const left = yield* entriesOf(database)
      assert.strictEqual(left.length, 2)
      assert.strictEqual(left[0]?.slice(0, 7), left[1]?.slice(0, 7))
    })
  )

  it.effect.each(["before", "during"])("a batch that begins %s a range delete is removed whole or not at all", (when) =>
    Effect.gen(function* () {
      const database = yield* open(many("k", 10_000, "old"))
      const batch = database.write(many("k", 20_000, "new").map(put))
      const range = database.write([removeRange("k", "l")])
      const later = Effect.andThen(
        Effect.promise(() => setTimeout(4)),
        batch
      )
      yield* Effect.all(when === "before" ? [batch, range] : [range, later], {
        concurrency: "unbounded"
      })
      assert.include([0, 20_000], (yield* entriesOf(database)).length)
    })
  )

  it.effect("a batch of no operations writes nothing", () =>
    Effect.gen(function* () {
      const database = yield* open(["a=1"])
      yield* database.write([])
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1"])
    })
  )

  it.effect("a batch of tens of thousands of operations is one write", () =>
    Effect.gen(function* () {
      const database = yield* open(many("a", 30_000))
      assert.strictEqual(yield* Stream.runCount(database.stream({}, { keysOnly: true })), 30_000)
    })
  )

  it.effect.each(["sync", "buffered"] as const)(
    "a %s write is read at once and is there after reopening",
    (durability) =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        const seen = yield* use(path, (database) =>
          Effect.andThen(
            Effect.all([
              database.put(bytes("a"), bytes("1"), { durability }),
              database.write([put("b=2"), put("c=3")], { durability }),
              Effect.andThen(database.put(bytes("d"), bytes("4")), database.remove(bytes("d"), { durability }))
            ]),
            entriesOf(database)
          )
        )
        assert.deepStrictEqual(seen, ["a=1", "b=2", "c=3"])
        assert.deepStrictEqual(yield* use(path, (database) => entriesOf(database)), seen)
      })
  )

  it.effect("concurrent writers all succeed", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const entries = many("a", 200)
      yield* Effect.forEach(entries.map(put), (operation) => database.write([operation]), { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* entriesOf(database), entries)
    })
  )
}

const refusal = (it: It) => {
  it.effect("a write that the operating system refuses says why, and what was acknowledged stays", () =>
    Effect.gen(function* () {
      const { name } = yield* Engine.Engine
      const path = yield* temporaryDirectory
      const child = yield* Program.runWithFileLimit(1000, "fill", name, path)
      assert.strictEqual(child.code, 0, child.stderr)
      const { acknowledged, message, readable, tag } = JSON.parse(child.stdout)
      assert.strictEqual(tag, "IOError")
      assert.include(message, "File too large")
      assert.isAbove(acknowledged, 10)
      assert.strictEqual(readable, acknowledged)
      const left = yield* use(path, (database) => Stream.runCollect(database.stream()))
      assert.deepStrictEqual(
        left.map(({ key }) => text(key)),
        Array.from({ length: acknowledged }, (_, index) => numbered("", index))
      )
    })
  )

  // Only Linux lets a process lower the limit of its files and raise it again.
  it.effect.skipIf(process.platform !== "linux")(
    "a write that was refused is not written over until the database is opened anew, and does no harm then",
    () =>
      Effect.gen(function* () {
        const { name } = yield* Engine.Engine
        const child = yield* Program.run("refused-writes", name, yield* temporaryDirectory)
        assert.strictEqual(child.code, 0, child.stderr)
        assert.deepStrictEqual(JSON.parse(child.stdout), {
          before: "ok",
          limited: ["IOError", "IOError", "IOError", "IOError"],
          unlimited: "IOError",
          after: "ok",
          value: "after",
          again: "after"
        })
      })
  )
}

/** Stands for what plain JavaScript may pass. */
const wrong = (value: unknown): Uint8Array => value as Uint8Array

const badKeys: ReadonlyArray<readonly [string, Uint8Array]> = [
  ["empty", new Uint8Array()],
  ["text", wrong("key")],
  ["undefined", wrong(undefined)],
  ["null", wrong(null)],
  ["an array of numbers", wrong([1, 2, 3])],
  ["an ArrayBuffer", wrong(new ArrayBuffer(3))],
  ["an object without a prototype", wrong(Object.create(null))],
  ["longer than 8 MiB", new Uint8Array(8 * 1024 * 1024 + 1)]
]

const badValues: ReadonlyArray<readonly [string, Uint8Array]> = [
  ["undefined", wrong(undefined)],
  ["null", wrong(null)],
  ["text", wrong("text")],
  ["a number", wrong(1)],
  ["an array of numbers", wrong([1])],
  ["an ArrayBuffer", wrong(new ArrayBuffer(1))]
]

const keyUses: ReadonlyArray<
  readonly [string, (database: Database, key: Uint8Array) => Effect.Effect<unknown, RocksDBError.RocksDBError>]
> = [
  ["get", (database, key) => database.get(key)],
  ["getMany", (database, key) => database.getMany([bytes("a"), key])],
  ["put", (database, key) => database.put(key, bytes("1"))],
  ["remove", (database, key) => database.remove(key)],
  ["write", (database, key) => database.write([put("new=1"), { type: "put", key, value: bytes("1") }])],
  ["write", (database, key) => database.write([put("new=1"), { type: "remove", key }])],
  ["write", (database, key) => database.write([put("new=1"), { type: "removeRange", gte: key, lt: bytes("z") }])],
  ["write", (database, key) => database.write([put("new=1"), { type: "removeRange", gte: bytes("a"), lt: key }])]
]

const sides = ["gt", "gte", "lt", "lte"] as const

const argumentChecks = (it: It) => {
  it.effect.each(badKeys)("a key that is %s is refused by every operation, and nothing is written", ([, key]) =>
    Effect.gen(function* () {
      const database = yield* open(["a=1"])
      for (const [operation, act] of keyUses) {
        const reason = yield* reasonOf(act(database, key))
        assert.strictEqual(reason._tag, "InvalidArgument", operation)
        assert.strictEqual(reason.operation, operation)
        assert.match(reason.message, /must|at most/)
      }
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1"])
    })
  )

  it.effect.each(badKeys.filter(([, key]) => key !== undefined))("a bound that is %s is refused by name", ([, key]) =>
    Effect.gen(function* () {
      const database = yield* open(["a=1"])
      for (const side of sides) {
        const range = { [side]: key }
        const reads: ReadonlyArray<Effect.Effect<unknown, RocksDBError.RocksDBError>> = [
          database.first(range),
          database.last(range),
          database.compact(range),
          Stream.runDrain(database.stream(range))
        ]
        for (const read of reads) {
          const reason = yield* reasonOf(read)
          assert.strictEqual(reason._tag, "InvalidArgument")
          assert.include(reason.message, `bound ${side}`)
        }
      }
    })
  )

  it.effect.each(badValues)("a value that is %s is refused, and nothing is written", ([, value]) =>
    Effect.gen(function* () {
      const database = yield* open()
      assert.strictEqual(yield* tagOf(database.put(bytes("a"), value)), "InvalidArgument")
      const batch = database.write([put("b=1"), { type: "put", key: bytes("a"), value }])
      assert.strictEqual(yield* tagOf(batch), "InvalidArgument")
      assert.deepStrictEqual(yield* entriesOf(database), [])
    })
  )

  it.effect("a value longer than 3 GiB is refused", () =>
    Effect.gen(function* () {
      const database = yield* open()
      // Costs no memory: nobody touches its pages.
      const value = new Uint8Array(3 * 1024 ** 3 + 1)
      const reason = yield* reasonOf(database.put(bytes("a"), value))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.include(reason.message, "3221225473 bytes")
    })
  )

  it.effect("a key of 8 MiB is a key", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const key = new Uint8Array(8 * 1024 * 1024).fill(255)
      yield* database.put(key, bytes("1"))
      assert.strictEqual(text(yield* database.get(key)), "1")
    })
  )

  it.effect.each<readonly [string, unknown]>([
    ["undefined", undefined],
    ["one operation that is not in an array", put("a=1")],
    ["an operation of an unknown type", [put("b=1"), { ...put("a=1"), type: "merge" }]],
    ["an operation without a type", [put("b=1"), {}]],
    ["null for an operation", [put("b=1"), null]],
    ["text for an operation", [put("b=1"), "put"]]
  ])("a batch of %s is refused, and nothing is written", ([, batch]) =>
    Effect.gen(function* () {
      const database = yield* open()
      const written = database.write(batch as ReadonlyArray<RocksDB.Operation>)
      assert.strictEqual(yield* tagOf(written), "InvalidArgument")
      assert.deepStrictEqual(yield* entriesOf(database), [])
    })
  )

  it.effect("the keys of a getMany must be an array", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const keys = bytes("key") as unknown as ReadonlyArray<Uint8Array>
      assert.strictEqual(yield* tagOf(database.getMany(keys)), "InvalidArgument")
    })
  )

  it.effect("an unknown durability is refused, and nothing is written", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const durability = "always" as unknown as RocksDB.Durability
      const reason = yield* reasonOf(database.put(bytes("a"), bytes("1"), { durability }))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.deepStrictEqual(yield* entriesOf(database), [])
    })
  )

  it.effect("the name of a property must be text", () =>
    Effect.gen(function* () {
      const database = yield* open()
      const reason = yield* reasonOf(database.property(undefined as unknown as string))
      assert.strictEqual(reason._tag, "InvalidArgument")
    })
  )
}

const upkeep = (it: It) => {
  it.effect("property answers RocksDB's own text", () =>
    Effect.gen(function* () {
      const database = yield* open(["a=1", "b=2"])
      assert.strictEqual(yield* database.property("rocksdb.num-entries-active-mem-table"), "2")
      assert.include(yield* database.property("rocksdb.stats"), "Compaction Stats")
    })
  )

  it.effect("property answers undefined for one that RocksDB does not have", () =>
    Effect.gen(function* () {
      const database = yield* open()
      assert.isUndefined(yield* database.property("rocksdb.no-such-property"))
      assert.isUndefined(yield* database.property(""))
    })
  )

  it.effect("compact keeps every entry", () =>
    Effect.gen(function* () {
      const entries = many("a", 1000)
      const database = yield* open(entries)
      yield* database.compact()
      assert.deepStrictEqual(yield* entriesOf(database), entries)
    })
  )

  it.effect("compact gives back the room of what was removed, even if nothing is left", () =>
    Effect.gen(function* () {
      const database = yield* open(many("a", 1000))
      const size = Effect.map(database.property("rocksdb.total-sst-files-size"), Number)
      yield* database.compact()
      assert.isAbove(yield* size, 0)
      yield* database.write([removeRange("a", "b")])
      yield* database.compact()
      assert.strictEqual(yield* size, 0)
    })
  )

  it.effect("compact of a range leaves the other files alone", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      // Opening moves what the log holds into a new file of level 0.
      for (const prefix of ["a", "b", "c"]) yield* use(path, (database) => database.write(many(prefix, 10).map(put)))
      const counts = yield* use(path, (database) =>
        Effect.all([
          database.property("rocksdb.num-files-at-level0"),
          database.compact({ gt: bytes("x"), lt: bytes("b") }),
          database.compact({ gte: bytes("b"), lt: bytes("c") }),
          database.property("rocksdb.num-files-at-level0"),
          database.compact({ gte: bytes("c") }),
          database.property("rocksdb.num-files-at-level0"),
          database.compact({ lt: bytes("b") }),
          database.property("rocksdb.num-files-at-level0")
        ])
      )
      assert.deepStrictEqual(
        counts.filter((count) => count !== undefined),
        ["3", "2", "1", "0"]
      )
    })
  )

  it.effect("syncWal may be called at any time, by many at once", () =>
    Effect.gen(function* () {
      const database = yield* open()
      yield* database.syncWal
      yield* database.put(bytes("a"), bytes("1"), { durability: "buffered" })
      yield* Effect.all(
        Array.from({ length: 20 }, () => database.syncWal),
        { concurrency: "unbounded" }
      )
    })
  )
}

const opening = (it: It) => {
  it.effect("a directory is created with its parents, and opened again with its entries", () =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "some", "where")
      yield* use(path, (database) => database.put(bytes("a"), bytes("1")))
      assert.deepStrictEqual(yield* use(path, (database) => entriesOf(database)), ["a=1"])
    })
  )

  it.effect("with createIfMissing false, a missing database is an error and stays missing", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const path = Path.join(parent, "missing")
      for (const missing of [path, parent, Path.relative(process.cwd(), path)]) {
        const reason = yield* reasonOf(use(missing, () => Effect.void, { createIfMissing: false }))
        assert.strictEqual(reason._tag, "MissingDatabase")
        assert.include(reason.message, Path.resolve(missing))
      }
      assert.deepStrictEqual(Fs.readdirSync(parent), [])
    })
  )

  it.effect("with createIfMissing false, a database that is there opens", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use(path, (database) => database.put(bytes("a"), bytes("1")))
      assert.deepStrictEqual(yield* use(path, (database) => entriesOf(database), { createIfMissing: false }), ["a=1"])
    })
  )

  it.effect("a path below a file is an IOError", () =>
    Effect.gen(function* () {
      const file = Path.join(yield* temporaryDirectory, "file")
      Fs.writeFileSync(file, "")
      assert.strictEqual(yield* tagOf(use(Path.join(file, "below"), () => Effect.void)), "IOError")
      assert.strictEqual(yield* tagOf(use(file, () => Effect.void)), "IOError")
    })
  )

  it.effect("a directory without permission is an IOError that says so", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      Fs.chmodSync(parent, 0o555)
      const reason = yield* Effect.scoped(
        Effect.andThen(asOrdinaryUser, reasonOf(use(Path.join(parent, "database"), () => Effect.void)))
      )
      assert.strictEqual(reason._tag, "IOError")
      assert.match(reason.message, /permission denied/i)
    })
  )

  it.effect("a file without permission is an IOError, not a Corruption", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use(path, (database) => database.put(bytes("a"), bytes("1")))
      Fs.chmodSync(path, 0o777)
      for (const file of Fs.readdirSync(path)) Fs.chmodSync(Path.join(path, file), 0o666)
      Fs.chmodSync(find(path, /^MANIFEST/), 0)
      const reason = yield* Effect.scoped(Effect.andThen(asOrdinaryUser, reasonOf(use(path, () => Effect.void))))
      assert.strictEqual(reason._tag, "IOError")
    })
  )

  it.effect.each<readonly [string, Partial<RocksDB.Options>]>([
    ["path", { path: "" }],
    ["NUL", { path: "a\0b" }],
    ["writeBufferSize", { writeBufferSize: 0 }],
    ["blockCacheSize", { blockCacheSize: "much" as unknown as number }],
    ["bloomBitsPerKey", { bloomBitsPerKey: -1 }],
    ["maxOpenFiles", { maxOpenFiles: -2 }],
    ["durability", { durability: "never" as unknown as RocksDB.Durability }],
    ["shutdownDeadline", { shutdownDeadline: "soon" as unknown as number }]
  ])("an impossible %s is refused by name", ([option, options]) =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      const reason = yield* reasonOf(use(path, () => Effect.void, options))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.include(reason.message, option)
      assert.isFalse(Fs.existsSync(path))
    })
  )

  it.effect("the path of the service has no symbolic links", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      Fs.mkdirSync(Path.join(parent, "real"))
      Fs.symlinkSync(Path.join(parent, "real"), Path.join(parent, "link"))
      const path = yield* use(Path.join(parent, "link"), (database) => Effect.succeed(database.path))
      assert.strictEqual(path, Path.join(parent, "real"))
    })
  )
}

const readOnly = (it: It) => {
  it.effect("every read works", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use(path, (database) => database.write(["a=1", "b=2"].map(put)))
      yield* use(
        path,
        (database) =>
          Effect.gen(function* () {
            assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
            assert.deepStrictEqual((yield* database.getMany([bytes("b")])).map(text), ["2"])
            assert.strictEqual(text((yield* database.first())?.key), "a")
            assert.strictEqual(text((yield* database.last())?.key), "b")
            assert.deepStrictEqual(yield* entriesOf(database), ["a=1", "b=2"])
            assert.isDefined(yield* database.property("rocksdb.estimate-num-keys"))
            yield* database.syncWal
          }),
        { readOnly: true }
      )
    })
  )

  it.effect("every write answers ReadOnly", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use(path, (database) => database.put(bytes("a"), bytes("1")))
      yield* use(
        path,
        (database) =>
          Effect.gen(function* () {
            const key = bytes("b")
            assert.strictEqual(yield* tagOf(database.put(key, key)), "ReadOnly")
            assert.strictEqual(yield* tagOf(database.remove(bytes("a"))), "ReadOnly")
            assert.strictEqual(yield* tagOf(database.write([removeRange("a", "z")])), "ReadOnly")
            assert.strictEqual(yield* tagOf(database.compact()), "ReadOnly")
            assert.deepStrictEqual(yield* entriesOf(database), ["a=1"])
          }),
        { readOnly: true }
      )
    })
  )

  it.effect("the directory stays as it was, byte for byte", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use(path, (database) => database.write(many("a", 100).map(put)))
      const before = contents(path)
      yield* use(path, (database) => entriesOf(database), { readOnly: true })
      assert.deepStrictEqual(contents(path), before)
    })
  )

  it.effect("it opens beside a live writer, sees what was acknowledged, and does not disturb", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use(path, (writer) =>
        Effect.gen(function* () {
          yield* writer.put(bytes("a"), bytes("1"))
          const before = contents(path)
          const seen = yield* use(path, (reader) => entriesOf(reader), { readOnly: true })
          assert.deepStrictEqual(seen, ["a=1"])
          assert.deepStrictEqual(contents(path), before)
          yield* writer.put(bytes("b"), bytes("2"))
          assert.deepStrictEqual(yield* entriesOf(writer), ["a=1", "b=2"])
        })
      )
    })
  )

  it.effect("it works without the permission to write", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use(path, (database) => database.put(bytes("a"), bytes("1")))
      for (const file of Fs.readdirSync(path)) Fs.chmodSync(Path.join(path, file), 0o444)
      Fs.chmodSync(path, 0o555)
      const seen = yield* Effect.scoped(
        Effect.andThen(
          asOrdinaryUser,
          use(path, (database) => entriesOf(database), { readOnly: true })
        )
      )
      assert.deepStrictEqual(seen, ["a=1"])
    })
  )

  it.effect("a missing database is MissingDatabase, and is not created", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const path = Path.join(parent, "missing")
      assert.strictEqual(yield* tagOf(use(path, () => Effect.void, { readOnly: true })), "MissingDatabase")
      assert.strictEqual(yield* tagOf(use(parent, () => Effect.void, { readOnly: true })), "MissingDatabase")
      assert.deepStrictEqual(Fs.readdirSync(parent), [])
    })
  )
}

const locks = (it: It) => {
  it.effect("a second open answers Locked, the first goes on, and after it the directory is free", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use(path, (database) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(use(path, () => Effect.void))
          assert.strictEqual(error.reason._tag, "Locked")
          assert.isTrue(error.isRetryable)
          yield* database.put(bytes("a"), bytes("1"))
        })
      )
      assert.deepStrictEqual(yield* use(path, (database) => entriesOf(database)), ["a=1"])
    })
  )

  it.effect("a second open through a symbolic link answers Locked", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const path = Path.join(parent, "real")
      const link = Path.join(parent, "link")
      yield* use(path, () =>
        Effect.gen(function* () {
          Fs.symlinkSync(path, link)
          assert.strictEqual(yield* tagOf(use(link, () => Effect.void)), "Locked")
          assert.strictEqual(yield* tagOf(use(`${parent}/./real/`, () => Effect.void)), "Locked")
        })
      )
    })
  )

  it.effect("another process keeps the directory until it is killed, and leaves no lock behind", () =>
    Effect.gen(function* () {
      const { name } = yield* Engine.Engine
      const path = yield* temporaryDirectory
      const child = yield* Program.start("hold", name, path)
      yield* child.line("held")
      assert.strictEqual(yield* tagOf(use(path, () => Effect.void)), "Locked")
      yield* child.kill("SIGKILL")
      assert.strictEqual((yield* child.ended).signal, "SIGKILL")
      assert.deepStrictEqual(yield* use(path, (database) => entriesOf(database)), ["held=by a child"])
    })
  )
}

/** A closed database whose thousand entries are in an SST file of many blocks. */
const onDisk = Effect.gen(function* () {
  const path = yield* temporaryDirectory
  yield* use(path, (database) =>
    Effect.andThen(
      database.write(Array.from({ length: 1000 }, (_, index) => put(`${numbered("a", index)}=${valueOf(index)}`))),
      database.compact()
    )
  )
  return path
})

/** Long, and hard to compress. */
const valueOf = (index: number): string =>
  Array.from({ length: 16 }, (_, part) => ((index + 1) * (part + 7) * 2_654_435_761).toString(36)).join("")

const everyRead = (database: Database) =>
  Effect.andThen(
    database.getMany(Array.from({ length: 1000 }, (_, index) => bytes(numbered("a", index)))),
    Stream.runDrain(database.stream())
  )

const damage = (it: It) => {
  it.effect.each<readonly [string, (path: string) => void]>([
    ["an empty CURRENT", (path) => Fs.truncateSync(find(path, /^CURRENT$/), 0)],
    ["garbage in CURRENT", (path) => Fs.writeFileSync(find(path, /^CURRENT$/), "garbage\n")],
    ["a CURRENT that names no file", (path) => Fs.writeFileSync(find(path, /^CURRENT$/), "MANIFEST-999999\n")],
    ["a missing MANIFEST", (path) => Fs.rmSync(find(path, /^MANIFEST/))],
    ["an empty MANIFEST", (path) => Fs.truncateSync(find(path, /^MANIFEST/), 0)],
    ["a flipped MANIFEST", (path) => flip(find(path, /^MANIFEST/), 0, 100)],
    ["a truncated SST file", (path) => Fs.truncateSync(find(path, /\.sst$/), 1000)],
    ["an empty SST file", (path) => Fs.truncateSync(find(path, /\.sst$/), 0)],
    ["an SST file with a flipped footer", (path) => flip(find(path, /\.sst$/), 0.999, 1000)]
  ])("%s is Corruption, and not created anew", ([, harm]) =>
    Effect.gen(function* () {
      const path = yield* onDisk
      harm(path)
      const reason = yield* reasonOf(use(path, everyRead))
      assert.strictEqual(reason._tag, "Corruption")
      assert.include(reason.message, path)
      assert.strictEqual(yield* tagOf(use(path, everyRead)), "Corruption")
    })
  )

  it.effect("a flipped byte in a block is Corruption for its keys alone, and the database closes", () =>
    Effect.gen(function* () {
      const path = yield* onDisk
      flip(find(path, /\.sst$/), 0.5, 1)
      const outcomes = yield* use(path, (database) =>
        Effect.forEach(
          Array.from({ length: 1000 }, (_, index) => index),
          (index) =>
            Effect.match(database.get(bytes(numbered("a", index))), {
              onFailure: ({ reason }) => reason._tag,
              onSuccess: (value) => (text(value) === valueOf(index) ? "right" : "wrong")
            })
        )
      )
      const count = (outcome: string) => outcomes.filter((found) => found === outcome).length
      assert.strictEqual(count("wrong"), 0)
      assert.isAbove(count("Corruption"), 0)
      assert.isAbove(count("right"), 800)
      assert.strictEqual(count("right") + count("Corruption"), 1000)
    })
  )

  it.effect("a database whose open failed can be opened once it is mended", () =>
    Effect.gen(function* () {
      const path = yield* onDisk
      const current = find(path, /^CURRENT$/)
      const whole = Fs.readFileSync(current)
      Fs.writeFileSync(current, "garbage\n")
      assert.strictEqual(yield* tagOf(use(path, () => Effect.void)), "Corruption")
      Fs.writeFileSync(current, whole)
      yield* use(path, everyRead)
    })
  )
}

const engineMarker = (it: It) => {
  /** The same engine under another name. */
  const other = Layer.effect(
    Engine.Engine,
    Effect.map(Engine.Engine, ({ open }) => Engine.Engine.of({ name: "another-engine", open }))
  )

  it.effect("another engine is refused, and the directory stays as it was", () =>
    Effect.gen(function* () {
      const { name } = yield* Engine.Engine
      const path = yield* temporaryDirectory
      yield* use(path, (database) => database.put(bytes("a"), bytes("1")))
      const before = contents(path)
      for (const options of [{}, { readOnly: true }]) {
        const reason = yield* reasonOf(
          Effect.provide(
            use(path, () => Effect.void, options),
            other
          )
        )
        assert.strictEqual(reason._tag, "UnsupportedFormat")
        assert.include(reason.message, name)
        assert.include(reason.message, "another-engine")
      }
      assert.deepStrictEqual(contents(path), before)
      assert.deepStrictEqual(yield* use(path, (database) => entriesOf(database)), ["a=1"])
    })
  )

  it.effect("a database that another program wrote is adopted when it is opened, but not when it is only read", () =>
    Effect.gen(function* () {
      const { name } = yield* Engine.Engine
      const path = yield* temporaryDirectory
      yield* use(path, (database) => database.put(bytes("a"), bytes("1")))
      const marker = Path.join(path, "ENGINE")
      Fs.rmSync(marker)
      assert.deepStrictEqual(yield* use(path, (database) => entriesOf(database), { readOnly: true }), ["a=1"])
      assert.isFalse(Fs.existsSync(marker))
      assert.deepStrictEqual(yield* use(path, (database) => entriesOf(database)), ["a=1"])
      assert.strictEqual(Fs.readFileSync(marker, "utf8"), `${name}\n`)
    })
  )

  it.effect("a directory that was made but never opened belongs to its first engine", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      Fs.writeFileSync(Path.join(path, "ENGINE"), "another-engine\n")
      assert.strictEqual(yield* tagOf(use(path, () => Effect.void)), "UnsupportedFormat")
      assert.deepStrictEqual(Fs.readdirSync(path), ["ENGINE"])
    })
  )
}

const model = (it: It) => {
  it.effect.prop(
    "any history of operations and reopenings reads as it does in a sorted map",
    { steps: Schema.Array(Model.Step).check(Schema.isMinLength(1), Schema.isMaxLength(40)) },
    ({ steps }) => Effect.scoped(Effect.flatMap(temporaryDirectory, (path) => Model.run(steps, (f) => use(path, f)))),
    { arbitrary: { runs: 40 } }
  )
}
