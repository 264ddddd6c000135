/**
 * What may be passed to an operation, and when it counts: `suite(name, layer)`
 * runs it for one engine. Plain JavaScript can pass anything; nothing of it may
 * throw, and nothing that makes no sense may be done.
 */
import { assert, describe, it, type Vitest } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import type { Layer, Scope } from "effect"
import { MessageChannel } from "node:worker_threads"
import { runInNewContext } from "node:vm"
import { type Engine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { bytes, pair, put, text } from "../bytes.ts"
import { temporaryDirectory } from "../directory.ts"
import { reasonOf, tagOf } from "../failure.ts"

type Database = RocksDB.RocksDB["Service"]
type It = Vitest.MethodsNonLive<Engine.Engine>

/** Declares the tests of an engine. */
export const suite = (name: string, layer: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError>): void => {
  it.layer(layer)(`arguments of ${name}`, (it) => {
    describe("whatever is passed", () => anything(it))
    describe("the moment at which they count", () => moment(it))
    describe("memory that goes away", () => memory(it))
    describe("other memory", () => otherMemory(it))
  })
}

/** Opens a database in a new directory, with an entry `a=1`. */
const open: Effect.Effect<Database, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> = Effect.flatMap(
  temporaryDirectory,
  (path) =>
    Effect.tap(RocksDB.make({ path, durability: "buffered" }), (database) => database.put(bytes("a"), bytes("1")))
)

const entriesOf = (database: Database) =>
  Effect.map(Stream.runCollect(database.stream()), (entries) => entries.map(pair))

/** Stands for plain JavaScript, which has no types. */
const untyped = (value: unknown): never => value as never

/** What is no bytes, by what it is. */
const noBytes: Record<string, unknown> = {
  null: null,
  "a number": 5,
  "a bigint": 5n,
  "a symbol": Symbol("key"),
  text: "text",
  "a function": () => bytes("a"),
  "a DataView": new DataView(new ArrayBuffer(1)),
  "two-byte numbers": new Uint16Array(1),
  "clamped bytes": new Uint8ClampedArray(1),
  "a proxy of bytes": new Proxy(bytes("a"), {}),
  "a revoked proxy": revoked(),
  "an object that inherits from bytes": Object.create(Uint8Array.prototype),
  "an object that calls itself bytes": { [Symbol.toStringTag]: "Uint8Array", length: 1, 0: 97 },
  "an object that cannot be named": throwing(Symbol.toStringTag),
  "bytes in a list": [bytes("a")],
  "a view of another realm that is no bytes": runInNewContext("new DataView(new ArrayBuffer(1))")
}

/** What is no object of options, or of bounds. */
const noOptions: Record<string, unknown> = {
  null: null,
  "a number": 5,
  "a symbol": Symbol("options"),
  text: "sync",
  true: true,
  "a function": () => ({}),
  bytes: bytes("a"),
  "a list": [bytes("a")],
  "a revoked proxy": revoked()
}

/** What is no list. */
const noList: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  text: "keys",
  bytes: bytes("a"),
  "an object with a length": { length: 1, 0: bytes("a") },
  "a set": new Set([bytes("a")]),
  "a revoked proxy": revoked(),
  "a list with a hole": holed(),
  "a list whose element cannot be read": Object.defineProperty([bytes("a")], 0, { get: fail })
}

/** Each way of passing something where it does not belong. */
const misuses: ReadonlyArray<
  readonly [
    string,
    (database: Database, wrong: never) => ReadonlyArray<Effect.Effect<unknown, RocksDBError.RocksDBError>>,
    Record<string, unknown>
  ]
