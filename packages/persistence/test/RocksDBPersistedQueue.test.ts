/**
 * The persisted queue: each element once to whom it is due, over failures,
 * interruptions, restarts and kills.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Exit, Fiber, Latch, Layer, Schedule, Schema, Scope } from "effect"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import { TestClock } from "effect/testing"
import { RocksDB } from "@effect-bookie/rocksdb"
import { RocksDBPersistedQueue } from "../src/index.ts"
import * as KeySpace from "../src/internal/KeySpace.ts"
import { QueueStore } from "../src/internal/queue/QueueStore.ts"
import { begun, FailingEngine, keysOf, Layers, Probe, probed, start, temporaryDirectory, until } from "./support.ts"

const Item = Schema.Struct({ n: Schema.BigInt })

const Store = PersistedQueue.PersistedQueueStore

/** A queue whose failed elements come back at once. */
const queueOf = (name: string, maxAttempts?: number) =>
  PersistedQueue.make({ name, schema: Item, maxAttempts, retrySchedule: Schedule.spaced(0) })

/** Lets what is under way come to its end, and the clock of the test go on. */
const settle = Effect.andThen(TestClock.adjust("1 second"), TestClock.withLive(Effect.sleep("30 millis")))

/** What every store does. */
const contract = (name: string, layer: Layer.Layer<PersistedQueue.PersistedQueueStore, unknown>) =>
  it.layer(Layer.provideMerge(PersistedQueue.layer, layer))(`a queue ${name}`, (it) => {
    it.effect("is first in, first out", () =>
      Effect.gen(function* () {
        const queue = yield* queueOf("order")
        for (const n of [3n, 1n, 2n]) yield* queue.offer({ n })
        const taken = yield* Effect.forEach([1, 2, 3], () => queue.take(({ n }) => Effect.succeed(n)))
        assert.deepStrictEqual(taken, [3n, 1n, 2n])
      })
    )

    it.effect("lets a taker wait for an element", () =>
      Effect.gen(function* () {
        const queue = yield* queueOf("waiting")
        const taker = yield* Effect.forkChild(queue.take(Effect.succeed))
        yield* settle
        assert.isUndefined(taker.pollUnsafe())
        yield* queue.offer({ n: 1n })
        assert.deepStrictEqual(yield* Fiber.join(taker), { n: 1n })
      })
    )

    it.effect("knows ids, of each queue by itself, also after the element was taken", () =>
      Effect.gen(function* () {
        const [queue, other] = [yield* queueOf("ids"), yield* queueOf("other ids")]
        yield* queue.offer({ n: 1n }, { id: "id" })
        yield* queue.offer({ n: 2n }, { id: "id" })
        yield* other.offer({ n: 3n }, { id: "id" })
        assert.deepStrictEqual(yield* queue.take(Effect.succeed), { n: 1n })
        assert.deepStrictEqual(yield* other.take(Effect.succeed), { n: 3n })
        yield* queue.offer({ n: 4n }, { id: "id" })
        const taker = yield* Effect.forkChild(queue.take(Effect.succeed))
        yield* settle
        assert.isUndefined(taker.pollUnsafe())
      })
    )

    it.effect("counts an attempt at the claim, and takes it back where the taker is interrupted", () =>
      Effect.gen(function* () {
        const queue = yield* queueOf("attempts")
        yield* queue.offer({ n: 1n })
        const attempt = (exit: Exit.Exit<void, string>) =>
          Effect.exit(queue.take((_, { attempts }) => Effect.andThen(Deferred.succeed(seen, attempts), exit)))
        let seen = yield* Deferred.make<number>()
        yield* attempt(Exit.fail("boom"))
        assert.strictEqual(yield* Deferred.await(seen), 1)
        const begun = yield* Latch.make()
        const taker = yield* Effect.forkChild(queue.take(() => Effect.andThen(begun.open, Effect.never)))
        yield* begun.await
        yield* Fiber.interrupt(taker)
        seen = yield* Deferred.make<number>()
        yield* attempt(Exit.die("defect"))
        assert.strictEqual(yield* Deferred.await(seen), 2)
        seen = yield* Deferred.make<number>()
        yield* attempt(Exit.void)
        assert.strictEqual(yield* Deferred.await(seen), 3)
      })
    )

    it.effect("gives up after the last attempt, and delivers what comes behind", () =>
      Effect.gen(function* () {
        const queue = yield* queueOf("exhausted", 2)
        yield* queue.offer({ n: 1n })
        yield* queue.offer({ n: 2n })
        const taken: Array<bigint> = []
        for (let take = 0; take < 3; take++) {
          yield* Effect.exit(
            queue.take(({ n }) => {
              taken.push(n)
              return n === 1n ? Effect.fail("boom") : Effect.void
            })
          )
        }
        assert.deepStrictEqual(taken.toSorted(), [1n, 1n, 2n])
        const taker = yield* Effect.forkChild(queue.take(Effect.succeed))
        yield* settle
        assert.isUndefined(taker.pollUnsafe())
      })
    )

    it.effect("never delivers before the delay has passed", () =>
      Effect.gen(function* () {
        const queue = yield* queueOf("delay")
        yield* queue.offer({ n: 1n }, { delay: "10 seconds" })
        yield* queue.offer({ n: 2n })
        assert.deepStrictEqual(yield* queue.take(Effect.succeed), { n: 2n })
        const taker = yield* Effect.forkChild(queue.take(Effect.succeed))
        yield* TestClock.adjust("9999 millis")
        yield* TestClock.withLive(Effect.sleep("30 millis"))
        assert.isUndefined(taker.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* Fiber.join(taker), { n: 1n })
      })
    )

    it.effect("delivers a failed element after the delay of the schedule", () =>
      Effect.gen(function* () {
        const queue = yield* PersistedQueue.make({ name: "retry", schema: Item })
        yield* queue.offer({ n: 1n })
        yield* Effect.exit(queue.take(() => Effect.fail("boom")))
        const taker = yield* Effect.forkChild(queue.take((_, { attempts }) => Effect.succeed(attempts)))
        yield* TestClock.adjust("999 millis")
        yield* TestClock.withLive(Effect.sleep("30 millis"))
        assert.isUndefined(taker.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(taker), 2)
      })
    )

    it.effect("sets aside what does not fit its schema, and goes on", () =>
      Effect.gen(function* () {
        const store = yield* Store
        const queue = yield* queueOf("dead letter")
        yield* store.offer({ name: "dead letter", id: "bad", element: { n: null }, isCustomId: true })
        yield* queue.offer({ n: 1n })
        assert.deepStrictEqual(yield* queue.take(Effect.succeed), { n: 1n })
        // Its id is known still.
        yield* queue.offer({ n: 2n }, { id: "bad" })
        const taker = yield* Effect.forkChild(queue.take(Effect.succeed))
        yield* settle
        assert.isUndefined(taker.pollUnsafe())
      })
    )

    it.effect("forgets ids after their time to live, and failed ones only if it is told to", () =>
      Effect.gen(function* () {
        const store = yield* Store
        const queue = yield* queueOf("cleanup", 1)
        yield* queue.offer({ n: 1n }, { id: "done" })
        yield* queue.take(Effect.succeed)
        yield* queue.offer({ n: 2n }, { id: "failed" })
        yield* Effect.exit(queue.take(() => Effect.fail("boom")))
        const offered = Effect.gen(function* () {
          yield* queue.offer({ n: 3n }, { id: "done" })
          yield* queue.offer({ n: 4n }, { id: "failed" })
          yield* queue.offer({ n: 0n })
          let [taken, last] = [0n, -1n]
          while (last !== 0n) taken += last = yield* queue.take(({ n }) => Effect.succeed(n))
          return taken
        })
        const timeToLive = Duration.seconds(10)
        yield* TestClock.adjust("9999 millis")
        yield* store.cleanup({ timeToLive, failedTimeToLive: timeToLive })
        assert.strictEqual(yield* offered, 0n)
        yield* TestClock.adjust("1 millis")
        yield* store.cleanup({ timeToLive, failedTimeToLive: undefined })
        assert.strictEqual(yield* offered, 3n)
        yield* store.cleanup({ timeToLive, failedTimeToLive: timeToLive })
        assert.strictEqual(yield* offered, 4n)
      })
    )

    it.effect("delivers each of many once, to many takers", () =>
      Effect.gen(function* () {
        const queue = yield* queueOf("many")
        const takers = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 600 }), () => queue.take(({ n }) => Effect.succeed(n)), {
            concurrency: 20
          })
        )
        const all = Array.from({ length: 600 }, (_, at) => BigInt(at))
        yield* Effect.forEach(all, (n) => queue.offer({ n }), { concurrency: "unbounded", discard: true })
        const taken = yield* Fiber.join(takers)
        assert.deepStrictEqual(
          taken.toSorted((left, right) => Number(left - right)),
          all
        )
      })
    )
  })

