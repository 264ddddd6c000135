/**
 * The circuit breaker's store: each answer is that of Effect's store in memory,
 * and circuits stay open over a restart, but for probes, which end with their
 * process.
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Schema, Scope } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import { TestClock } from "effect/testing"
import { RocksDB } from "@effect-bookie/rocksdb"
import { RocksDBCircuitBreaker } from "../src/index.ts"
import { begun, keysOf, Layers, Probe, probed, tagOf, temporaryDirectory } from "./support.ts"

type Store = CircuitBreaker.CircuitBreakerStore["Service"]

const Store = CircuitBreaker.CircuitBreakerStore

const policies = [
  CircuitBreaker.consecutive(1),
  CircuitBreaker.consecutive(2),
  CircuitBreaker.rate({ threshold: 0.5, size: 3, minimumCalls: 2 })
]

const Step = Schema.Union([
  Schema.TaggedStruct("admit", { key: Schema.Literals(["a", "a", "b"]) }),
  Schema.TaggedStruct("record", {
    key: Schema.Literals(["a", "a", "b"]),
    /** Which of the calls that were admitted, the last one first. */
    call: Schema.Literals([0, 0, 0, 1, 2]),
    outcome: Schema.Literals(["Success", "Failure", "Failure", "Ignored"]),
    policy: Schema.Literals([0, 1, 2]),
    openFor: Schema.Literals([0, 10, 1000])
  }),
  Schema.TaggedStruct("wait", { millis: Schema.Literals([1, 10, 1000, 3_600_000]) })
])

/** A store, and what its calls were given. */
class Calls {
  readonly store: Store
  readonly #scope: Scope.Scope
  readonly #generations = new Map<string, Array<number>>()

  constructor(store: Store, scope: Scope.Scope) {
    this.store = store
    this.#scope = scope
  }