> = [
  [
    "a key",
    (database, key) => [
      database.get(key),
      database.getMany([bytes("a"), key]),
      database.put(key, bytes("2")),
      database.remove(key),
      database.write([put("b=2"), { type: "put", key, value: bytes("2") }]),
      database.write([put("b=2"), { type: "remove", key }])
    ],
    noBytes
  ],
  [
    "a value",
    (database, value) => [
      database.put(bytes("a"), value),
      database.write([put("b=2"), { type: "put", key: bytes("a"), value }])
    ],
    noBytes
  ],
  [
    "a bound",
    (database, bound) => [
      database.first({ gt: bound }),
      database.last({ lte: bound }),
      database.compact({ gte: bound }),
      Stream.runDrain(database.stream({ lt: bound })),
      database.write([put("b=2"), { type: "removeRange", gte: bound, lt: bytes("z") }]),
      database.write([put("b=2"), { type: "removeRange", gte: bytes("a"), lt: bound }])
    ],
    noBytes
  ],
  [
    "a range",
    (database, range) => [
      database.first(range),
      database.last(range),
      database.compact(range),
      Stream.runDrain(database.stream(range))
    ],
    {
      ...noOptions,
      "bounds that cannot be read": throwing("gt"),
      "bounds that throw what cannot be read": throwing("gt", revoked())
    }
  ],
  [
    "the options of a write",
    (database, options) => [
      database.put(bytes("b"), bytes("2"), options),
      database.remove(bytes("a"), options),
      database.write([put("b=2")], options)
    ],
    {
      ...noOptions,
      "no durability": { durability: null },
      "a durability that cannot be read": throwing("durability"),
      "a durability that throws what cannot be read": throwing("durability", revoked())
    }
  ],
  [
    "the options of a stream",
    (database, options) => [Stream.runDrain(database.stream(undefined, options))],
    {
      ...noOptions,
      "no limit": { limit: null },
      "a limit in words": { limit: "5" },
      "a limit that is no number": { limit: Number.NaN },
      "a limit that is a bigint": { limit: 5n },
      "a direction in words": { reverse: "true" },
      "no keysOnly": { keysOnly: null },
      "a limit that cannot be read": throwing("limit"),
      "a limit that throws what cannot be read": throwing("limit", throwing("_tag"))
    }
  ],
  ["the keys", (database, keys) => [database.getMany(keys)], noList],
  [
    "the operations",
    (database, operations) => [database.write(operations)],
    {
      ...noList,
      "a list of nothing": [null],
      "a list of texts": ["put"],
      "a list of bytes": [bytes("a")],
      "an operation that is not known": [{ type: "merge", key: bytes("a"), value: bytes("2") }],
      "an operation whose type is an object": [{ type: new String("remove"), key: bytes("a") }],
      "an operation that cannot be read": [throwing("type")],
      "an operation that throws what cannot be read": [throwing("type", revoked())],
      "a value that cannot be read": [Object.assign(throwing("value"), { type: "put", key: bytes("a") })]
    }
  ],
  [
    "the name of a property",
    (database, name) => [database.property(name)],
    {
      undefined: undefined,
      null: null,
      "a symbol": Symbol("name"),
      "a text with a NUL": "rocksdb.stats\0",
      // RocksDB makes an int of it that is below 0, and reads what is there.
      "a level above 2^31-1": "rocksdb.num-files-at-level2147483648",
      "a level above 2^32-1": "rocksdb.num-files-at-level4294967295",
      "a level of many digits": `rocksdb.num-files-at-level${"9".repeat(400)}`,
      "a revoked proxy": revoked()
    }
  ]
]