contract("in memory", PersistedQueue.layerStoreMemory)
contract("on RocksDB", Layers.on(RocksDBPersistedQueue.layer()))

/** Opens a queue at a path, in a scope that a test closes by hand. */
const open = (path: string) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const store = yield* Layer.build(Layers.at(path, RocksDBPersistedQueue.layer())).pipe(
      Scope.provide(scope),
      Effect.map(Layer.succeedContext)
    )
    return { store, close: Scope.close(scope, Exit.void) }
  })

const offer = (store: PersistedQueue.PersistedQueueStore["Service"], id: string, delay?: Duration.Duration) =>
  store.offer({ name: "q", id, element: { id }, isCustomId: true, delay })

const taking = { name: "q", maxAttempts: 3, retryDelay: () => Effect.succeed(Duration.millis(5)) }

describe("any history", () => {
  const Step = Schema.Union([
    Schema.TaggedStruct("offer", {
      id: Schema.Literals(["a", "b", "c", "d", "e"]),
      delay: Schema.Literals([0, 3, 10])
    }),
    Schema.TaggedStruct("take", { end: Schema.Literals(["complete", "fail", "interrupt"]) }),
    Schema.TaggedStruct("wait", { millis: Schema.Literals([1, 3, 10]) }),
    Schema.TaggedStruct("cleanup", { failed: Schema.Boolean }),
    Schema.TaggedStruct("reopen", {})
  ])

  interface Entry {
    readonly id: string
    readonly sequence: number
    visibleAt: number
    attempts: number
    phase: "pending" | "completed" | "failed"
  }

  it.effect.prop(
    "delivers as a list would that is sorted by time and number",
    [Schema.Array(Step)],
    ([steps]) =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        const entries = new Map<string, Entry>()
        let now = 0
        let sequence = 0
        let opened = yield* open(path)
        for (const step of steps) {
          const store = yield* Effect.provide(Store, opened.store)
          switch (step._tag) {
            case "offer":
              yield* offer(store, step.id, step.delay === 0 ? undefined : Duration.millis(step.delay))
              sequence += 1
              if (!entries.has(step.id)) {
                entries.set(step.id, {
                  id: step.id,
                  sequence,
                  visibleAt: now + step.delay,
                  attempts: 0,
                  phase: "pending"
                })
              }
              break
            case "take": {
              const [next] = [...entries.values()]
                .filter(({ phase, visibleAt }) => phase === "pending" && visibleAt <= now)
                .toSorted((left, right) => left.visibleAt - right.visibleAt || left.sequence - right.sequence)
              if (next === undefined) break
              const scope = yield* Scope.make()
              const taken = yield* Scope.provide(store.take(taking), scope)
              next.attempts += 1
              assert.deepStrictEqual(taken, { id: next.id, attempts: next.attempts, element: { id: next.id } })
              if (step.end === "complete") {
                yield* Scope.close(scope, Exit.void)
                next.phase = "completed"
              } else if (step.end === "interrupt") {
                yield* Scope.close(scope, Exit.interrupt())
                next.attempts -= 1
              } else {
                yield* Scope.close(scope, Exit.fail("boom"))
                if (next.attempts === 3) next.phase = "failed"
                else next.visibleAt = now + 5
              }
              break
            }
            case "wait":
              now += step.millis
              yield* TestClock.adjust(step.millis)
              break
            case "cleanup":
              yield* store.cleanup({
                timeToLive: Duration.zero,
                failedTimeToLive: step.failed ? Duration.zero : undefined
              })
              for (const [id, { phase }] of entries) {
                if (phase === "completed" || (phase === "failed" && step.failed)) entries.delete(id)
              }
              break
            case "reopen":
              yield* opened.close
              opened = yield* open(path)
          }
        }
        yield* opened.close
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 50 } }
  )
})

