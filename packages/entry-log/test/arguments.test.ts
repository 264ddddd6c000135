/**
 * What is refused before anything of a call is done, by a message that says
 * what is wrong; and that arguments are read once, when the effect runs.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { isArrayBuffer } from "node:util/types"
import { runInNewContext } from "node:vm"
import { MessageChannel } from "node:worker_threads"
import { EntryId, EntryLog, LedgerId } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { bytes, entry, entryBytes, reasonOf, tagOf, using } from "./support.ts"

/** What plain JavaScript takes for an error of this package. */
const forgedError = { _tag: "EntryLogError", reason: { _tag: "Closed" } }

const ledgerId = LedgerId.make(1n)
const entryId = EntryId.make(2n)

describe("an option", () => {
  it.effect.each<readonly [options: unknown, words: ReadonlyArray<string>]>([
    [undefined, ["directory", "undefined"]],
    [null, ["directory", "undefined"]],
    [{}, ["directory", "undefined"]],
    [{ directory: "" }, ["directory", '""']],
    [{ directory: "a\0b" }, ["directory", "NUL"]],
    [{ directory: "file:///logs" }, ["directory", '"file:///logs"', "fileURLToPath"]],
    [{ directory: 7 }, ["directory", "7"]],
    [{ directory: ["a"] }, ["directory", "Array"]],
    [{ directory: Symbol("a") }, ["directory", "Symbol(a)"]],
    [{ directory: "x", maxLogSize: 1043 }, ["maxLogSize", "1043", "from 1044"]],
    [{ directory: "x", maxLogSize: "2 GiB" }, ["maxLogSize", '"2 GiB"', "2 GiB - 1"]],
    [{ directory: "x", maxLogSize: -1 }, ["maxLogSize", "-1"]],
    [{ directory: "x", maxLogSize: 0 }, ["maxLogSize", "not 0"]],
    [{ directory: "x", maxLogSize: 5000.5 }, ["maxLogSize", "5000.5", "whole"]],
    [{ directory: "x", maxLogSize: "5000.5 bytes" }, ["maxLogSize", '"5000.5 bytes"']],
    [{ directory: "x", maxLogSize: "many" }, ["maxLogSize", '"many"']],
    [{ directory: "x", maxLogSize: null }, ["maxLogSize", "null"]],
    [{ directory: "x", maxLogSize: Number.NaN }, ["maxLogSize", "NaN"]],
    [{ directory: "x", maxLogSize: Number.POSITIVE_INFINITY }, ["maxLogSize", "Infinity"]],
    [{ directory: "x", maxEntrySize: 15 }, ["maxEntrySize", "15", "from 16"]],
    [{ directory: "x", maxEntrySize: 0n }, ["maxEntrySize", "0n"]],
    [{ directory: "x", maxEntrySize: Number.NaN }, ["maxEntrySize", "NaN"]],
    [{ directory: "x", maxEntrySize: "3 GiB" }, ["maxEntrySize", '"3 GiB"']],
    [{ directory: "x", maxEntrySize: 2n ** 70n }, ["maxEntrySize", String(2n ** 70n)]],
    [{ directory: "x", maxEntrySize: {} }, ["maxEntrySize", "Object"]],
    [{ directory: "x", maxEntrySize: false }, ["maxEntrySize", "false"]],
    [{ directory: "x", readOnly: "false" }, ["readOnly", '"false"']],
    [{ directory: "x", readOnly: 0 }, ["readOnly", "not 0"]],
    [{ directory: "x", readOnly: null }, ["readOnly", "null"]]
  ])("of %o is refused, and named with its value", ([options, words]) =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(Effect.scoped(makeUnchecked(options)))
      assert.strictEqual(reason._tag, "InvalidArgument")
      for (const word of words) assert.include(reason.message, word)
      assert.isFalse(Fs.existsSync("x"))
    })
  )

  it.effect.each<readonly [what: string, value: unknown]>([
    ["a text", "x".repeat(100_000)],
    ["a bigint of many digits", 2n ** 100_000n],
    ["a symbol", Symbol("x".repeat(100_000))],
    ["an object with a long name", { [Symbol.toStringTag]: "x".repeat(100_000) }],
    ["an object that cannot be named", throwing(Symbol.toStringTag)]
  ])("is refused in few words where it is %s", ([, value]) =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(Effect.scoped(makeUnchecked({ directory: "x", maxLogSize: value })))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.include(reason.message, "maxLogSize must be")
      assert.isBelow(reason.message.length, 200)
    })
  )

  it.effect.each<readonly [what: string, options: unknown]>([
    ["that throws", throwing("maxLogSize")],
    ["that throws what cannot be read", throwing("directory", revokedProxy())],
    ["of a Proxy that was revoked", revokedProxy()]
  ])("%s is refused", ([, options]) =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(Effect.scoped(makeUnchecked(options)))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.include(reason.message, "cannot be read")
    })
  )

  it.effect("at its limit is accepted", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 1044, maxEntrySize: 16 }, (log) => log.appendAll([entry(1n, 1n)]))
      yield* using({ directory, maxLogSize: 2 ** 31 - 1, maxEntrySize: 2 ** 31 - 1 }, (log) =>
        log.appendAll([entry(1n, 2n)])
      )
      assert.deepStrictEqual(Fs.readFileSync(Path.join(directory, "0.log")).subarray(1024), entryBytes(entry(1n, 1n)))
    })
  )

  it.effect("is read when the entry log is made, not when the effect is", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const options = { directory: "" }
      const make = EntryLog.make(options)
      options.directory = directory
      assert.strictEqual((yield* make).directory, directory)
    })
  )
})

