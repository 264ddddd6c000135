/**
 * Fencing: a ledger that takes no more entries.
 */
import { assert } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Fiber } from "effect"
import {
  bytes,
  endOf,
  id,
  type It,
  newLedger,
  numbered,
  pairs,
  pairsOf,
  tagOf,
  text,
  unusedLedgerId
} from "./support.ts"

export const fences = (it: It): void => {
  it.effect("a fence answers the last state of the ledger", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "bb")
      const fenced = yield* storage.fence(ledgerId)
      assert.isTrue(fenced.fenced)
      assert.strictEqual(fenced.lastEntryId, id(1))
      assert.strictEqual(fenced.length, 3)
      assert.deepStrictEqual(yield* storage.ledger(ledgerId), fenced)
    })
  )

  it.effect("a fenced ledger takes no more entries, and can be read", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "b")
      yield* storage.fence(ledgerId)
      assert.strictEqual(yield* tagOf(storage.append(ledgerId, bytes("c"))), "Fenced")
      assert.strictEqual(yield* tagOf(storage.appendAll(ledgerId, [bytes("c"), bytes("d")])), "Fenced")
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), ["0=a", "1=b"])
      assert.strictEqual(text((yield* storage.read(ledgerId, id(1)))?.payload ?? bytes("")), "b")
      assert.strictEqual((yield* storage.ledger(ledgerId))?.entries, 2)
    })
  )

  it.effect("a fence may be repeated, also at the same time", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      const states = yield* Effect.all(
        Array.from({ length: 10 }, () => storage.fence(ledgerId)),
        { concurrency: "unbounded" }
      )
      const again = yield* storage.fence(ledgerId)
      states.forEach((state) => assert.deepStrictEqual(state, again))
    })
  )

  it.effect("an empty ledger can be fenced", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      assert.isUndefined((yield* storage.fence(ledgerId)).lastEntryId)
      assert.strictEqual(yield* tagOf(storage.append(ledgerId, bytes("a"))), "Fenced")
    })
  )

  it.effect("a ledger that does not exist cannot be fenced", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      assert.strictEqual(yield* tagOf(storage.fence(yield* unusedLedgerId)), "NoLedger")
    })
  )

  it.effect("a fence leaves other ledgers alone", () =>
    Effect.gen(function* () {
      const { ledgerId: one, storage } = yield* newLedger()
      const { ledgerId: other } = yield* newLedger()
      yield* storage.fence(one)
      assert.strictEqual(yield* storage.append(other, bytes("a")), id(0))
    })
  )

  it.effect("of appends in flight, those are in the fenced ledger that were acknowledged, and no other", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 5; round += 1) {
        const { ledgerId, storage } = yield* newLedger()
        const texts = numbered("", 200)
        const appends = yield* Effect.forkChild(
          Effect.forEach(texts, (text) => endOf(storage.append(ledgerId, bytes(text))), { concurrency: 20 })
        )
        for (let turn = 0; turn < round; turn += 1) yield* Effect.yieldNow
        const fenced = yield* storage.fence(ledgerId)
        const ends = yield* Fiber.join(appends)
        const acknowledged = texts.filter((_, index) => ends[index] !== "Fenced")
        assert.isTrue(ends.every((end) => end === "Fenced" || typeof end === "bigint"))
        assert.strictEqual(fenced.entries, acknowledged.length)
        assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), pairs(acknowledged))
      }
    })
  )
}