describe("an element", () => {
  it.effect("is found by who looks for it while it is being written", () =>
    Effect.gen(function* () {
      const engine = new FailingEngine()
      const database = yield* RocksDB.make({ path: yield* temporaryDirectory }).pipe(Effect.provide(engine.layer))
      const store = yield* RocksDBPersistedQueue.make().pipe(Effect.provideService(RocksDB.RocksDB, database))
      const release = engine.hold(() => true)
      yield* Effect.forkChild(offer(store, "a"))
      yield* until(() => engine.held === 1)
      const taker = yield* Effect.forkChild(Effect.scoped(store.take(taking)))
      yield* settle
      release()
      assert.strictEqual((yield* Fiber.join(taker)).id, "a")
    }).pipe(Effect.scoped)
  )

  it.effect("that could not be written is not there, and may be offered again", () =>
    Effect.gen(function* () {
      const engine = new FailingEngine()
      const database = yield* RocksDB.make({ path: yield* temporaryDirectory }).pipe(Effect.provide(engine.layer))
      const store = yield* RocksDBPersistedQueue.make().pipe(Effect.provideService(RocksDB.RocksDB, database))
      const taker = yield* Effect.forkChild(Effect.scoped(store.take(taking)))
      yield* settle
      engine.refuse(1, "IO error: While pwrite")
      assert.strictEqual((yield* Effect.flip(offer(store, "a")))._tag, "PersistedQueueError")
      yield* settle
      assert.isUndefined(taker.pollUnsafe())
      yield* offer(store, "a")
      assert.strictEqual((yield* Fiber.join(taker)).id, "a")
    }).pipe(Effect.scoped)
  )
})

