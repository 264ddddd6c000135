/**
 * Deleting ledgers: gone at once, and for good.
 */
import { assert } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Fiber, Stream } from "effect"
import { bytes, endOf, id, type It, newLedger, numbered, pairs, pairsOf, tagOf, unusedLedgerId } from "./support.ts"

export const deletes = (it: It): void => {
  it.effect("every operation on a deleted ledger says that there is none", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "b")
      const { ledgerId: other } = yield* newLedger("c")
      yield* storage.deleteLedger(ledgerId)
      const keys = [other, ledgerId].map((each) => ({ ledgerId: each, entryId: id(0) }))
      assert.isUndefined(yield* storage.ledger(ledgerId))
      assert.strictEqual(yield* tagOf(storage.read(ledgerId, id(0))), "NoLedger")
      assert.strictEqual(yield* tagOf(storage.readMany(keys)), "NoLedger")
      assert.strictEqual(yield* tagOf(Stream.runDrain(storage.entries(ledgerId))), "NoLedger")
      assert.strictEqual(yield* tagOf(Stream.runDrain(storage.tail(ledgerId))), "NoLedger")
      assert.strictEqual(yield* tagOf(storage.append(ledgerId, bytes("d"))), "NoLedger")
      assert.strictEqual(yield* tagOf(storage.appendAll(ledgerId, [bytes("d")])), "NoLedger")
      assert.strictEqual(yield* tagOf(storage.fence(ledgerId)), "NoLedger")
      const listed = yield* Stream.runCollect(storage.ledgers)
      assert.isFalse(listed.some((info) => info.ledgerId === ledgerId))
    })
  )

  it.effect("a fenced ledger can be deleted, and is gone then", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      yield* storage.fence(ledgerId)
      yield* storage.deleteLedger(ledgerId)
      assert.strictEqual(yield* tagOf(storage.append(ledgerId, bytes("b"))), "NoLedger")
    })
  )

  it.effect("the id of a deleted ledger is never used again", () =>
    Effect.gen(function* () {
      const { ledgerId: given, storage } = yield* newLedger("a")
      const chosen = yield* unusedLedgerId
      yield* storage.createLedger({ ledgerId: chosen })
      yield* storage.deleteLedgers([given, chosen])
      assert.strictEqual(yield* tagOf(storage.createLedger({ ledgerId: given })), "LedgerExists")
      assert.strictEqual(yield* tagOf(storage.createLedger({ ledgerId: chosen })), "LedgerExists")
      const next = yield* Effect.all(Array.from({ length: 5 }, () => storage.createLedger()))
      assert.isFalse(next.some(({ ledgerId }) => ledgerId === given || ledgerId === chosen))
    })
  )

  it.effect("a delete may be repeated, also at the same time", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      yield* Effect.all(
        Array.from({ length: 10 }, () => storage.deleteLedger(ledgerId)),
        { concurrency: "unbounded" }
      )
      yield* storage.deleteLedger(ledgerId)
      assert.isUndefined(yield* storage.ledger(ledgerId))
    })
  )

  it.effect("a ledger that never existed can be deleted, and created after that", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const ledgerId = yield* unusedLedgerId
      yield* storage.deleteLedger(ledgerId)
      yield* storage.createLedger({ ledgerId })
      assert.strictEqual(yield* storage.append(ledgerId, bytes("a")), id(0))
    })
  )

  it.effect("several ledgers are deleted at once, some of them twice", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const made = yield* Effect.all(Array.from({ length: 50 }, () => storage.createLedger()))
      const ledgerIds = made.map(({ ledgerId }) => ledgerId)
      yield* storage.deleteLedgers([...ledgerIds.slice(0, 40), ...ledgerIds.slice(0, 3), yield* unusedLedgerId])
      const found = yield* Effect.forEach(ledgerIds, (ledgerId) => storage.ledger(ledgerId))
      assert.deepStrictEqual(
        found.map((info) => info?.ledgerId),
        ledgerIds.map((ledgerId, index) => (index < 40 ? undefined : ledgerId))
      )
    })
  )

  it.effect("to delete no ledgers is nothing", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      yield* storage.deleteLedgers([])
      assert.strictEqual((yield* storage.ledger(ledgerId))?.entries, 1)
    })
  )

  it.effect("a delete leaves other ledgers alone", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      const { ledgerId: other } = yield* newLedger("b", "c")
      yield* storage.deleteLedger(ledgerId)
      assert.deepStrictEqual(yield* pairsOf(storage.entries(other)), ["0=b", "1=c"])
      assert.strictEqual(yield* storage.append(other, bytes("d")), id(2))
    })
  )

  it.effect("no late append revives a deleted ledger", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 5; round += 1) {
        const { ledgerId, storage } = yield* newLedger("a")
        const appends = yield* Effect.forkChild(
          Effect.forEach(numbered("", 200), (text) => endOf(storage.append(ledgerId, bytes(text))), { concurrency: 20 })
        )
        for (let turn = 0; turn < round; turn += 1) yield* Effect.yieldNow
        yield* storage.deleteLedger(ledgerId)
        assert.isUndefined(yield* storage.ledger(ledgerId))
        const ends = yield* Fiber.join(appends)
        assert.isTrue(ends.every((end) => end === "NoLedger" || typeof end === "bigint"))
        assert.isUndefined(yield* storage.ledger(ledgerId))
        assert.strictEqual(yield* tagOf(storage.read(ledgerId, id(0))), "NoLedger")
      }
    })
  )

  it.effect("a ledger is created, filled and deleted many times over", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      for (let round = 0; round < 20; round += 1) {
        const { ledgerId } = yield* storage.createLedger()
        const texts = numbered(`${round}:`, 1 + round)
        yield* storage.appendAll(ledgerId, texts.map(bytes))
        assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), pairs(texts))
        yield* storage.deleteLedger(ledgerId)
      }
    })
  )
}