const anything = (it: It) => {
  for (const [what, use, wrongs] of misuses) {
    it.effect.each(Object.entries(wrongs))(`as ${what}: %s is refused, and nothing is written`, ([, wrong]) =>
      Effect.gen(function* () {
        const database = yield* open
        for (const act of use(database, untyped(wrong))) {
          const reason = yield* reasonOf(act)
          assert.strictEqual(reason._tag, "InvalidArgument")
          assert.match(reason.message, /must|cannot be read/)
          assert.notInclude(reason.message, "must be a Uint8Array, not Uint8Array")
        }
        assert.deepStrictEqual(yield* entriesOf(database), ["a=1"])
      })
    )
  }

  it.effect("bytes of another realm are bytes", () =>
    Effect.gen(function* () {
      const database = yield* open
      const key: Uint8Array = runInNewContext("Uint8Array.of(98)")
      const value: Uint8Array = runInNewContext("Uint8Array.of(50)")
      assert.isFalse(key instanceof Uint8Array)
      yield* database.write(runInNewContext("(key, value) => [{ type: 'put', key, value }]")(key, value))
      assert.strictEqual(text(yield* database.get(key)), "2")
      assert.deepStrictEqual((yield* database.getMany(runInNewContext("(key) => [key]")(key))).map(text), ["2"])
      assert.strictEqual(text((yield* database.first({ gte: key }))?.key), "b")
      yield* database.write([
        { type: "removeRange", gte: key, lt: value },
        { type: "removeRange", gte: value, lt: key }
      ])
      assert.deepStrictEqual(yield* entriesOf(database), ["b=2"])
    })
  )

  it.effect("a refusal says which one of many it was", () =>
    Effect.gen(function* () {
      const database = yield* open
      const keys = [bytes("a"), bytes("b"), untyped("c")]
      assert.include((yield* reasonOf(database.getMany(keys))).message, 'key 2: the key must be a Uint8Array, not "c"')
      const batch = [put("b=2"), { type: "put" as const, key: bytes("c"), value: untyped(undefined) }]
      assert.include((yield* reasonOf(database.write(batch))).message, "operation 1: the value must be a Uint8Array")
    })
  )

  it.effect("a database that has closed answers Closed, whatever is passed", () =>
    Effect.gen(function* () {
      const database = yield* Effect.scoped(open)
      const wrong = untyped(null)
      for (const [, use] of misuses) {
        for (const act of use(database, wrong)) assert.strictEqual(yield* tagOf(act), "Closed")
      }
    })
  )
}

const moment = (it: It) => {
  it.effect("a batch is what its list holds when it runs, each time", () =>
    Effect.gen(function* () {
      const database = yield* open
      const pending: Array<RocksDB.Operation> = []
      const flush = database.write(pending)
      yield* flush
      pending.push({ type: "removeRange", gte: bytes("a"), lt: bytes("a") })
      pending.push(put("b=2"))
      yield* flush
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1", "b=2"])
      pending.length = 0
      pending.push({ type: "remove", key: bytes("a") })
      yield* flush
      assert.deepStrictEqual(yield* entriesOf(database), ["b=2"])
    })
  )

  it.effect("what comes into the list of a batch later is checked, too", () =>
    Effect.gen(function* () {
      const database = yield* open
      const pending: Array<RocksDB.Operation> = []
      const flush = database.write(pending)
      pending.push(put("b=2"), untyped({ type: "put", key: "c", value: bytes("3") }))
      assert.strictEqual(yield* tagOf(flush), "InvalidArgument")
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1"])
    })
  )

  it.effect("a range that is upside down when the batch runs removes nothing, and later writes go on", () =>
    Effect.gen(function* () {
      const database = yield* open
      const range = { type: "removeRange" as const, gte: bytes("a"), lt: bytes("z") }
      const pending: Array<RocksDB.Operation> = [range]
      const flush = database.write(pending)
      range.gte.set(bytes("z"))
      range.lt.set(bytes("a"))
      yield* flush
      yield* database.put(bytes("b"), bytes("2"))
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1", "b=2"])
    })
  )

  it.effect("a range that is turned upside down while its write is under way is what it was", () =>
    Effect.gen(function* () {
      const database = yield* open
      const range = { type: "removeRange" as const, gte: bytes("a"), lt: bytes("b") }
      const pending: Array<RocksDB.Operation> = [range]
      const writing = yield* started(database.write(pending))
      range.gte.set(bytes("z"))
      Object.assign(range, { gte: bytes("y") })
      pending.push({ type: "removeRange", gte: bytes("z"), lt: bytes("a") })
      yield* Fiber.join(writing)
      assert.deepStrictEqual(yield* entriesOf(database), [])
      yield* database.put(bytes("b"), bytes("2"))
    })
  )

  it.effect("what a getter answers is asked for once", () =>
    Effect.gen(function* () {
      const database = yield* open
      const bounds = [bytes("b"), bytes("c")]
      const range = { type: "removeRange" as const, gte: bytes("a"), lt: bytes("b") }
      Object.defineProperty(range, "gte", { get: () => bounds.pop() })
      yield* database.write([range])
      assert.lengthOf(bounds, 1)
      yield* database.put(bytes("b"), bytes("2"))
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1", "b=2"])
    })
  )

  it.effect("the keys of a getMany are what their list holds when it runs", () =>
    Effect.gen(function* () {
      const database = yield* open
      const keys = [bytes("x")]
      const read = database.getMany(keys)
      keys[0] = bytes("a")
      const reading = yield* started(read)
      keys.push(untyped("b"))
      assert.deepStrictEqual((yield* Fiber.join(reading)).map(text), ["1"])
      assert.strictEqual(yield* tagOf(read), "InvalidArgument")
    })
  )

  it.effect("ranges and options are what they are when the effect runs", () =>
    Effect.gen(function* () {
      const database = yield* open
      yield* database.put(bytes("b"), bytes("2"))
      const range: { gte?: Uint8Array } = {}
      const options: { reverse?: boolean; limit?: number } = {}
      const stream = Stream.runCollect(database.stream(range, options))
      const first = database.first(range)
      range.gte = bytes("b")
      assert.deepStrictEqual((yield* stream).map(pair), ["b=2"])
      assert.strictEqual(text((yield* first)?.key), "b")
      delete range.gte
      options.limit = 1
      options.reverse = true
      assert.deepStrictEqual((yield* stream).map(pair), ["b=2"])
      options.limit = -1
      assert.strictEqual(yield* tagOf(stream), "InvalidArgument")
      range.gte = untyped("b")
      assert.strictEqual(yield* tagOf(first), "InvalidArgument")
    })
  )

  it.effect("the bounds of a stream may change once it has begun", () =>
    Effect.gen(function* () {
      const database = yield* open
      const range = { gte: bytes("a"), lt: bytes("b") }
      const entries = yield* Stream.runCollect(
        Stream.tap(database.stream(range), () => Effect.sync(() => range.lt.fill(0)))
      )
      assert.deepStrictEqual(entries.map(pair), ["a=1"])
      const reading = yield* started(database.last({ lte: range.gte }))
      range.gte.fill(0)
      assert.strictEqual(text((yield* Fiber.join(reading))?.key), "a")
    })
  )
}