describe("an append refuses, and does nothing for,", () => {
  it.effect.each<readonly [what: string, args: ReadonlyArray<unknown>, words: string]>([
    ["a ledger id below 0", [-1n, 0n, bytes(1)], "ledger id"],
    ["an entry id above 2^63-1", [0n, 2n ** 63n, bytes(1)], "entry id"],
    ["an id that is a number", [1, 0n, bytes(1)], "not the number 1"],
    ["an id that is missing", [0n, undefined, bytes(1)], "not undefined"],
    ["a text", [0n, 0n, "text"], 'not "text"'],
    ["no payload", [0n, 0n, undefined], "not undefined"],
    ["null", [0n, 0n, null], "not null"],
    ["an array of numbers", [0n, 0n, [1, 2]], "not Array"],
    ["16-bit numbers", [0n, 0n, new Uint16Array(2)], "not Uint16Array"],
    ["clamped bytes", [0n, 0n, new Uint8ClampedArray(2)], "not Uint8ClampedArray"],
    ["an ArrayBuffer", [0n, 0n, new ArrayBuffer(2)], "not ArrayBuffer"],
    ["a Proxy of bytes", [0n, 0n, new Proxy(bytes(1), {})], "not Proxy"],
    ["a Proxy that was revoked", [0n, 0n, revokedProxy()], "not Proxy"],
    ["what only has the prototype of bytes", [0n, 0n, Object.create(Uint8Array.prototype)], "not Object"],
    ["bytes that were transferred away", [0n, 0n, transferred(bytes(5))], "transferred away"],
    ["bytes that a resize cut off", [0n, 0n, cutOff()], "transferred away"],
    ["bytes that call themselves shorter", [0n, 0n, withLength(10, 5)], "of its memory, 10, not 5"],
    ["bytes that call themselves longer", [0n, 0n, withLength(10, 2 ** 40)], "of its memory, 10, not 1099511627776"],
    ["bytes whose length is no number", [0n, 0n, withLength(10, "10")], 'of its memory, 10, not "10"'],
    ["bytes whose length cannot be read", [0n, 0n, throwing("length", undefined, bytes(10))], "cannot be read"]
  ])("%s", ([, args, words]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const [ledgerId, entryId, payload] = args
          for (const call of [
            Effect.asVoid(appendUnchecked(log, args)),
            Effect.asVoid(appendAllUnchecked(log, [entry(1n, 1n, "fine"), { ledgerId, entryId, payload }]))
          ]) {
            const reason = yield* reasonOf(call)
            assert.strictEqual(reason._tag, "InvalidArgument")
            assert.include(reason.message, words)
          }
        })
      )
      assert.deepStrictEqual(Fs.readdirSync(directory), ["entry-log.lock"])
    })
  )

  it.effect.each<readonly [what: string, entries: unknown, words: string]>([
    ["no array", undefined, "not undefined"],
    ["an iterable", new Set([entry(1n, 1n)]), "not Set"],
    ["something like an array", { length: 1, 0: entry(1n, 1n) }, "not Object"],
    ["an array with nothing in it at a place", [entry(1n, 1n), undefined], "not undefined"],
    ["an array with a hole", holed(), "not undefined"],
    ["an array with null in it", [null], "not null"],
    ["an array with bytes in it", [1], "not 1"],
    ["an array whose element cannot be read", throwing(0, undefined, [entry(1n, 1n)]), "cannot be read: not for you"],
    ["an entry that cannot be read", [entry(1n, 1n), throwing("payload")], "cannot be read: not for you"],
    ["an entry that throws nothing", [throwing("ledgerId", null)], "cannot be read: null"],
    ["an entry that throws what cannot be read", [throwing("entryId", revokedProxy())], "cannot be read: Proxy"],
    ["an entry that throws as a full disk does", [throwing("payload", { code: "ENOSPC" })], "cannot be read: Object"],
    ["an entry that throws as this package does", [throwing("payload", forgedError)], "cannot be read"],
    ["a Proxy that was revoked", revokedProxy(), "cannot be read"],
    ["an array with a Proxy that was revoked", [revokedProxy()], "cannot be read"]
  ])("%s", ([, entries, words]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const reason = yield* reasonOf(appendAllUnchecked(log, entries))
          assert.strictEqual(reason._tag, "InvalidArgument")
          assert.include(reason.message, words)
        })
      )
      assert.deepStrictEqual(Fs.readdirSync(directory), ["entry-log.lock"])
    })
  )
})