describe("more elements than are kept in memory", () => {
  it.effect("come in their order, with what is given back, retried and offered meanwhile", () =>
    Effect.gen(function* () {
      const store = yield* RocksDBPersistedQueue.make()
      const ids = Array.from({ length: 400 }, (_, at) => `k${String(at).padStart(4, "0")}`)
      yield* Effect.forEach(ids, (id) => offer(store, id), { concurrency: "unbounded", discard: true })
      const take = (exit: Exit.Exit<void, string>) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const { id } = yield* Scope.provide(store.take(taking), scope)
          yield* Scope.close(scope, exit)
          return id
        })
      const taken: Array<string> = []
      for (let at = 0; at < 400; at++) {
        // One that is given back is the first again.
        if (at % 97 === 0) assert.strictEqual(yield* take(Exit.interrupt()), ids[at])
        taken.push(yield* take(at === 200 ? Exit.fail("boom") : Exit.void))
        if (at === 300) yield* offer(store, "last")
      }
      assert.deepStrictEqual(taken, ids)
      assert.strictEqual(yield* take(Exit.void), "last")
      yield* TestClock.adjust("5 millis")
      assert.strictEqual(yield* take(Exit.void), ids[200])
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("claims", () => {
  it.effect("of a process that is gone are released, with their attempts, and fail after the last one", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      for (const attempts of [1, 2, 3]) {
        const opened = yield* open(path)
        const store = yield* Effect.provide(Store, opened.store)
        yield* offer(store, "a")
        // It is never settled: its scope is left open, as that of a process that dies.
        const taken = yield* Scope.provide(store.take(taking), yield* Scope.make())
        assert.deepStrictEqual([taken.id, taken.attempts], ["a", attempts])
        yield* opened.close
      }
      const opened = yield* open(path)
      const store = yield* Effect.provide(Store, opened.store)
      yield* offer(store, "b")
      const taken = yield* Effect.scoped(store.take(taking))
      assert.strictEqual(taken.id, "b")
      yield* opened.close
    }).pipe(Effect.scoped)
  )

  it.effect("are seen by every layer over the same queue", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* RocksDBPersistedQueue.make(), yield* RocksDBPersistedQueue.make()]
      yield* offer(one, "a")
      const claim = yield* Scope.make()
      yield* Scope.provide(one.take(taking), claim)
      const taker = yield* Effect.forkChild(Effect.scoped(other.take(taking)))
      yield* settle
      assert.isUndefined(taker.pollUnsafe())
      yield* Scope.close(claim, Exit.fail("boom"))
      yield* TestClock.adjust("5 millis")
      assert.strictEqual((yield* Fiber.join(taker)).attempts, 2)
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("that are older than another settle nothing", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      const clock = yield* Clock.Clock
      const kind = { name: "test", firstByte: 0x7f, format: 1 }
      const store = yield* Effect.flatMap(KeySpace.open(kind, "", database), QueueStore.make)
      yield* store.offer({ queue: "q", id: "a" }, new TextEncoder().encode("{}"), () => 0, {})
      const claim = store.claim("q", 9, clock, (effect) => effect, {})
      const old = yield* claim
      yield* store.settle(old, { _tag: "giveBack" }, clock, {})
      const { attempts, token } = yield* claim
      assert.strictEqual(attempts, 1)
      assert.notStrictEqual(token, old.token)
      yield* store.settle(old, { _tag: "complete" }, clock, {})
      yield* store.settle(old, { _tag: "giveBack" }, clock, {})
      yield* store.settle({ ...old, token }, { _tag: "giveBack" }, clock, {})
      assert.strictEqual((yield* claim).attempts, 1)
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )

  it.effect("are on disk before the element is handed out, and share batches", () =>
    Effect.gen(function* () {
      const probe = new Probe()
      yield* Effect.gen(function* () {
        const store = yield* RocksDBPersistedQueue.make()
        for (let at = 0; at < 50; at++) yield* offer(store, `k${at}`)
        const release = probe.hold("write")
        const before = begun(probe, "write")
        const takers = yield* Effect.forEach(Array.from({ length: 50 }), () =>
          Effect.forkChild(Effect.scoped(store.take(taking)))
        )
        while (begun(probe, "write") === before) yield* Effect.yieldNow
        yield* settle
        assert.isTrue(takers.every((taker) => taker.pollUnsafe() === undefined))
        release()
        yield* Effect.forEach(takers, Fiber.join)
        assert.isAtMost(begun(probe, "write") - before, 12)
      }).pipe(Effect.scoped, Effect.provide(probed(yield* temporaryDirectory, probe)))
    }).pipe(Effect.scoped)
  )

  it.effect("that could not be written hand out nothing, and the element is taken once the disk works", () =>
    Effect.gen(function* () {
      const engine = new FailingEngine()
      const database = yield* RocksDB.make({ path: yield* temporaryDirectory }).pipe(Effect.provide(engine.layer))
      const store = yield* RocksDBPersistedQueue.make().pipe(Effect.provideService(RocksDB.RocksDB, database))
      yield* offer(store, "a")
      yield* offer(store, "b")
      engine.refuse(1, "IO error: While pwrite")
      const error = yield* Effect.flip(Effect.scoped(store.take(taking)))
      assert.strictEqual(error._tag, "PersistedQueueError")
      const taken = yield* Effect.forEach([1, 2], () => Effect.scoped(store.take(taking)))
      assert.deepStrictEqual(
        taken.map(({ attempts, id }) => [id, attempts]),
        [
          ["a", 1],
          ["b", 1]
        ]
      )
    }).pipe(Effect.scoped)
  )
})

describe("what is left on disk", () => {
  it.effect("of a completed element is its id, and nothing once that is forgotten", () =>
    Effect.gen(function* () {
      const database = yield* RocksDB.RocksDB
      const store = yield* RocksDBPersistedQueue.make()
      const before = yield* keysOf(database)
      for (let at = 0; at < 2_100; at += 70) {
        const ids = Array.from({ length: 70 }, (_, index) => `k${at + index}`)
        yield* Effect.forEach(ids, (id) => offer(store, id), { concurrency: "unbounded", discard: true })
        yield* Effect.forEach(ids, () => Effect.scoped(store.take(taking)), { concurrency: "unbounded", discard: true })
      }
      // The reservation of numbers is the first of them.
      assert.strictEqual((yield* keysOf(database)).length, before.length + 1 + 2 * 2_100)
      yield* store.cleanup({ timeToLive: Duration.zero, failedTimeToLive: undefined })
      assert.strictEqual((yield* keysOf(database)).length, before.length + 1)
    }).pipe(Effect.scoped, Effect.provide(RocksDB.layerTemp()))
  )
})

describe("after the release", () => {
  it.effect("who waits for an element is told so, and so is who comes later", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const store = yield* Scope.provide(RocksDBPersistedQueue.make(), scope)
      const takers = yield* Effect.forEach([1, 2], () => Effect.forkChild(Effect.scoped(store.take(taking))))
      yield* settle
      yield* Scope.close(scope, Exit.void)
      for (const taker of takers) assert.include((yield* Effect.flip(Fiber.join(taker))).message, "is closed")
      assert.include((yield* Effect.flip(offer(store, "a"))).message, "is closed")
      assert.include((yield* Effect.flip(Effect.scoped(store.take(taking)))).message, "is closed")
    }).pipe(Effect.provide(RocksDB.layerTemp()))
  )
})

