/**
 * Entries whose bytes are not what was written: told of, and never served.
 */
import { assert, describe, it } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Fiber, Stream } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { bytes, entry, ledger, reasonOf, tagOf, text } from "./support.ts"
import { watched } from "./watched.ts"

/** A storage with three entries, in the second of which a bit of the payload was flipped on the way. */
const damaged = Effect.gen(function* () {
  const { storage } = yield* watched({ recentEntries: 0 }, (backend) => ({
    ...backend,
    log: {
      ...backend.log,
      append: (frames) =>
        Effect.sync(() => {
          const at = Buffer.from(frames).indexOf("rotten")
          if (at >= 0) frames[at] = (frames[at] ?? 0) ^ 1
        })
    }
  }))
  yield* storage.createLedger()
  for (const value of ["a", "rotten", "c"]) yield* storage.append(ledger(0), bytes(value))
  return storage
})

describe("a damaged entry", () => {
  it.effect("is no answer to a read, and others are", () =>
    Effect.gen(function* () {
      const storage = yield* damaged
      const { _tag, message } = yield* reasonOf(storage.read(ledger(0), entry(1)))
      assert.strictEqual(_tag, "Corruption")
      assert.include(message, "entry 1 of ledger 0")
      assert.deepStrictEqual((yield* storage.read(ledger(0), entry(2)))?.payload, bytes("c"))
      const keys = [0, 1].map((id) => ({ ledgerId: ledger(0), entryId: entry(id) }))
      assert.strictEqual(yield* tagOf(storage.readMany(keys)), "Corruption")
    })
  )

  it.effect("fails a stream that comes to it, and not one that does not", () =>
    Effect.gen(function* () {
      const storage = yield* damaged
      assert.strictEqual(yield* tagOf(Stream.runDrain(storage.entries(ledger(0)))), "Corruption")
      assert.strictEqual(yield* tagOf(Stream.runDrain(storage.tail(ledger(0)))), "Corruption")
      const behind = yield* Stream.runCollect(storage.entries(ledger(0), { from: entry(2) }))
      assert.deepStrictEqual(
        behind.map(({ payload }) => text(payload)),
        ["c"]
      )
    })
  )

  it.effect("is what a check tells of, and nothing else", () =>
    Effect.gen(function* () {
      const storage = yield* damaged
      const found = yield* Stream.runCollect(storage.check())
      assert.deepStrictEqual(
        found.map(({ _tag, entryId, ledgerId }) => ({ _tag, entryId, ledgerId })),
        [{ _tag: "DamagedEntry", entryId: entry(1), ledgerId: ledger(0) }]
      )
      assert.include(found[0]?.message, "checksum")
    })
  )
})

describe("a check with a rate", () => {
  it.effect("takes its time", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const { ledgerId } = yield* storage.createLedger()
      yield* storage.appendAll(
        ledgerId,
        Array.from({ length: 10 }, () => new Uint8Array(960))
      )
      const check = yield* Effect.forkChild(Stream.runCollect(storage.check({ rate: 1000 })))
      yield* TestClock.adjust("8 seconds")
      assert.isUndefined(check.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(check), [])
    }).pipe(Effect.provide(LedgerStorage.layerMemory))
  )
})