describe("an append takes", () => {
  it.effect("bytes and arrays of another realm, Buffers, and shared bytes", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const foreign: ReadonlyArray<EntryLog.Entry> = runInNewContext(
        "[{ ledgerId: 1n, entryId: 0n, payload: Uint8Array.of(1, 2, 3) }]"
      )
      const shared = new Uint8Array(new SharedArrayBuffer(3))
      shared.set([7, 8, 9])
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* log.appendAll(foreign)
          yield* log.append(ledgerId, EntryId.make(1n), Buffer.from([4, 5, 6]))
          yield* log.append(ledgerId, EntryId.make(2n), shared)
          yield* log.append(ledgerId, EntryId.make(3n), new Uint8Array(0))
          assert.deepStrictEqual(
            (yield* Stream.runCollect(log.scan())).map(({ payload }) => [...payload]),
            [[1, 2, 3], [4, 5, 6], [7, 8, 9], []]
          )
        })
      )
    })
  )

  it.effect("what its array holds when it runs, however often, and not when it was built", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxEntrySize: 1000 }, (log) =>
        Effect.gen(function* () {
          const pending: Array<EntryLog.Entry> = []
          const flush = log.appendAll(pending)
          pending.push(entry(1n, 0n, "first"))
          yield* flush
          pending.push(entry(1n, 1n, bytes(2000)))
          assert.strictEqual(yield* tagOf(flush), "InvalidArgument")
          pending[1] = entry(1n, 1n, "second")
          yield* flush
          assert.deepStrictEqual(
            (yield* Stream.runCollect(log.scan())).map(({ entryId }) => entryId),
            [0n, 0n, 1n]
          )
        })
      )
    })
  )

  it.effect("nothing of what its array and its entries become while it waits", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxEntrySize: 300_000 }, (log) =>
        Effect.gen(function* () {
          const busy = Array.from({ length: 20 }, (_, id) => entry(9n, BigInt(id), bytes(200_000)))
          const first = { ...entry(1n, 0n, "first") }
          const waiting: Array<EntryLog.Entry> = [first, entry(1n, 1n, "second")]
          yield* Effect.all(
            [
              log.appendAll(busy),
              log.appendAll(waiting),
              Effect.sync(() => {
                first.payload = bytes(400_000)
                waiting.push(entry(1n, 2n, bytes(400_000)))
              })
            ],
            { concurrency: "unbounded" }
          )
          const scanned = yield* Stream.runCollect(log.scan())
          assert.deepStrictEqual(
            scanned.slice(busy.length).map(({ payload }) => new TextDecoder().decode(payload)),
            ["first", "second"]
          )
        })
      )
    })
  )

  it.effect.each([
    ["a log is created for it", 0],
    ["others are written", 20]
  ] as const)("no payload that is transferred away while %s", ([, count]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const busy = Array.from({ length: count }, (_, id) => entry(9n, BigInt(id), bytes(200_000)))
          const payload = bytes(100)
          const [, reason] = yield* Effect.all(
            [
              log.appendAll(busy),
              reasonOf(log.append(ledgerId, entryId, payload)),
              Effect.sync(() => void transferred(payload))
            ],
            { concurrency: "unbounded" }
          )
          assert.strictEqual(reason._tag, "InvalidArgument")
          assert.include(reason.message, "100 bytes")
          yield* log.append(ledgerId, entryId, bytes(100))
          const scanned = yield* Stream.runCollect(log.scan())
          assert.deepStrictEqual(scanned.at(-1)?.payload, bytes(100))
          assert.strictEqual(scanned.length, busy.length + 1)
        })
      )
    })
  )
})