  run(step: typeof Step.Type): Effect.Effect<unknown> {
    switch (step._tag) {
      case "admit":
        return Effect.map(Effect.exit(Scope.provide(this.store.admit(step.key), this.#scope)), (exit) => {
          if (Exit.isFailure(exit)) return exit
          const { generation, ...rest } = exit.value
          this.#generations.set(step.key, [generation, ...(this.#generations.get(step.key) ?? [])])
          return rest
        })
      case "record": {
        const generation = this.#generations.get(step.key)?.[step.call]
        if (generation === undefined) return Effect.void
        const tripPolicy = policies[step.policy] ?? assert.fail()
        return Effect.orDie(
          this.store.record({ ...step, generation, tripPolicy, openFor: Duration.millis(step.openFor) })
        )
      }
      case "wait":
        return Effect.void
    }
  }

  get states() {
    return Effect.forEach(["a", "b"], (key) => this.store.state(key))
  }
}

describe("any history", () => {
  it.effect.prop("is answered as in memory", [Schema.Array(Step)], ([steps]) =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const memory = new Calls(yield* Effect.provide(Store, CircuitBreaker.layerStoreMemory()), scope)
      const calls = new Calls(yield* RocksDBCircuitBreaker.make({ durability: "buffered" }), scope)
      for (const step of steps) {
        if (step._tag === "wait") yield* TestClock.adjust(step.millis)
        assert.deepStrictEqual(yield* calls.run(step), yield* memory.run(step), JSON.stringify(step))
        assert.deepStrictEqual(yield* calls.states, yield* memory.states)
      }
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

const admit = (store: Store, key = "k") => Effect.scoped(store.admit(key))

const fail = (store: Store, generation: number, openFor: Duration.Duration) =>
  store.record({ key: "k", generation, outcome: "Failure", tripPolicy: CircuitBreaker.consecutive(1), openFor })

describe("after a restart", () => {
  it.effect("a circuit is as open as it was, and its backoff goes on", () =>
    Effect.gen(function* () {
      const layer = Layers.at(yield* temporaryDirectory, RocksDBCircuitBreaker.layer())
      const inStore = <A, E>(use: (store: Store) => Effect.Effect<A, E>) =>
        Effect.flatMap(Store, use).pipe(Effect.provide(layer))
      yield* inStore((store) =>
        Effect.flatMap(admit(store), ({ generation }) => fail(store, generation, Duration.seconds(10)))
      )
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(yield* inStore((store) => store.state("k")), {
        _tag: "Open",
        key: "k",
        retryAfter: Duration.seconds(6),
        consecutiveOpenings: 1
      })
      const error = yield* Effect.flip(inStore(admit))
      assert.strictEqual(error.reason._tag, "CircuitOpen")
      yield* TestClock.adjust("6 seconds")
      const again = yield* inStore((store) =>
        Effect.flatMap(admit(store), ({ generation }) => fail(store, generation, Duration.seconds(20)))
      )
      assert.deepStrictEqual(again, {
        key: "k",
        from: "HalfOpen",
        to: "Open",
        retryAfter: Duration.seconds(20),
        consecutiveOpenings: 2
      })
    }).pipe(Effect.scoped)
  )

  it.effect("the probe of the process before is over, and what it was given says nothing", () =>
    Effect.gen(function* () {
      const layer = Layers.at(yield* temporaryDirectory, RocksDBCircuitBreaker.layer())
      const forever = yield* Scope.make()
      const old = yield* Effect.gen(function* () {
        const store = yield* Store
        yield* fail(store, (yield* admit(store)).generation, Duration.zero)
        return yield* Scope.provide(store.admit("k"), forever)
      }).pipe(Effect.provide(layer))
      assert.isTrue(old.probe)
      yield* Effect.gen(function* () {
        const store = yield* Store
        const state = yield* store.state("k")
        assert.isTrue(state._tag === "HalfOpen" && !state.probing)
        const probe = yield* Scope.provide(store.admit("k"), forever)
        assert.isTrue(probe.probe)
        assert.isUndefined(yield* fail(store, old.generation, Duration.seconds(1)))
        assert.strictEqual((yield* Effect.flip(admit(store))).reason._tag, "CircuitHalfOpen")
      }).pipe(Effect.provide(layer))
    }).pipe(Effect.scoped)
  )
})

describe("a probe", () => {
  it.effect("that goes without an outcome holds its circuit for 10 seconds more", () =>
    Effect.gen(function* () {
      const store = yield* RocksDBCircuitBreaker.make()
      yield* fail(store, (yield* admit(store)).generation, Duration.zero)
      assert.isTrue((yield* admit(store)).probe)
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual((yield* Effect.flip(admit(store))).reason._tag, "CircuitHalfOpen")
      yield* TestClock.adjust("1 millis")
      assert.isTrue((yield* admit(store)).probe)
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("is one, however many ask at once", () =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const store = yield* RocksDBCircuitBreaker.make()
      yield* fail(store, (yield* admit(store)).generation, Duration.zero)
      const answers = yield* Effect.forEach(
        Array.from({ length: 50 }),
        () => Effect.exit(Scope.provide(store.admit("k"), scope)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(answers.filter(({ _tag }) => _tag === "Success").length, 1)
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("a circuit", () => {
  it.effect("that sees successes alone, or refuses, writes nothing", () =>
    Effect.gen(function* () {
      const probe = new Probe()
      yield* Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({
          tripPolicy: CircuitBreaker.consecutive(1),
          openDuration: "1 hour"
        })
        const call = breaker.execute(Effect.void, { key: "k" })
        yield* call
        // The first call of a store reserves numbers.
        const before = begun(probe, "write")
        yield* Effect.repeat(call, { times: 9 })
        assert.strictEqual(begun(probe, "write"), before)
        yield* Effect.ignore(breaker.execute(Effect.fail("boom"), { key: "k" }))
        const opened = begun(probe, "write")
        assert.strictEqual((yield* Effect.flip(call)).reason._tag, "CircuitOpen")
        assert.strictEqual(begun(probe, "write"), opened)
      }).pipe(
        Effect.provide(RocksDBCircuitBreaker.layer()),
        Effect.scoped,
        Effect.provide(probed(yield* temporaryDirectory, probe))
      )
    }).pipe(Effect.scoped)
  )

  it.effect("that has been idle is removed in the background, and one that is used is not", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      const store = yield* RocksDBCircuitBreaker.make({ idleTimeToLive: "10 minutes" })
      const { generation } = yield* admit(store)
      yield* store.record({
        key: "k",
        generation,
        outcome: "Failure",
        tripPolicy: CircuitBreaker.consecutive(3),
        openFor: Duration.zero
      })
      // Used all the time, it keeps its count.
      for (let minutes = 0; minutes < 60; minutes += 3) {
        yield* TestClock.adjust("3 minutes")
        yield* TestClock.withLive(Effect.sleep("2 millis"))
        assert.strictEqual((yield* admit(store)).generation, generation)
      }
      for (let steps = 0; (yield* keysOf(database)).length > 2; steps++) {
        yield* TestClock.adjust("5 minutes")
        yield* TestClock.withLive(Effect.sleep("10 millis"))
        assert.isBelow(steps, 200)
      }
      assert.notStrictEqual((yield* admit(store)).generation, generation)
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("is not kept for a time that means nothing", () =>
    Effect.gen(function* () {
      const idleTimeToLive = 0
      assert.strictEqual(yield* tagOf(Effect.scoped(RocksDBCircuitBreaker.make({ idleTimeToLive }))), "InvalidArgument")
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )
})
