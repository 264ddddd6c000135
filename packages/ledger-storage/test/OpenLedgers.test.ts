/**
 * The ledgers that are in use.
 */
import { assert, describe, it } from "@effect/vitest"
import { type LedgerId, type LedgerStorage, LedgerStorageError } from "@effect-bookie/ledger-storage"
import { DateTime, Effect, Fiber, Latch } from "effect"
import { OpenLedger } from "../src/internal/ledgers/OpenLedger.ts"
import { OpenLedgers } from "../src/internal/ledgers/OpenLedgers.ts"
import { ledger, tagOf } from "./support.ts"

const infoOf = (ledgerId: LedgerId.LedgerId): LedgerStorage.LedgerInfo => ({
  ledgerId,
  createdAt: DateTime.makeUnsafe(0),
  metadata: new Uint8Array(0),
  fenced: false,
  lastEntryId: undefined,
  entries: 0,
  length: 0
})

/** Ledgers below 100 exist; to look up 50 fails. */
const opened = (maxIdle: number, gate: Effect.Effect<void> = Effect.void) => {
  const lookUps: Array<bigint> = []
  const ledgers = new OpenLedgers((ledgerId) => {
    lookUps.push(ledgerId)
    const answer =
      ledgerId === 50n
        ? Effect.fail(LedgerStorageError.corruption("it is damaged", { operation: "ledger", storage: "test" }))
        : Effect.succeed(ledgerId < 100n ? infoOf(ledgerId) : undefined)
    return Effect.andThen(gate, answer)
  }, maxIdle)
  return { ledgers, lookUps }
}

describe("OpenLedgers", () => {
  it.effect("everyone gets the same ledger, which is looked up once", () =>
    Effect.gen(function* () {
      const latch = yield* Latch.make()
      const { ledgers, lookUps } = opened(10, latch.await)
      const fibers = yield* Effect.all(
        Array.from({ length: 5 }, () => Effect.forkChild(ledgers.acquire(ledger(1)), { startImmediately: true }))
      )
      yield* latch.open
      const found = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(new Set(found).size, 1)
      assert.strictEqual(found[0]?.ledgerId, 1n)
      assert.strictEqual(yield* ledgers.acquire(ledger(1)), found[0])
      assert.strictEqual(ledgers.hold(ledger(1)), found[0])
      assert.deepStrictEqual(lookUps, [1n])
    })
  )

  it.effect("a ledger that does not exist is not kept", () =>
    Effect.gen(function* () {
      const { ledgers, lookUps } = opened(10)
      assert.isUndefined(yield* ledgers.acquire(ledger(100)))
      assert.isUndefined(yield* ledgers.acquire(ledger(100)))
      assert.deepStrictEqual(lookUps, [100n, 100n])
      assert.strictEqual(ledgers.size, 0)
    })
  )

  it.effect("a look-up that fails is tried afresh", () =>
    Effect.gen(function* () {
      const { ledgers, lookUps } = opened(10)
      assert.strictEqual(yield* tagOf(ledgers.acquire(ledger(50))), "Corruption")
      assert.strictEqual(yield* tagOf(ledgers.acquire(ledger(50))), "Corruption")
      assert.strictEqual(lookUps.length, 2)
      assert.strictEqual(ledgers.size, 0)
    })
  )

  it.effect("if the one who asked first leaves, the others get their answer", () =>
    Effect.gen(function* () {
      const latch = yield* Latch.make()
      const { ledgers, lookUps } = opened(0, latch.await)
      const first = yield* Effect.forkChild(ledgers.acquire(ledger(1)), { startImmediately: true })
      const second = yield* Effect.forkChild(ledgers.acquire(ledger(1)), { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* latch.open
      const found = yield* Fiber.join(second)
      assert.strictEqual(found?.ledgerId, 1n)
      if (found !== undefined) ledgers.release(found)
      assert.strictEqual(ledgers.size, 0, "the one who left holds nothing")
      assert.deepStrictEqual(lookUps, [1n])
    })
  )

  it.effect("of those that nobody holds, the ones used last are kept", () =>
    Effect.gen(function* () {
      const { ledgers, lookUps } = opened(3)
      for (const id of [1, 2, 3, 1, 4]) {
        const found = yield* ledgers.acquire(ledger(id))
        if (found !== undefined) ledgers.release(found)
      }
      assert.strictEqual(ledgers.size, 3)
      assert.deepStrictEqual(
        [1, 2, 3, 4].map((id) => ledgers.get(ledger(id)) !== undefined),
        [true, false, true, true]
      )
      assert.deepStrictEqual(lookUps, [1n, 2n, 3n, 4n])
    })
  )

  it.effect("one that is held stays, however many others come", () =>
    Effect.gen(function* () {
      const { ledgers } = opened(1)
      const held = yield* ledgers.acquire(ledger(1))
      for (let id = 2; id < 40; id += 1) {
        const other = yield* ledgers.acquire(ledger(id))
        if (other !== undefined) ledgers.release(other)
      }
      assert.strictEqual(ledgers.get(ledger(1)), held)
      assert.strictEqual(ledgers.size, 2)
    })
  )

  it.effect("one that was deleted is gone for others, and who holds it may let go", () =>
    Effect.gen(function* () {
      const { ledgers } = opened(10)
      const held = yield* ledgers.acquire(ledger(1))
      assert.isDefined(held)
      ledgers.remove(held)
      assert.isUndefined(ledgers.get(ledger(1)))
      const created = new OpenLedger(infoOf(ledger(1)))
      ledgers.add(created)
      ledgers.release(held)
      assert.strictEqual(ledgers.get(ledger(1)), created)
      assert.strictEqual(ledgers.size, 1)
    })
  )

  it.effect("one that is created while it is looked up for others is there after that", () =>
    Effect.gen(function* () {
      const latch = yield* Latch.make()
      const { ledgers } = opened(10, latch.await)
      const early = yield* Effect.forkChild(ledgers.acquire(ledger(100)), { startImmediately: true })
      const created = new OpenLedger(infoOf(ledger(100)))
      ledgers.add(created)
      yield* latch.open
      assert.isUndefined(yield* Fiber.join(early), "it came before the creation")
      assert.strictEqual(ledgers.get(ledger(100)), created)
    })
  )
})