describe("an entry whose payload is transferred away while its append waits", () => {
  it.effect("takes the entries of its call with it, and no others", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const payload = bytes(100)
          const lost = [entry(2n, 0n, bytes(10)), entry(2n, 1n, payload), entry(2n, 2n, bytes(10))]
          const [before, reason, after] = yield* Effect.all(
            [
              log.appendAll([entry(1n, 0n, "before")]),
              reasonOf(log.appendAll(lost)),
              log.appendAll([entry(1n, 1n, "after")]),
              Effect.sync(() => void transferred(payload))
            ],
            { concurrency: "unbounded" }
          )
          assert.strictEqual(reason._tag, "InvalidArgument")
          const scanned = yield* Stream.runCollect(log.scan())
          assert.deepStrictEqual(
            scanned.map(({ entryId, ledgerId, location }) => ({ entryId, ledgerId, location })),
            [...before, ...after].map((location, id) => ({ entryId: BigInt(id), ledgerId: 1n, location }))
          )
          assert.deepStrictEqual([...((yield* log.logs)[0]?.ledgers ?? [])], [[1n, 20 + 6 + 20 + 5]])
        })
      )
    })
  )
})

describe("a read refuses", () => {
  it.effect.each<readonly [what: string, args: ReadonlyArray<unknown>]>([
    ["a ledger id that is a number", [1, 2n, 1028n]],
    ["an entry id below 0", [1n, -2n, 1028n]],
    ["a location that is a number", [1n, 2n, 1028]],
    ["a location above 2^63-1", [1n, 2n, 2n ** 63n]],
    ["no location", [1n, 2n]]
  ])("%s", ([, args]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* log.append(ledgerId, entryId, bytes(1))
          const read: ReturnType<typeof log.read> = Reflect.apply(log.read, log, args)
          assert.strictEqual(yield* tagOf(read), "InvalidArgument")
        })
      )
    })
  )
})