const memory = (it: It) => {
  const gone: Record<string, (contents: string) => Uint8Array> = {
    transferred: (contents) => {
      const view = bytes(contents)
      transfer(view)
      return view
    },
    "resized away": (contents) => {
      const view = new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 }), 2, 1)
      view.set(bytes(contents))
      if (view.buffer instanceof ArrayBuffer) view.buffer.resize(0)
      return view
    },
    "resized away from under a view without a length": (contents) => {
      const buffer = new ArrayBuffer(4, { maxByteLength: 8 })
      const view = new Uint8Array(buffer, 2)
      view.set(bytes(contents))
      buffer.resize(1)
      return view
    }
  }

  it.effect.each(Object.entries(gone))("that was %s is refused, and nothing is written", ([, take]) =>
    Effect.gen(function* () {
      const database = yield* open
      const lost = take("a")
      const acts: ReadonlyArray<Effect.Effect<unknown, RocksDBError.RocksDBError>> = [
        database.get(lost),
        database.getMany([bytes("a"), lost]),
        database.put(bytes("a"), lost),
        database.put(lost, bytes("2")),
        database.remove(lost),
        database.write([put("b=2"), { type: "removeRange", gte: bytes("a"), lt: lost }]),
        database.first({ gt: lost }),
        database.compact({ lt: lost }),
        Stream.runDrain(database.stream({ lte: lost }))
      ]
      for (const act of acts) {
        const reason = yield* reasonOf(act)
        assert.strictEqual(reason._tag, "InvalidArgument")
        assert.include(reason.message, "their memory was transferred, or resized away")
      }
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1"])
    })
  )

  it.effect("that is transferred between the making of an effect and its run is refused", () =>
    Effect.gen(function* () {
      const database = yield* open
      const value = bytes("2")
      const write = database.put(bytes("a"), value)
      transfer(value)
      assert.strictEqual(yield* tagOf(write), "InvalidArgument")
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1"])
    })
  )

  it.effect("that is transferred before native code has it is refused, and not written as empty", () =>
    Effect.gen(function* () {
      const database = yield* open
      for (const [key, value] of [
        [bytes("a"), bytes("2")],
        [bytes("b"), bytes("2")]
      ] as const) {
        const writing = yield* started(database.put(key, value))
        transfer(key[0] === 97 ? value : key)
        const reason = yield* reasonOf(Fiber.join(writing))
        assert.strictEqual(reason._tag, "InvalidArgument")
        assert.strictEqual(reason.operation, "put")
        assert.match(reason.message, /^put: the memory /)
      }
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1"])
      yield* database.put(bytes("a"), bytes("3"))
    })
  )
}

