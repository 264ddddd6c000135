/**
 * Everything at the same time, in orders that a seed chooses: of all fibers that
 * could go on, one is picked at each step, so that a run that fails does so again
 * with its seed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Scheduler, Scope, Stream } from "effect"
import { bytes, entry, ledger, text } from "./support.ts"
import { type Watched, watched } from "./watched.ts"

/** Picks tasks at random, and lets fibers give way at random. */
class Picking implements Scheduler.Scheduler {
  readonly executionMode = "async"
  readonly #tasks: Array<() => void> = []
  #state: number
  #isScheduled = false

  constructor(seed: number) {
    this.#state = seed + 1
  }

  /** A whole number below a bound, by a linear congruential generator (Numerical Recipes). */
  readonly below = (bound: number): number => {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * bound)
  }

  shouldYield(): boolean {
    return this.below(5) === 0
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => {
        this.#tasks.push(task)
        if (!this.#isScheduled) setImmediate(this.#run)
        this.#isScheduled = true
      },
      flush: () => {}
    }
  }

  readonly #run = (): void => {
    const [task] = this.#tasks.splice(this.below(this.#tasks.length), 1)
    this.#isScheduled = this.#tasks.length > 0
    if (this.#isScheduled) setImmediate(this.#run)
    task?.()
  }
}

type Storage = Watched["storage"]

/** What callers were told. */
interface Told {
  /** The texts of acknowledged entries by their ids, of each ledger. */
  readonly acknowledged: ReadonlyArray<Map<bigint, string>>
  /** What each tail has seen. */
  readonly tails: ReadonlyArray<ReadonlyArray<string>>
  /** How many entries the fenced ledger had when its fence was acknowledged. */
  readonly fencedAt: number
}

/** Appends to three ledgers, of which the second is fenced and the third deleted meanwhile, and follows the first. */
const everything = (storage: Storage, below: (bound: number) => number): Effect.Effect<Told> =>
  Effect.gen(function* () {
    const acknowledged = [new Map<bigint, string>(), new Map<bigint, string>(), new Map<bigint, string>()]
    yield* Effect.all([storage.createLedger(), storage.createLedger(), storage.createLedger()])
    const append = (writer: number, round: number) =>
      Effect.suspend(() => {
        const which = below(3)
        const texts = Array.from({ length: 1 + below(3) }, (_, index) => `${writer}:${round}:${index}`)
        return Effect.map(Effect.exit(storage.appendAll(ledger(which), texts.map(bytes))), (exit) => {
          if (Exit.isFailure(exit)) return
          texts.forEach((value, index) => acknowledged[which]?.set(exit.value.from + BigInt(index), value))
        })
      })
    const writer = (name: number) =>
      Effect.forEach(
        Array.from({ length: 6 }, (_, round) => round),
        (round) => append(name, round),
        { discard: true }
      )
    const tail = (from: number) =>
      storage.tail(ledger(0), { from: entry(from) }).pipe(
        Stream.map(({ entryId, payload }) => `${entryId}=${text(payload)}`),
        Stream.runCollect
      )
    const tails = yield* Effect.forEach([0, 1, 5], (from) => Effect.forkChild(tail(from)))
    const writers = yield* Effect.forEach([0, 1, 2, 3, 4], (name) => Effect.forkChild(writer(name)))
    const interrupted = yield* Effect.forkChild(writer(5))
    const fence = yield* Effect.forkChild(storage.fence(ledger(1)))
    const deletion = yield* Effect.forkChild(storage.deleteLedger(ledger(2)))
    yield* Effect.replicateEffect(Effect.yieldNow, below(20))
    yield* Fiber.interrupt(interrupted)
    yield* Effect.forEach(writers, Fiber.join)
    yield* Fiber.join(deletion)
    const { entries } = yield* Fiber.join(fence)
    yield* storage.fence(ledger(0))
    return { acknowledged, tails: yield* Effect.forEach(tails, Fiber.join), fencedAt: entries }
  }).pipe(Effect.orDie)

/** Holds what callers were told against what is there. */
const compare = (storage: Storage, { acknowledged, fencedAt, tails }: Told): Effect.Effect<void> =>
  Effect.gen(function* () {
    const all = yield* Effect.forEach([0, 1], (which) => Stream.runCollect(storage.entries(ledger(which))))
    all.forEach((entries, which) => {
      assert.deepStrictEqual<unknown>(
        entries.map(({ entryId }) => entryId),
        entries.map((_, index) => BigInt(index))
      )
      const texts = entries.map(({ payload }) => text(payload))
      assert.strictEqual(new Set(texts).size, texts.length)
      for (const [entryId, value] of acknowledged[which] ?? []) assert.strictEqual(texts[Number(entryId)], value)
    })
    const first = all[0]?.map(({ entryId, payload }) => `${entryId}=${text(payload)}`) ?? []
    assert.deepStrictEqual(
      tails,
      [0, 1, 5].map((from) => first.slice(from))
    )
    assert.strictEqual(all[1]?.length, fencedAt)
    assert.isUndefined(yield* storage.ledger(ledger(2)))
  }).pipe(Effect.orDie)

/** One run; the calls of the log give way a few times, too. */
const run = (seed: number): Promise<void> => {
  const scheduler = new Picking(seed)
  const pause = Effect.suspend(() => Effect.replicateEffect(Effect.yieldNow, scheduler.below(4)))
  const program = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const { storage } = yield* Scope.provide(
      watched(
        { maxBytesInFlight: 200 + scheduler.below(2000), recentEntries: scheduler.below(3000), maxIdleLedgers: 1 },
        (backend) => ({
          ...backend,
          ledger: (ledgerId) => Effect.andThen(pause, backend.ledger(ledgerId)),
          log: {
            ...backend.log,
            append: (frames) => Effect.andThen(pause, backend.log.append(frames)),
            sync: Effect.andThen(pause, backend.log.sync),
            commit: (written) =>
              Effect.andThen(
                pause,
                Effect.tap(backend.log.commit(written), () => pause)
              )
          }
        })
      ),
      scope
    )
    const told = yield* everything(storage, scheduler.below)
    yield* compare(storage, told)
    yield* Scope.close(scope, Exit.void)
  })
  return Effect.runPromise(program, { scheduler })
}

describe("interleavings", () => {
  it("in each, callers are told what is there", async () => {
    for (let seed = 0; seed < 100; seed += 1) {
      await run(seed).catch((cause: unknown) => {
        throw new Error(`seed ${seed}`, { cause })
      })
    }
  })
})
