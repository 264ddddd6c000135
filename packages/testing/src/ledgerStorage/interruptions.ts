/**
 * Fibers that are interrupted in the middle of something.
 */
import { assert } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Exit, Fiber, Stream } from "effect"
import { bytes, id, type It, newLedger, numbered, pairs, pairsOf, text } from "./support.ts"

export const interruptions = (it: It): void => {
  it.effect("interrupted appends leave whole entries and no gap", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 10; round += 1) {
        const { ledgerId, storage } = yield* newLedger()
        const texts = numbered(`${round}:`, 100)
        const fibers = yield* Effect.forEach(texts, (value) => Effect.forkChild(storage.append(ledgerId, bytes(value))))
        for (let turn = 0; turn < round; turn += 1) yield* Effect.yieldNow
        yield* Effect.forEach(fibers, (fiber, index) => (index % 3 === 0 ? Effect.void : Fiber.interrupt(fiber)))
        const exits = yield* Effect.forEach(fibers, Fiber.await)
        const last = yield* storage.append(ledgerId, bytes("last"))

        const entries = yield* Stream.runCollect(storage.entries(ledgerId))
        assert.deepStrictEqual(
          entries.map(({ entryId }) => entryId),
          entries.map((_, index) => id(index))
        )
        assert.strictEqual(BigInt(entries.length - 1), last)
        const found = entries.map(({ payload }) => text(payload))
        assert.strictEqual(new Set(found).size, found.length)
        assert.isTrue(found.every((value) => value === "last" || texts.includes(value)))
        exits.forEach((exit, index) => {
          if (Exit.isSuccess(exit)) assert.strictEqual(found[Number(exit.value)], texts[index])
        })
        assert.isTrue(exits.every((exit, index) => index % 3 !== 0 || Exit.isSuccess(exit)))
      }
    })
  )

  it.effect("of an interrupted appendAll a prefix is there, and nothing else", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 5; round += 1) {
        const { ledgerId, storage } = yield* newLedger()
        const texts = numbered(`${round}:`, 5000)
        const fiber = yield* Effect.forkChild(storage.appendAll(ledgerId, texts.map(bytes)))
        for (let turn = 0; turn < 2 * round; turn += 1) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        yield* storage.append(ledgerId, bytes("last"))
        const found = yield* pairsOf(storage.entries(ledgerId))
        assert.deepStrictEqual(found, pairs([...texts.slice(0, found.length - 1), "last"]))
      }
    })
  )

  it.effect("an interrupted reader leaves nothing behind that others wait for", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger(...numbered("", 1000))
      const readers = yield* Effect.all(
        Array.from({ length: 30 }, (_, reader) =>
          Effect.forkChild(
            reader % 2 === 0 ? Stream.runDrain(storage.tail(ledgerId)) : Stream.runDrain(storage.entries(ledgerId))
          )
        )
      )
      yield* Effect.yieldNow
      yield* Effect.forEach(readers, (reader) => Fiber.interrupt(reader), { discard: true })
      yield* storage.append(ledgerId, bytes("last"))
      assert.strictEqual((yield* storage.fence(ledgerId)).entries, 1001)
      yield* storage.deleteLedger(ledgerId)
    })
  )

  it.effect("interrupted creations, fences and deletes are done or not, and nothing in between", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      for (let round = 0; round < 10; round += 1) {
        const { ledgerId } = yield* newLedger("a")
        const change = round % 2 === 0 ? storage.fence(ledgerId) : storage.deleteLedger(ledgerId)
        const fiber = yield* Effect.forkChild(change)
        for (let turn = 0; turn < round; turn += 1) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        yield* change
        const info = yield* storage.ledger(ledgerId)
        assert.strictEqual(info?.fenced, round % 2 === 0 ? true : undefined)
        yield* Effect.flatMap(Effect.forkChild(storage.createLedger()), Fiber.interrupt)
      }
      const listed = yield* Stream.runCollect(storage.ledgers)
      assert.strictEqual(new Set(listed.map(({ ledgerId }) => ledgerId)).size, listed.length)
    })
  )
}
