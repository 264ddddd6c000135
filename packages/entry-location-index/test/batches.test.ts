/**
 * Batches: whatever becomes of their commits, and whoever waits for them or
 * leaves, what was added last is what is there in the end.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Schema } from "effect"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "../src/index.ts"
import {
  entry,
  everything,
  FailingEngine,
  type Index,
  isCommit,
  layer,
  tagOf,
  temporaryDirectory,
  until
} from "./support.ts"

const ledger = LedgerId.make

/** Runs a test with an index on an engine whose writes can be refused or held back. */
const withEngine = (body: (index: Index, engine: FailingEngine) => Effect.Effect<void, unknown>) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const engine = new FailingEngine()
    yield* EntryLocationIndex.EntryLocationIndex.use((index) => body(index, engine)).pipe(
      Effect.provide(layer(path, { durability: "buffered" }, engine.layer))
    )
  }).pipe(Effect.scoped)

const add = (batch: EntryLocationIndex.Batch, location: bigint, entryId = 1n) =>
  batch.add(ledger(1n), EntryId.make(entryId), Location.make(location))

describe("the commits of one batch", () => {
  it.effect("that are under way at once and fail leave the location that was added last", () =>
    withEngine((index, engine) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        engine.refuse(Infinity, "IO error: it broke", { isMeant: isCommit })
        const commits: Array<Fiber.Fiber<string, unknown>> = []
        for (let location = 1n; location <= 5n; location++) {
          add(batch, location)
          commits.push(yield* Effect.forkChild(tagOf(batch.commit), { startImmediately: true }))
        }
        for (const commit of commits) assert.strictEqual(yield* Fiber.join(commit), "IOError")
        engine.accept()
        yield* batch.commit
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 1n, 5n)])
        assert.strictEqual(batch.size, 0)
      })
    )
  )

  it.effect("one of which fails and the next one does not write the later location last", () =>
    withEngine((index, engine) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        const begun = yield* Latch.make()
        const goOn = yield* Latch.make()
        engine.refuse(1, "IO error: it broke", { before: Effect.andThen(begun.open, goOn.await) })
        add(batch, 1n)
        const first = yield* Effect.forkChild(tagOf(batch.commit))
        yield* begun.await
        add(batch, 2n)
        const second = yield* Effect.forkChild(batch.commit, { startImmediately: true })
        yield* goOn.open
        assert.strictEqual(yield* Fiber.join(first), "IOError")
        yield* Fiber.join(second)
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 1n, 2n)])
        assert.strictEqual(batch.size, 0, "what the first one could not add, the second one did")
        yield* batch.commit
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 1n, 2n)])
      })
    )
  )

  it.effect("that are interrupted go on, and what fails then is in the batch again", () =>
    withEngine((index, engine) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        const begun = yield* Latch.make()
        const goOn = yield* Latch.make()
        engine.refuse(1, "IO error: it broke", { before: Effect.andThen(begun.open, goOn.await) })
        add(batch, 1n)
        add(batch, 1n, 2n)
        const left = yield* Effect.forkChild(batch.commit)
        yield* begun.await
        yield* Fiber.interrupt(left)
        add(batch, 3n)
        yield* goOn.open
        // The next one waits for it, and has what it could not add.
        yield* batch.commit
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 1n, 3n), entry(1n, 2n, 1n)])
      })
    )
  )

  it.effect("that wait for one another can be interrupted, and then they have taken nothing", () =>
    withEngine((index, engine) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        const release = engine.hold(isCommit)
        add(batch, 1n)
        const first = yield* Effect.forkChild(batch.commit)
        yield* until(() => engine.held === 1)
        add(batch, 2n, 2n)
        const second = yield* Effect.forkChild(batch.commit, { startImmediately: true })
        yield* Fiber.interrupt(second)
        assert.strictEqual(batch.size, 1)
        release()
        yield* Fiber.join(first)
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 1n, 1n)])
        yield* batch.commit
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 1n, 1n), entry(1n, 2n, 2n)])
      })
    )
  )

  it.effect("of an index that is released answer Closed, and lose nothing of the batch", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const batch = yield* EntryLocationIndex.EntryLocationIndex.use((index) => index.makeBatch).pipe(
        Effect.provide(layer(path))
      )
      add(batch, 1n)
      assert.strictEqual(yield* tagOf(batch.commit), "Closed")
      assert.strictEqual(batch.size, 1)
    }).pipe(Effect.scoped)
  )
})

const Step = Schema.Union([
  Schema.TaggedStruct("add", { entryId: Schema.Literals([1n, 2n, 3n]) }),
  /** How many of the next writes fail, and whether they are done all the same. */
  Schema.TaggedStruct("refuse", { times: Schema.Literals([1, 2, 3]), isDone: Schema.Boolean }),
  Schema.TaggedStruct("commit", { how: Schema.Literals(["and wait", "and go on", "and leave", "and leave at once"]) }),
  Schema.TaggedStruct("pass", {})
])

describe("random histories of a batch", () => {
  it.effect.prop(
    "end with what was added last, once a commit has succeeded",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(25)) },
    ({ steps }) =>
      withEngine((index, engine) =>
        Effect.gen(function* () {
          const batch = yield* index.makeBatch
          const added = new Map<bigint, bigint>()
          const waiting: Array<Fiber.Fiber<unknown, unknown>> = []
          for (const [nth, step] of steps.entries()) {
            if (step._tag === "add") {
              add(batch, BigInt(nth), step.entryId)
              added.set(step.entryId, BigInt(nth))
            } else if (step._tag === "refuse") {
              engine.refuse(step.times, "IO error: it broke", { isMeant: isCommit, isDone: () => step.isDone })
            } else if (step._tag === "commit") {
              const startImmediately = step.how !== "and leave at once"
              const fiber = yield* Effect.forkChild(Effect.exit(batch.commit), { startImmediately })
              if (step.how === "and wait") yield* Fiber.join(fiber)
              else if (step.how === "and go on") waiting.push(fiber)
              else yield* Fiber.interrupt(fiber)
            } else {
              yield* Effect.yieldNow
            }
          }
          yield* Effect.forEach(waiting, Fiber.await)
          engine.accept()
          assert.isTrue(Exit.isSuccess(yield* Effect.exit(batch.commit)))
          const expected = [...added].toSorted(([left], [right]) => Number(left - right))
          assert.deepStrictEqual(
            yield* everything(index),
            expected.map(([entryId, location]) => entry(1n, entryId, location))
          )
          assert.strictEqual(batch.size, 0)
        })
      ),
    { arbitrary: { runs: 60 } }
  )
})
