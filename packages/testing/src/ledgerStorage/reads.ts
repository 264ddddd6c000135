/**
 * Reading entries by their ids.
 */
import { assert } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Fiber } from "effect"
import {
  blob,
  bytes,
  id,
  ids,
  type It,
  newLedger,
  numbered,
  pair,
  pairs,
  tagOf,
  text,
  unusedLedgerId
} from "./support.ts"

export const reads = (it: It): void => {
  it.effect("an entry knows its ledger, its id and its payload", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "b")
      assert.deepStrictEqual(yield* storage.read(ledgerId, id(1)), { ledgerId, entryId: id(1), payload: bytes("b") })
    })
  )

  it.effect("there is no entry behind the last one", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      assert.isUndefined(yield* storage.read(ledgerId, id(1)))
      assert.isUndefined(yield* storage.read(ledgerId, id(2 ** 50)))
    })
  )

  it.effect("an entry of a ledger that does not exist cannot be read", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      assert.strictEqual(yield* tagOf(storage.read(yield* unusedLedgerId, id(0))), "NoLedger")
    })
  )

  it.effect("a payload is the reader's own: to change it changes no entry", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "kept", "c")
      const first = yield* storage.read(ledgerId, id(1))
      first?.payload.fill(0)
      const [again] = yield* storage.readMany([{ ledgerId, entryId: id(1) }])
      assert.strictEqual(text(again?.payload ?? bytes("")), "kept")
    })
  )

  it.effect("readMany answers in the order of its keys, also for absent and repeated ones", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "b", "c")
      const keys = [2, 9, 0, 2].map((entryId) => ({ ledgerId, entryId: id(entryId) }))
      const found = yield* storage.readMany(keys)
      assert.deepStrictEqual(
        found.map((entry) => entry && pair(entry)),
        ["2=c", undefined, "0=a", "2=c"]
      )
    })
  )

  it.effect("readMany reads of several ledgers at once", () =>
    Effect.gen(function* () {
      const { ledgerId: one, storage } = yield* newLedger("a", "b")
      const { ledgerId: other } = yield* newLedger("c", "d")
      const found = yield* storage.readMany([
        { ledgerId: other, entryId: id(1) },
        { ledgerId: one, entryId: id(0) },
        { ledgerId: other, entryId: id(0) }
      ])
      assert.deepStrictEqual(
        found.map((entry) => entry?.ledgerId),
        [other, one, other]
      )
      assert.deepStrictEqual(
        found.map((entry) => text(entry?.payload ?? bytes(""))),
        ["d", "a", "c"]
      )
    })
  )

  it.effect("readMany of thousands of keys answers each", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger(...numbered("entry ", 3000))
      const keys = ids(3000)
        .map((entryId) => ({ ledgerId, entryId }))
        .toReversed()
      const found = yield* storage.readMany(keys)
      assert.deepStrictEqual(
        found.map((entry) => entry && pair(entry)),
        pairs(numbered("entry ", 3000)).toReversed()
      )
    })
  )

  it.effect("keys that are changed while they are read make no difference", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "b")
      const keys = [0, 1].map((entryId) => ({ ledgerId, entryId: id(entryId) }))
      const reading = yield* Effect.forkChild(storage.readMany(keys), { startImmediately: true })
      keys.forEach((key) => {
        key.entryId = id(9)
      })
      keys.length = 0
      const found = yield* Fiber.join(reading)
      assert.deepStrictEqual(
        found.map((entry) => entry && pair(entry)),
        ["0=a", "1=b"]
      )
    })
  )

  it.effect("readMany of no keys is empty", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      assert.deepStrictEqual(yield* storage.readMany([]), [])
    })
  )

  it.effect("readMany fails if one of its ledgers does not exist", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      const missing = yield* unusedLedgerId
      const keys = [ledgerId, missing].map((each) => ({ ledgerId: each, entryId: id(0) }))
      assert.strictEqual(yield* tagOf(storage.readMany(keys)), "NoLedger")
    })
  )

  it.effect("readers at the same time get the same, each its own", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const payload = blob(10_000)
      yield* storage.append(ledgerId, payload)
      const found = yield* Effect.all(
        Array.from({ length: 50 }, () => storage.read(ledgerId, id(0))),
        { concurrency: "unbounded" }
      )
      assert.isTrue(found.every((entry) => Buffer.compare(entry?.payload ?? bytes(""), payload) === 0))
      assert.strictEqual(new Set(found.map((entry) => entry?.payload)).size, 50)
    })
  )
}
