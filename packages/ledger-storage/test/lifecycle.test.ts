/**
 * The life of a storage: in which order it and its gauges are released, also in a
 * scope that runs its finalizers at once.
 */
import { assert, describe, it } from "@effect/vitest"
import { LedgerStorage, LedgerStorageMetrics } from "@effect-bookie/ledger-storage"
import { Lifecycle, Shutdown } from "@effect-bookie/lifecycle"
import { Effect, Exit, Fiber, Layer, Metric, Scope } from "effect"
import { bytes, ledger, tagOf } from "./support.ts"
import { watched } from "./watched.ts"

describe("the life of a storage", () => {
  it.effect("is told, and gauges go before it", () =>
    Effect.gen(function* () {
      const live = Layer.provide(LedgerStorageMetrics.layer, LedgerStorage.layerMemory)
      const released = yield* Shutdown.expectOrder(live, ["gauge:*", "ledger-storage"]).pipe(
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      assert.strictEqual(released.length, 11 + 1)
    })
  )

  it.effect("ends with its last write, also in a scope that runs its finalizers at once", () =>
    Effect.gen(function* () {
      for (const kind of ["sequential", "parallel"] as const) {
        const events: Array<string> = []
        const scope = yield* Scope.make(kind)
        const { calls, gate, storage } = yield* Scope.provide(watched(), scope).pipe(
          Effect.provideService(Lifecycle.Lifecycle, ({ _tag }) => Effect.sync(() => events.push(_tag)))
        )
        yield* storage.createLedger()
        yield* gate.close
        const append = yield* Effect.forkChild(storage.append(ledger(0), bytes("a")), { startImmediately: true })
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        for (let turn = 0; turn < 5; turn += 1) yield* Effect.yieldNow
        assert.deepStrictEqual(events, ["Acquired"])
        assert.strictEqual(yield* tagOf(storage.append(ledger(0), bytes("late"))), "Closed")
        yield* gate.open
        yield* Fiber.join(closing)
        assert.deepStrictEqual(events, ["Acquired", "Released"])
        assert.deepStrictEqual(calls, ["append", "sync", "commit", "append", "sync", "commit"])
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(append)))
      }
    })
  )

  it.effect("two storages in memory have nothing to do with each other", () =>
    Effect.gen(function* () {
      const create = LedgerStorage.LedgerStorage.use((storage) => storage.createLedger())
      const [one, other] = yield* Effect.all([
        Effect.provide(create, LedgerStorage.layerMemory),
        Effect.provide(create, LedgerStorage.layerMemory)
      ])
      assert.deepStrictEqual<unknown>([one.ledgerId, other.ledgerId], [0n, 0n])
    })
  )

  it.effect("a ledger may have the largest id, after which the lowest ones are given", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const largest = ledger(2n ** 63n - 1n)
      yield* storage.createLedger({ ledgerId: largest })
      assert.strictEqual<bigint>(yield* storage.append(largest, bytes("a")), 0n)
      assert.strictEqual<bigint>((yield* storage.createLedger()).ledgerId, 0n)
      assert.strictEqual<bigint>((yield* storage.createLedger()).ledgerId, 1n)
    }).pipe(Effect.provide(LedgerStorage.layerMemory))
  )
})