describe("a process that is killed", () => {
  it.effect("delivers again what it had not settled, and nothing that it had", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const offered = new Set<string>()
      const began = new Set<string>()
      const settled = new Set<string>()
      for (const lines of [40, 300, 90]) {
        const child = yield* start("queue", path)
        yield* child.lines(lines)
        yield* child.kill
        yield* child.ended
        for (const line of child.printed()) {
          const [what = "", id = ""] = line.split(" ")
          if (what === "offered") offered.add(id)
          if (what === "began") assert.isFalse(settled.has(id), `${id} was settled before`)
          if (what === "began") began.add(id)
          if (what === "settled") settled.add(id)
        }
      }
      const left = yield* Effect.gen(function* () {
        const store = yield* Store
        yield* offer(store, "the end")
        const ids: Array<string> = []
        while (!ids.includes("the end")) ids.push((yield* Effect.scoped(store.take({ ...taking, maxAttempts: 99 }))).id)
        return ids.slice(0, -1)
      }).pipe(Effect.provide(Layers.at(path, RocksDBPersistedQueue.layer())), TestClock.withLive)
      for (const id of left) assert.isFalse(settled.has(id), `${id} was settled before`)
      // One that each taker had settled may not have been told any more, at each kill.
      const untold = [...offered].filter((id) => !settled.has(id) && !left.includes(id))
      for (const id of untold) assert.isTrue(began.has(id), `${id} is lost`)
      assert.isAtMost(untold.length, 3 * 3)
    }).pipe(Effect.scoped)
  )
})
