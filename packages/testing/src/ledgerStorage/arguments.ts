/**
 * What no storage could accept, and when it is looked at.
 */
import { assert } from "@effect/vitest"
import { type EntryId, type LedgerId, LedgerStorage, type LedgerStorageError } from "@effect-bookie/ledger-storage"
import { Effect, Stream } from "effect"
import { runInNewContext } from "node:vm"
import { bytes, id, type It, newLedger, pairsOf, reasonOf, type Storage, tagOf } from "./support.ts"

type Call = readonly [
  name: string,
  call: (storage: Storage, ledgerId: LedgerId.LedgerId) => Effect.Effect<unknown, LedgerStorageError.LedgerStorageError>
]

/** Passes something to whatever the compiler would not let it pass to. */
const anything = <A>(value: unknown): A => value as A

const notIds: ReadonlyArray<unknown> = [-1n, 2n ** 63n, 1, "1", undefined, null, {}, Symbol("1")]
const notBytes: ReadonlyArray<unknown> = [
  undefined,
  null,
  "text",
  [1, 2],
  {},
  7,
  new Uint16Array(2),
  new ArrayBuffer(2)
]

/** Throws whatever is asked of it. */
const revoked = <A extends object>(value: A): A => {
  const { proxy, revoke } = Proxy.revocable(value, {})
  revoke()
  return proxy
}

const throwing = {
  get ledgerId(): LedgerId.LedgerId {
    throw new Error("no id")
  },
  get entryId(): EntryId.EntryId {
    throw new Error("no id")
  }
}

const calls: ReadonlyArray<Call> = [
  ...notIds.flatMap((value): ReadonlyArray<Call> => {
    const wrong = anything<LedgerId.LedgerId>(value)
    const name = String(value)
    return [
      ...(value === undefined
        ? []
        : [[`createLedger ${name}`, (storage: Storage) => storage.createLedger({ ledgerId: wrong })] as const]),
      [`ledger ${name}`, (storage) => storage.ledger(wrong)],
      [`append to ${name}`, (storage) => storage.append(wrong, bytes("a"))],
      [`appendAll to ${name}`, (storage) => storage.appendAll(wrong, [bytes("a")])],
      [`read of ledger ${name}`, (storage) => storage.read(wrong, id(0))],
      [`readMany of ledger ${name}`, (storage) => storage.readMany([{ ledgerId: wrong, entryId: id(0) }])],
      [`entries of ${name}`, (storage) => Stream.runDrain(storage.entries(wrong))],
      [`tail of ${name}`, (storage) => Stream.runDrain(storage.tail(wrong))],
      [`fence ${name}`, (storage) => storage.fence(wrong)],
      [`deleteLedger ${name}`, (storage) => storage.deleteLedger(wrong)],
      [`deleteLedgers ${name}`, (storage, ledgerId) => storage.deleteLedgers([ledgerId, wrong])]
    ]
  }),
  ...notIds.flatMap((value): ReadonlyArray<Call> => {
    const wrong = anything<EntryId.EntryId>(value)
    const name = String(value)
    const ranges: ReadonlyArray<Call> = [
      [`entries from ${name}`, (storage, ledgerId) => Stream.runDrain(storage.entries(ledgerId, { from: wrong }))],
      [`entries to ${name}`, (storage, ledgerId) => Stream.runDrain(storage.entries(ledgerId, { to: wrong }))],
      [`tail to ${name}`, (storage, ledgerId) => Stream.runDrain(storage.tail(ledgerId, { to: wrong }))]
    ]
    return [
      [`read ${name}`, (storage, ledgerId) => storage.read(ledgerId, wrong)],
      [`readMany ${name}`, (storage, ledgerId) => storage.readMany([{ ledgerId, entryId: wrong }])],
      ...(value === undefined ? [] : ranges)
    ]
  }),
  ...notBytes.flatMap((value, index): ReadonlyArray<Call> => {
    const wrong = anything<Uint8Array>(value)
    return [
      [`append, no bytes ${index}`, (storage, ledgerId) => storage.append(ledgerId, wrong)],
      [`appendAll, no bytes ${index}`, (storage, ledgerId) => storage.appendAll(ledgerId, [bytes("a"), wrong])],
      ...(value === undefined
        ? []
        : [[`metadata, no bytes ${index}`, (storage: Storage) => storage.createLedger({ metadata: wrong })] as const])
    ]
  }),
  ["a proxy of bytes", (storage, ledgerId) => storage.append(ledgerId, new Proxy(bytes("a"), {}))],
  ["what inherits from bytes", (storage, ledgerId) => storage.append(ledgerId, Object.create(Uint8Array.prototype))],
  ["a revoked proxy", (storage, ledgerId) => storage.append(ledgerId, revoked(bytes("a")))],
  ["a revoked array", (storage, ledgerId) => storage.appendAll(ledgerId, revoked([bytes("a")]))],
  ["options that throw", (storage) => storage.createLedger(throwing)],
  ["a key that throws", (storage) => storage.readMany([throwing])],
  ["a revoked range", (storage, ledgerId) => Stream.runDrain(storage.entries(ledgerId, revoked({})))],
  ["appendAll of no array", (storage, ledgerId) => storage.appendAll(ledgerId, anything(bytes("a")))],
  ["readMany of no array", (storage) => storage.readMany(anything("keys"))],
  ["readMany of no keys", (storage) => storage.readMany([anything(undefined)])],
  ["deleteLedgers of no array", (storage, ledgerId) => storage.deleteLedgers(anything(ledgerId))],
  ["a durability", (storage, ledgerId) => storage.append(ledgerId, bytes("a"), { durability: anything("flushed") })],
  ["entries reverse", (storage, ledgerId) => Stream.runDrain(storage.entries(ledgerId, { reverse: anything("yes") }))],
  ["a tail in reverse", (storage, ledgerId) => Stream.runDrain(storage.tail(ledgerId, anything({ reverse: true })))],
  ["collect, target 2", (storage) => storage.collect({ garbageTarget: 2 })],
  ["collect, target NaN", (storage) => storage.collect({ garbageTarget: Number.NaN })],
  ["collect, rate 0", (storage) => storage.collect({ rate: 0 })],
  ["collect, rate", (storage) => storage.collect({ rate: anything("fast") })],
  ["check, rate 0", (storage) => Stream.runDrain(storage.check({ rate: 0 }))],
  ["check, rate -1", (storage) => Stream.runDrain(storage.check({ rate: -1 }))]
]