const otherMemory = (it: It) => {
  it.effect("that is resized while the operation is under way is what it was when it began", () =>
    Effect.gen(function* () {
      const database = yield* open
      const buffer = new ArrayBuffer(4, { maxByteLength: 8 })
      const key = new Uint8Array(buffer, 0, 1)
      const value = new Uint8Array(buffer, 1)
      new Uint8Array(buffer).set(bytes("b234"))
      const writing = yield* started(database.put(key, value))
      buffer.resize(0)
      yield* Fiber.join(writing)
      buffer.resize(1)
      key.set(bytes("b"))
      const reading = yield* started(database.getMany([key]))
      buffer.resize(0)
      assert.deepStrictEqual((yield* Fiber.join(reading)).map(text), ["234"])
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1", "b=234"])
    })
  )

  it.effect("that is shared between threads is stored as it is when it is written", () =>
    Effect.gen(function* () {
      const database = yield* open
      const shared = new Uint8Array(new SharedArrayBuffer(3), 1)
      shared.set(bytes("bc"))
      yield* database.put(shared, shared)
      assert.deepStrictEqual((yield* database.getMany([shared])).map(text), ["bc"])
      assert.deepStrictEqual(text((yield* database.last({ lte: shared }))?.key), "bc")
      yield* database.write([{ type: "removeRange", gte: bytes("a"), lt: shared }])
      assert.deepStrictEqual(yield* entriesOf(database), ["bc=bc"])
    })
  )

  it.effect("that can be resized counts as long as it is when the effect runs", () =>
    Effect.gen(function* () {
      const database = yield* open
      const buffer = new ArrayBuffer(1, { maxByteLength: 8 })
      const view = new Uint8Array(buffer)
      const write = database.put(bytes("b"), view)
      buffer.resize(2)
      view.set(bytes("23"))
      yield* write
      buffer.resize(1)
      yield* database.put(bytes("c"), view)
      buffer.resize(0)
      yield* database.put(bytes("d"), view)
      assert.strictEqual(yield* tagOf(database.get(view)), "InvalidArgument")
      assert.deepStrictEqual(yield* entriesOf(database), ["a=1", "b=23", "c=2", "d="])
    })
  )
}

/** Runs an effect up to where it waits for native code, or for what comes before. */
const started = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.forkChild(self, { startImmediately: true })

/** Sends the memory of a view to another thread, so that the view has none any more. */
const transfer = (view: Uint8Array): void => {
  const { port1, port2 } = new MessageChannel()
  port1.postMessage(view, [untyped(view.buffer)])
  assert.strictEqual(view.length, 0)
  port1.close()
  port2.close()
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function holed(): ReadonlyArray<unknown> {
  const list: Array<unknown> = [bytes("a")]
  list[2] = bytes("a")
  return list
}

/** An object with a property that throws something when it is read. */
function throwing(property: PropertyKey, cause: unknown = new Error("not for you")): object {
  const get = () => {
    throw cause
  }
  return Object.defineProperty({}, property, { get, enumerable: true })
}

function fail(): never {
  throw new Error("not for you")
}
