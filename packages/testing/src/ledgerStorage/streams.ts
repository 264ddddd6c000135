/**
 * Streams of the entries of a ledger.
 */
import { assert } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Stream } from "effect"
import { blob, bytes, id, type It, newLedger, numbered, pairs, pairsOf, tagOf, unusedLedgerId } from "./support.ts"

const letters = ["a", "b", "c", "d", "e"]

interface Case {
  readonly from?: number
  readonly to?: number
  readonly expected: ReadonlyArray<string>
}

/** On a ledger of the letters. */
const cases: ReadonlyArray<Case> = [
  { expected: ["0=a", "1=b", "2=c", "3=d", "4=e"] },
  { from: 2, expected: ["2=c", "3=d", "4=e"] },
  { to: 1, expected: ["0=a", "1=b"] },
  { from: 1, to: 3, expected: ["1=b", "2=c", "3=d"] },
  { from: 2, to: 2, expected: ["2=c"] },
  { from: 4, to: 100, expected: ["4=e"] },
  { from: 3, to: 1, expected: [] },
  { from: 5, expected: [] },
  { from: 100, to: 200, expected: [] }
]

export const streams = (it: It): void => {
  it.effect("a range includes both of its ends, and either may be left out", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger(...letters)
      for (const { expected, from, to } of cases) {
        const range = { from: from === undefined ? undefined : id(from), to: to === undefined ? undefined : id(to) }
        assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId, range)), expected)
      }
    })
  )

  it.effect("in reverse the same entries come from the last to the first", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger(...letters)
      for (const { expected, from, to } of cases) {
        const range = { from: from === undefined ? undefined : id(from), to: to === undefined ? undefined : id(to) }
        const reverse = storage.entries(ledgerId, { ...range, reverse: true })
        assert.deepStrictEqual(yield* pairsOf(reverse), expected.toReversed())
      }
    })
  )

  it.effect("thousands of entries come in their order, both ways", () =>
    Effect.gen(function* () {
      const texts = numbered("entry ", 5000)
      const { ledgerId, storage } = yield* newLedger(...texts)
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), pairs(texts))
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId, { reverse: true })), pairs(texts).toReversed())
    })
  )

  it.effect("an empty ledger has no entries", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId)), [])
      assert.deepStrictEqual(yield* pairsOf(storage.entries(ledgerId, { reverse: true })), [])
    })
  )

  it.effect("a ledger that does not exist has no stream", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const ledgerId = yield* unusedLedgerId
      assert.strictEqual(yield* tagOf(pairsOf(storage.entries(ledgerId))), "NoLedger")
      assert.strictEqual(yield* tagOf(pairsOf(storage.entries(ledgerId, { from: id(3), to: id(1) }))), "NoLedger")
      assert.strictEqual(yield* tagOf(pairsOf(storage.entries(ledgerId, { reverse: true }))), "NoLedger")
    })
  )

  it.effect("a stream shows the ledger as it stood when the stream began", () =>
    Effect.gen(function* () {
      for (const reverse of [false, true]) {
        const { ledgerId, storage } = yield* newLedger(...letters)
        const growing = storage
          .entries(ledgerId, { reverse })
          .pipe(Stream.tap(({ payload }) => storage.append(ledgerId, payload)))
        assert.strictEqual(yield* Stream.runCount(growing), 5)
        assert.strictEqual((yield* storage.ledger(ledgerId))?.entries, 10)
      }
    })
  )

  it.effect("a stream that was made early shows the ledger as it stands when it is run", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const stream = storage.entries(ledgerId)
      yield* storage.append(ledgerId, bytes("a"))
      assert.deepStrictEqual(yield* pairsOf(stream), ["0=a"])
      yield* storage.append(ledgerId, bytes("b"))
      assert.deepStrictEqual(yield* pairsOf(stream), ["0=a", "1=b"])
    })
  )

  it.effect("a reader may stop after some entries", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger(...numbered("", 2000))
      assert.deepStrictEqual(yield* pairsOf(Stream.take(storage.entries(ledgerId), 2)), ["0=0", "1=1"])
      const last = Stream.take(storage.entries(ledgerId, { reverse: true }), 1)
      assert.deepStrictEqual(yield* pairsOf(last), ["1999=1999"])
    })
  )

  it.effect("streams at the same time do not disturb each other", () =>
    Effect.gen(function* () {
      const texts = numbered("", 500)
      const { ledgerId, storage } = yield* newLedger(...texts)
      const found = yield* Effect.all(
        Array.from({ length: 20 }, (_, reader) => pairsOf(storage.entries(ledgerId, { from: id(reader) }))),
        { concurrency: "unbounded" }
      )
      found.forEach((entries, reader) => assert.deepStrictEqual(entries, pairs(texts.slice(reader), reader)))
    })
  )

  it.effect("a stream fails if its ledger is deleted under it", () =>
    Effect.gen(function* () {
      for (const reverse of [false, true]) {
        const { ledgerId, storage } = yield* newLedger()
        yield* storage.appendAll(
          ledgerId,
          Array.from({ length: 200 }, () => blob(50_000))
        )
        const reading = storage.entries(ledgerId, { reverse }).pipe(
          Stream.zipWithIndex,
          Stream.tap(([, index]) => (index === 0 ? storage.deleteLedger(ledgerId) : Effect.void))
        )
        assert.strictEqual(yield* tagOf(Stream.runDrain(reading)), "NoLedger")
      }
    })
  )
}
