/**
 * Following a ledger as it grows.
 */
import { assert } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Deferred, Effect, Fiber, Queue, Stream } from "effect"
import type { LedgerId } from "@effect-bookie/ledger-storage"
import {
  blob,
  bytes,
  id,
  type It,
  newLedger,
  numbered,
  pair,
  pairs,
  pairsOf,
  type Storage,
  tagOf,
  unusedLedgerId
} from "./support.ts"

/** Follows a ledger in a fiber of its own: each entry, as `id=text`, goes into a queue. */
const follow = Effect.fnUntraced(function* (
  storage: Storage,
  ledgerId: LedgerId.LedgerId,
  range?: LedgerStorage.TailRange
) {
  const seen = yield* Queue.unbounded<string>()
  const fiber = yield* Effect.forkChild(
    Stream.runForEach(storage.tail(ledgerId, range), (entry) => Queue.offer(seen, pair(entry)))
  )
  return { next: Queue.take(seen), end: Fiber.join(fiber), left: Queue.clear(seen) }
})

export const tails = (it: It): void => {
  it.effect("a tail has the entries that are there, and then each one as it comes", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "b")
      const { next } = yield* follow(storage, ledgerId)
      assert.deepStrictEqual([yield* next, yield* next], ["0=a", "1=b"])
      yield* storage.append(ledgerId, bytes("c"))
      assert.strictEqual(yield* next, "2=c")
      yield* storage.appendAll(ledgerId, ["d", "e"].map(bytes))
      assert.deepStrictEqual([yield* next, yield* next], ["3=d", "4=e"])
    })
  )

  it.effect("a tail of an empty ledger waits for its first entry", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const { next } = yield* follow(storage, ledgerId)
      yield* storage.append(ledgerId, bytes("a"))
      assert.strictEqual(yield* next, "0=a")
    })
  )

  it.effect("a tail begins where it is told to, also behind the last entry", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "b")
      const inside = yield* follow(storage, ledgerId, { from: id(1) })
      const behind = yield* follow(storage, ledgerId, { from: id(3) })
      yield* storage.appendAll(ledgerId, ["c", "d", "e"].map(bytes))
      assert.deepStrictEqual([yield* inside.next, yield* inside.next], ["1=b", "2=c"])
      assert.deepStrictEqual([yield* behind.next, yield* behind.next], ["3=d", "4=e"])
    })
  )

  it.effect("a tail ends with the last entry of its range, be it there already or yet to come", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "b", "c")
      assert.deepStrictEqual(yield* pairsOf(storage.tail(ledgerId, { to: id(1) })), ["0=a", "1=b"])
      assert.deepStrictEqual(yield* pairsOf(storage.tail(ledgerId, { from: id(2), to: id(1) })), [])
      const { end, next } = yield* follow(storage, ledgerId, { from: id(2), to: id(3) })
      assert.strictEqual(yield* next, "2=c")
      yield* storage.appendAll(ledgerId, ["d", "e"].map(bytes))
      yield* end
      assert.strictEqual(yield* next, "3=d")
    })
  )

  it.effect("a tail of a fenced ledger ends after the last entry", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "b")
      yield* storage.fence(ledgerId)
      assert.deepStrictEqual(yield* pairsOf(storage.tail(ledgerId)), ["0=a", "1=b"])
      assert.deepStrictEqual(yield* pairsOf(storage.tail(ledgerId, { from: id(7) })), [])
      const { ledgerId: empty } = yield* newLedger()
      yield* storage.fence(empty)
      assert.deepStrictEqual(yield* pairsOf(storage.tail(empty)), [])
    })
  )

  it.effect("a tail that waits ends when its ledger is fenced", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      const { end, left, next } = yield* follow(storage, ledgerId)
      assert.strictEqual(yield* next, "0=a")
      yield* storage.append(ledgerId, bytes("b"))
      yield* storage.fence(ledgerId)
      yield* end
      assert.deepStrictEqual(yield* left, ["1=b"])
    })
  )

  it.effect("a tail that waits fails when its ledger is deleted", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      const { end, next } = yield* follow(storage, ledgerId)
      assert.strictEqual(yield* next, "0=a")
      yield* storage.deleteLedger(ledgerId)
      assert.strictEqual(yield* tagOf(end), "NoLedger")
    })
  )

  it.effect("a ledger that does not exist has no tail", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      assert.strictEqual(yield* tagOf(Stream.runDrain(storage.tail(yield* unusedLedgerId))), "NoLedger")
    })
  )

  it.effect("what a tail has shown can be read", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const reading = storage.tail(ledgerId, { to: id(99) }).pipe(
        Stream.mapEffect(({ entryId }) => storage.read(ledgerId, entryId)),
        Stream.runCollect
      )
      const fiber = yield* Effect.forkChild(reading)
      yield* Effect.forEach(numbered("", 100), (text) => storage.append(ledgerId, bytes(text)), {
        concurrency: 10,
        discard: true
      })
      const read = yield* Fiber.join(fiber)
      assert.isTrue(read.every((entry) => entry !== undefined))
    })
  )

  it.effect("a slow follower misses nothing", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("first")
      const reached = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const sizes = yield* Effect.forkChild(
        storage.tail(ledgerId, { to: id(3000) }).pipe(
          Stream.tap(({ entryId }) =>
            entryId === 0n ? Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(goOn)) : Effect.void
          ),
          Stream.map(({ payload }) => payload.length),
          Stream.runCollect
        )
      )
      yield* Deferred.await(reached)
      yield* Effect.forEach(
        Array.from({ length: 30 }, (_, round) => round),
        (round) =>
          storage.appendAll(
            ledgerId,
            Array.from({ length: 100 }, (_, index) => blob(10_000 + round * 100 + index))
          ),
        { discard: true }
      )
      yield* Deferred.succeed(goOn, undefined)
      assert.deepStrictEqual(yield* Fiber.join(sizes), [
        5,
        ...Array.from({ length: 3000 }, (_, index) => 10_000 + index)
      ])
    })
  )

  it.effect("a hundred followers get every entry in its order, while several fibers append", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger()
      const followers = yield* Effect.all(
        Array.from({ length: 100 }, (_, from) =>
          Effect.forkChild(pairsOf(storage.tail(ledgerId, { from: id(from), to: id(299) })))
        )
      )
      yield* Effect.forEach(numbered("", 300), (text) => storage.append(ledgerId, bytes(text)), {
        concurrency: 7,
        discard: true
      })
      const all = yield* pairsOf(storage.entries(ledgerId))
      assert.strictEqual(all.length, 300)
      for (const [from, follower] of followers.entries()) {
        assert.deepStrictEqual(yield* Fiber.join(follower), all.slice(from))
      }
    })
  )

  it.effect("followers of one ledger hear nothing of others", () =>
    Effect.gen(function* () {
      const { ledgerId: one, storage } = yield* newLedger("a")
      const { ledgerId: other } = yield* newLedger("b")
      const { left, next } = yield* follow(storage, one)
      assert.strictEqual(yield* next, "0=a")
      yield* storage.append(other, bytes("c"))
      yield* storage.append(one, bytes("d"))
      assert.strictEqual(yield* next, "1=d")
      assert.deepStrictEqual(yield* left, [])
    })
  )

  it.effect("a follower that leaves disturbs nobody", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a")
      const leaving = yield* Effect.forkChild(Stream.runDrain(storage.tail(ledgerId)))
      const staying = yield* follow(storage, ledgerId)
      assert.strictEqual(yield* staying.next, "0=a")
      yield* Fiber.interrupt(leaving)
      yield* storage.append(ledgerId, bytes("b"))
      assert.strictEqual(yield* staying.next, "1=b")
      assert.deepStrictEqual(yield* pairsOf(Stream.take(storage.tail(ledgerId), 2)), pairs(["a", "b"]))
    })
  )
}
