/**
 * Appending: ids, order, and that what is read is what was appended.
 */
import { assert } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Stream } from "effect"
import { blob, bytes, id, ids, type It, newLedger, numbered, pairs, pairsOf, tagOf, unusedLedgerId } from "./support.ts"

export const appends = (it: It): void => {
  it.effect("entries get the ids 0, 1, 2 in the order of their appends", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      assert.strictEqual(yield* storage.append(ledgerId, bytes("a")), id(0))
      assert.strictEqual(yield* storage.append(ledgerId, bytes("b")), id(1))
      assert.strictEqual(yield* storage.append(ledgerId, bytes("c")), id(2))
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), ["0=a", "1=b", "2=c"])
    })
  )

  it.effect("a payload may be empty", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      yield* storage.append(ledgerId, new Uint8Array(0))
      assert.strictEqual((yield* storage.read(ledgerId, id(0)))?.payload.length, 0)
    })
  )

  it.effect("every byte may occur in a payload", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      yield* storage.append(ledgerId, all)
      assert.deepStrictEqual((yield* storage.read(ledgerId, id(0)))?.payload, all)
    })
  )

  it.effect("payloads of many sizes come back whole", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const payloads = [1, 1023, 1024, 1025, 65_535, 65_536, 524_288].map((size) => blob(size, size))
      for (const payload of payloads) yield* storage.append(ledgerId, payload)
      const entries = yield* Stream.runCollect(storage.entries(ledgerId))
      assert.isTrue(entries.every(({ payload }, index) => Buffer.compare(payload, payloads[index] ?? bytes("")) === 0))
      assert.strictEqual(entries.length, payloads.length)
    })
  )

  it.effect("a payload may be a view of a larger buffer", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      yield* storage.append(ledgerId, bytes("..view..").subarray(2, 6))
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), ["0=view"])
    })
  )

  it.effect("a payload that is changed after its acknowledgement changes no entry", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const payload = bytes("before")
      yield* storage.append(ledgerId, payload)
      payload.fill(0)
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), ["0=before"])
    })
  )

  it.effect("an append that is run twice appends twice", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const append = storage.append(ledgerId, bytes("again"))
      assert.deepStrictEqual([yield* append, yield* append], [id(0), id(1)])
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), ["0=again", "1=again"])
    })
  )

  it.effect("appendAll gives consecutive ids, in the order of the payloads", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("first")
      assert.deepStrictEqual(yield* storage.appendAll(ledgerId, ["a", "b", "c"].map(bytes)), { from: id(1), to: id(3) })
      assert.deepStrictEqual(yield* storage.appendAll(ledgerId, [bytes("d")]), { from: id(4), to: id(4) })
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), pairs(["first", "a", "b", "c", "d"]))
    })
  )

  it.effect("appendAll takes thousands of payloads", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const texts = numbered("entry ", 10_000)
      assert.deepStrictEqual(yield* storage.appendAll(ledgerId, texts.map(bytes)), { from: id(0), to: id(9999) })
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), pairs(texts))
    })
  )

  it.effect("appendAll takes many MiB", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const payloads = Array.from({ length: 60 }, (_, seed) => blob(200_000, seed))
      assert.deepStrictEqual(yield* storage.appendAll(ledgerId, payloads), { from: id(0), to: id(59) })
      const entries = yield* Stream.runCollect(storage.entries(ledgerId))
      assert.strictEqual(entries.length, 60)
      assert.isTrue(entries.every(({ payload }, index) => Buffer.compare(payload, payloads[index] ?? bytes("")) === 0))
      assert.strictEqual((yield* storage.ledger(ledgerId))?.length, 12_000_000)
    })
  )

  it.effect("appendAll of no payloads is refused", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      assert.strictEqual(yield* tagOf(storage.appendAll(ledgerId, [])), "InvalidArgument")
    })
  )

  it.effect("a thousand fibers that append to one ledger get the ids in the order of their calls", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const texts = numbered("fiber ", 1000)
      const given = yield* Effect.forEach(texts, (text) => storage.append(ledgerId, bytes(text)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(given, ids(1000))
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), pairs(texts))
    })
  )

  it.effect("calls that come at the same time do not mix their entries", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const ranges = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, call) => call),
        (call) => storage.appendAll(ledgerId, numbered(`${call}:`, 1 + (call % 7)).map(bytes)),
        { concurrency: "unbounded" }
      )
      const expected = ranges.flatMap(({ from }, call) => pairs(numbered(`${call}:`, 1 + (call % 7)), Number(from)))
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), expected)
    })
  )

  it.effect("ledgers that grow side by side have ids of their own", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const made = yield* Effect.all(Array.from({ length: 30 }, () => storage.createLedger()))
      const calls = Array.from({ length: 300 }, (_, call) => made[call % made.length]?.ledgerId).filter(
        (ledgerId) => ledgerId !== undefined
      )
      yield* Effect.forEach(calls, (ledgerId, call) => storage.append(ledgerId, bytes(`call ${call}`)), {
        concurrency: "unbounded",
        discard: true
      })
      for (const [index, { ledgerId }] of made.entries()) {
        const texts = Array.from({ length: 10 }, (_, round) => `call ${index + round * made.length}`)
        assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), pairs(texts))
      }
    })
  )

  it.effect("a buffered append is there once it has been acknowledged, in its order among the others", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      assert.strictEqual(yield* storage.append(ledgerId, bytes("a"), { durability: "buffered" }), id(0))
      assert.strictEqual((yield* storage.read(ledgerId, id(0)))?.payload.length, 1)
      const given = yield* Effect.forEach(
        numbered("", 20),
        (text, index) => storage.append(ledgerId, bytes(text), { durability: index % 2 === 0 ? "buffered" : "sync" }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(given, ids(21).slice(1))
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), pairs(["a", ...numbered("", 20)]))
    })
  )

  it.effect("nothing is appended to a ledger that does not exist", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const ledgerId = yield* unusedLedgerId
      assert.strictEqual(yield* tagOf(storage.append(ledgerId, bytes("a"))), "NoLedger")
      assert.strictEqual(yield* tagOf(storage.appendAll(ledgerId, [bytes("a"), bytes("b")])), "NoLedger")
      assert.isUndefined(yield* storage.ledger(ledgerId))
    })
  )
}
