/**
 * Whoever uses a ledger lets go of it again: with no room for ledgers that nobody
 * holds, the next one to come has to look it up anew.
 */
import { assert, describe, it } from "@effect/vitest"
import { type LedgerStorageError } from "@effect-bookie/ledger-storage"
import { Effect, Fiber, Stream } from "effect"
import { bytes, entry, ledger } from "./support.ts"
import { type Watched, watched } from "./watched.ts"

type Use = (storage: Watched["storage"]) => Effect.Effect<unknown, LedgerStorageError.LedgerStorageError>

const uses: ReadonlyArray<readonly [name: string, use: Use]> = [
  ["append", (storage) => storage.append(ledger(0), bytes("more"))],
  ["entries", (storage) => Stream.runDrain(storage.entries(ledger(0)))],
  ["entries in reverse", (storage) => Stream.runDrain(storage.entries(ledger(0), { reverse: true }))],
  ["some entries", (storage) => Stream.runDrain(Stream.take(storage.entries(ledger(0)), 1))],
  [
    "entries to a defect",
    (storage) => Effect.exit(Stream.runForEach(storage.entries(ledger(0)), () => Effect.die("!")))
  ],
  ["tail to an end", (storage) => Stream.runDrain(storage.tail(ledger(0), { to: entry(1) }))],
  [
    "tail that is interrupted",
    (storage) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Stream.runDrain(storage.tail(ledger(0))), { startImmediately: true })
        yield* Effect.replicateEffect(Effect.yieldNow, 5)
        yield* Fiber.interrupt(fiber)
      })
  ],
  ["read of an absent entry", (storage) => storage.read(ledger(0), entry(100))],
  ["fence", (storage) => storage.fence(ledger(0))],
  ["append to a fenced ledger", (storage) => Effect.exit(storage.append(ledger(0), bytes("more")))]
]

describe("letting go", () => {
  it.effect("each use of a ledger ends with it", () =>
    Effect.gen(function* () {
      const lookUps: Array<bigint> = []
      const { storage } = yield* watched({ maxIdleLedgers: 0, recentEntries: 0 }, (backend) => ({
        ...backend,
        ledger: (ledgerId) =>
          Effect.suspend(() => {
            lookUps.push(ledgerId)
            return backend.ledger(ledgerId)
          })
      }))
      yield* storage.createLedger()
      yield* storage.appendAll(ledger(0), [bytes("a"), bytes("b"), bytes("c")])
      for (const [name, use] of uses) {
        // The first one holds it if it does not let go, and the second one then finds it.
        yield* use(storage)
        lookUps.length = 0
        yield* use(storage)
        assert.isAtLeast(lookUps.length, 1, name)
      }
    })
  )
})
