/**
 * Collecting and checking: nothing that is alive changes.
 */
import { assert } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { blob, type It, newLedger, numbered, pairs, pairsOf } from "./support.ts"

export const upkeep = (it: It): void => {
  it.effect("a collection keeps every entry of every ledger that exists", () =>
    Effect.gen(function* () {
      const texts = numbered("kept ", 200)
      const { ledgerId: kept, storage } = yield* newLedger(...texts.slice(0, 100))
      const { ledgerId: deleted } = yield* newLedger(...numbered("deleted ", 500))
      yield* storage.appendAll(
        kept,
        texts.slice(100).map((text) => new TextEncoder().encode(text))
      )
      yield* storage.deleteLedger(deleted)
      const { copiedBytes, copiedEntries, left, removedBytes, removedLogs } = yield* storage.collect({
        garbageTarget: 0
      })
      assert.isTrue(
        [copiedBytes, copiedEntries, removedBytes].every((count) => Number.isSafeInteger(count) && count >= 0)
      )
      assert.strictEqual(
        new Set([...removedLogs, ...left.map(({ logId }) => logId)]).size,
        removedLogs.length + left.length
      )
      assert.deepStrictEqual(yield* pairsOf(storage.entries(kept)), pairs(texts))
      assert.isUndefined(yield* storage.ledger(deleted))
    })
  )

  it.effect("appends and reads go on while a collection runs", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const texts = numbered("", 100)
      yield* Effect.all(
        [
          Effect.forEach(texts, (text) => storage.append(ledgerId, new TextEncoder().encode(text)), { discard: true }),
          storage.collect(),
          storage.collect({ rate: "1 GiB" })
        ],
        { concurrency: "unbounded", discard: true }
      )
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), pairs(texts))
    })
  )

  it.effect("a check finds nothing wrong with a sound storage", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "", "c")
      yield* storage.append(ledgerId, blob(100_000))
      const { ledgerId: deleted } = yield* newLedger("d")
      yield* storage.deleteLedger(deleted)
      assert.deepStrictEqual(yield* Stream.runCollect(storage.check()), [])
      assert.deepStrictEqual(yield* Stream.runCollect(storage.check({ rate: "1 GiB" })), [])
    })
  )
}