describe("a scan refuses", () => {
  it.effect.each<readonly [options: unknown, words: ReadonlyArray<string>]>([
    [null, ["options", "null"]],
    [1, ["options", "1"]],
    [{ fromLog: -1 }, ["fromLog", "-1"]],
    [{ fromLog: 0.5 }, ["fromLog", "0.5"]],
    [{ fromLog: Number.NaN }, ["fromLog", "NaN"]],
    [{ fromLog: 1n }, ["fromLog", "1n"]],
    [{ fromLog: "0" }, ["fromLog", '"0"']],
    [{ fromLog: null }, ["fromLog", "null"]],
    [{ payloads: "false" }, ["payloads", '"false"']]
  ])("the options %o", ([options, words]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const scan: ReturnType<typeof log.scan> = Reflect.apply(log.scan, log, [options])
          const reason = yield* reasonOf(Stream.runDrain(scan))
          assert.strictEqual(reason._tag, "InvalidArgument")
          for (const word of words) assert.include(reason.message, word)
        })
      )
    })
  )

  it.effect.each<readonly [what: string, options: unknown]>([
    ["that throw", throwing("fromLog")],
    ["that throw what cannot be read", throwing("payloads", revokedProxy())],
    ["of a Proxy that was revoked", revokedProxy()]
  ])("options %s", ([, options]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const scan: ReturnType<typeof log.scan> = Reflect.apply(log.scan, log, [options])
          const reason = yield* reasonOf(Stream.runDrain(scan))
          assert.strictEqual(reason._tag, "InvalidArgument")
          assert.include(reason.message, "cannot be read")
        })
      )
    })
  )
})

describe("payloads", () => {
  it.effect("of a scan cannot be transferred, and what is tried leaves the others as they are", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const entries = [entry(1n, 0n, "first"), entry(1n, 1n), entry(1n, 2n, bytes(300_000)), entry(1n, 3n, "last")]
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* log.appendAll(entries)
          for (const payloads of [true, false]) {
            const scanned = yield* Stream.runCollect(log.scan({ payloads }))
            for (const { payload } of scanned) assert.throws(() => transferred(payload), /transfer/)
            assert.deepStrictEqual(
              scanned.map(({ payload }) => payload),
              entries.map(({ payload }) => (payloads ? payload : bytes(0)))
            )
          }
        })
      )
    })
  )

  it.effect("of reads are transferred without the others", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const location = yield* log.append(ledgerId, entryId, bytes(20))
          const payload = yield* log.read(ledgerId, entryId, location)
          transferred(yield* log.read(ledgerId, entryId, location))
          assert.deepStrictEqual(payload, bytes(20))
          assert.strictEqual(payload.buffer.byteLength, 20)
        })
      )
    })
  )
})

/** Sends the memory of bytes to another thread, as it were. Answers what is left of them. */
function transferred(payload: Uint8Array): Uint8Array {
  const { port1 } = new MessageChannel()
  try {
    if (isArrayBuffer(payload.buffer)) port1.postMessage(payload, [payload.buffer])
  } finally {
    port1.close()
  }
  return payload
}

function cutOff(): Uint8Array {
  const buffer = new ArrayBuffer(10, { maxByteLength: 10 })
  const payload = new Uint8Array(buffer, 5, 5)
  buffer.resize(5)
  return payload
}

/** Bytes with another length than their memory has. */
function withLength(count: number, length: unknown): Uint8Array {
  return Object.defineProperty(bytes(count), "length", { value: length })
}

/** An object with a property that throws something when it is read. */
function throwing(property: PropertyKey, cause: unknown = new Error("not for you"), self: object = {}): unknown {
  const get = () => {
    throw cause
  }
  return Object.defineProperty(self, property, { get })
}

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable(bytes(1), {})
  revoke()
  return proxy
}

function holed(): Array<EntryLog.Entry> {
  const entries = [entry(1n, 1n)]
  entries.length = 2
  return entries
}

/** As callers without types do. */
const makeUnchecked = (options: unknown): ReturnType<typeof EntryLog.make> =>
  Reflect.apply(EntryLog.make, undefined, [options])

const appendUnchecked = (
  log: EntryLog.EntryLog["Service"],
  args: ReadonlyArray<unknown>
): ReturnType<typeof log.append> => Reflect.apply(log.append, log, args)

const appendAllUnchecked = (log: EntryLog.EntryLog["Service"], entries: unknown): ReturnType<typeof log.appendAll> =>
  Reflect.apply(log.appendAll, log, [entries])