export const argumentChecks = (it: It): void => {
  it.effect("what no storage could accept fails with InvalidArgument, and nothing of it is done", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      for (const [name, call] of calls) {
        assert.deepStrictEqual([name, yield* tagOf(call(storage, ledgerId))], [name, "InvalidArgument"])
      }
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), ["0=a"])
    })
  )

  it.effect("the message says what is wrong", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const { message, operation } = yield* reasonOf(storage.append(ledgerId, anything("text")))
      assert.strictEqual(operation, "append")
      assert.include(message, "payload")
      assert.include(message, "text")
    })
  )

  it.effect("a payload that is longer than any entry is refused", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const payload = new Uint8Array(128 * 1024 * 1024)
      assert.strictEqual(yield* tagOf(storage.append(ledgerId, payload)), "InvalidArgument")
      assert.strictEqual(yield* tagOf(storage.appendAll(ledgerId, [bytes("a"), payload])), "InvalidArgument")
      assert.strictEqual((yield* storage.ledger(ledgerId))?.entries, 0)
    })
  )

  it.effect("bytes of another realm are bytes", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const foreign: Uint8Array = runInNewContext("new Uint8Array([104, 105])")
      const { ledgerId } = yield* storage.createLedger({ metadata: foreign })
      yield* storage.append(ledgerId, foreign)
      yield* storage.appendAll(ledgerId, [foreign, bytes("!")])
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), ["0=hi", "1=hi", "2=!"])
      assert.deepStrictEqual((yield* storage.ledger(ledgerId))?.metadata, bytes("hi"))
    })
  )

  it.effect("bytes that were transferred away are refused", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const gone = Uint8Array.of(1, 2, 3)
      structuredClone(gone.buffer, { transfer: [gone.buffer] })
      assert.strictEqual(yield* tagOf(storage.append(ledgerId, gone)), "InvalidArgument")
      assert.strictEqual(yield* tagOf(storage.appendAll(ledgerId, [bytes("a"), gone])), "InvalidArgument")
      assert.strictEqual(yield* tagOf(storage.createLedger({ metadata: gone })), "InvalidArgument")
      assert.strictEqual((yield* storage.ledger(ledgerId))?.entries, 0)
    })
  )

  it.effect("bytes whose buffer has shrunk under them are refused", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const buffer = new ArrayBuffer(8, { maxByteLength: 8 })
      const view = new Uint8Array(buffer, 4, 4)
      buffer.resize(4)
      assert.strictEqual(yield* tagOf(storage.append(ledgerId, view)), "InvalidArgument")
    })
  )

  it.effect("arguments are looked at when the effect runs, not when it is made", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const payloads: Array<Uint8Array> = []
      const keys: Array<LedgerStorage.EntryKey> = []
      const deleted: Array<LedgerId.LedgerId> = []
      const append = storage.appendAll(ledgerId, payloads)
      const read = storage.readMany(keys)
      const remove = storage.deleteLedgers(deleted)
      payloads.push(bytes("a"), bytes("b"))
      assert.deepStrictEqual(yield* append, { from: id(0), to: id(1) })
      keys.push({ ledgerId, entryId: id(1) })
      assert.strictEqual((yield* read).length, 1)
      payloads.push(anything("text"))
      assert.strictEqual(yield* tagOf(append), "InvalidArgument")
      assert.strictEqual((yield* storage.ledger(ledgerId))?.entries, 2)
      deleted.push(ledgerId)
      yield* remove
      assert.isUndefined(yield* storage.ledger(ledgerId))
    })
  )
}
