/**
 * Entries that are moved by compare-and-set: only those that are still where
 * they were copied from, whatever happens at the same time.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema, Stream } from "effect"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "../src/index.ts"
import {
  entry,
  everything,
  FailingEngine,
  type Index,
  isCommit,
  layer,
  maxId,
  range,
  reasonOf,
  temporaryDirectory,
  using
} from "./support.ts"

const move = (ledgerId: bigint, entryId: bigint, from: bigint, to: bigint): EntryLocationIndex.EntryMove => ({
  ledgerId: LedgerId.make(ledgerId),
  entryId: EntryId.make(entryId),
  from: Location.make(from),
  to: Location.make(to)
})

const columnsOf = (moves: ReadonlyArray<EntryLocationIndex.EntryMove>): EntryLocationIndex.EntryMoveColumns => ({
  ledgerIds: BigInt64Array.from(moves, ({ ledgerId }) => ledgerId),
  entryIds: BigInt64Array.from(moves, ({ entryId }) => entryId),
  from: BigInt64Array.from(moves, ({ from }) => from),
  to: BigInt64Array.from(moves, ({ to }) => to)
})

const withIndex = (
  body: (index: Index, engine: FailingEngine) => Effect.Effect<void, unknown>,
  options?: EntryLocationIndex.Options
) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const engine = new FailingEngine()
    yield* EntryLocationIndex.EntryLocationIndex.use((index) => body(index, engine)).pipe(
      Effect.provide(layer(path, options, engine.layer))
    )
  }).pipe(Effect.scoped)

describe("moves", () => {
  it.effect("are made of entries that are where they were copied from, and of no others, and last", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const moves = [
        move(1n, 0n, 100n, 200n),
        move(1n, 1n, 100n, 201n),
        move(1n, 2n, 102n, 0n),
        move(2n, 0n, 100n, 203n),
        move(3n, maxId, maxId, 204n)
      ]
      const given = [entry(1n, 0n, 100n), entry(1n, 1n, 101n), entry(1n, 2n, 102n), entry(3n, maxId, maxId)]
      yield* using(path, (index) =>
        Effect.gen(function* () {
          yield* index.addLocations(given)
          assert.strictEqual(yield* index.moveLocations(moves), 3)
          assert.strictEqual(yield* index.moveLocations(columnsOf(moves)), 0)
          assert.strictEqual(yield* index.moveLocations([]), 0)
        })
      )
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), [
            entry(1n, 0n, 200n),
            entry(1n, 1n, 101n),
            entry(1n, 2n, 0n),
            entry(3n, maxId, 204n)
          ])
          assert.strictEqual(yield* index.entryCount, 4n)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("find entries that are in pages on disk alone, many at once", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const entries = [1n, 2n, 3n].flatMap((ledgerId) => range(ledgerId, 0, 20_000))
      const moves = entries.map(({ entryId, ledgerId, location }) =>
        move(ledgerId, entryId, location, location + 5_000_000n)
      )
      yield* using(path, (index) => Effect.andThen(index.addLocations(entries), index.compact))
      yield* using(
        path,
        (index) =>
          Effect.gen(function* () {
            yield* index.deleteLedger(LedgerId.make(2n))
            assert.strictEqual(yield* index.moveLocations(columnsOf(moves)), 40_000)
            const expected = moves
              .filter(({ ledgerId }) => ledgerId !== 2n)
              .map(({ entryId, ledgerId, to }) => entry(ledgerId, entryId, to))
            assert.deepStrictEqual(yield* everything(index), expected)
          }),
        { pageCacheSize: 0 }
      )
    }).pipe(Effect.scoped)
  )

  it.effect("come after what was asked for before them, also where all share their turn", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        yield* index.addLocations([entry(1n, 0n, 100n), entry(1n, 1n, 100n), entry(2n, 0n, 100n)])
        const [, , moved] = yield* Effect.all(
          [
            index.addLocations([entry(1n, 0n, 150n)]),
            index.deleteLedger(LedgerId.make(2n)),
            index.moveLocations([move(1n, 0n, 100n, 200n), move(1n, 1n, 100n, 201n), move(2n, 0n, 100n, 202n)]),
            index.addLocations([entry(1n, 1n, 300n)])
          ],
          { concurrency: "unbounded" }
        )
        assert.strictEqual(moved, 1)
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 0n, 150n), entry(1n, 1n, 300n)])
      })
    )
  )

  it.effect("that fail leave all entries where they were, and can be made again", () =>
    withIndex((index, engine) =>
      Effect.gen(function* () {
        const entries = range(1n, 0, 1000)
        const moves = entries.map(({ entryId, location }) => move(1n, entryId, location, location + 5_000_000n))
        yield* index.addLocations(entries)
        engine.refuse(1, "IO error: it broke", { isMeant: isCommit, isDone: () => true })
        assert.isTrue(Exit.isFailure(yield* Effect.exit(index.moveLocations(moves))))
        assert.deepStrictEqual(yield* everything(index), entries)
        assert.strictEqual(yield* index.moveLocations(moves), 1000)
      })
    )
  )

  it.effect.each<readonly [what: string, moves: () => ReadonlyArray<EntryLocationIndex.EntryMove>, words: string]>([
    // @ts-expect-error a location is a bigint
    ["a location that is none", () => [{ ...move(1n, 0n, 0n, 0n), to: 7 }], "the location must be a bigint"],
    // @ts-expect-error a move is an object
    ["what is no move", () => [move(1n, 0n, 0n, 1n), 7], "move 1: it must be an object"]
  ])("with %s are refused, all of them", ([, moves, words]) =>
    withIndex((index) =>
      Effect.gen(function* () {
        const reason = yield* reasonOf(index.moveLocations(moves()))
        assert.strictEqual(reason._tag, "InvalidArgument")
        assert.include(reason.message, words)
      })
    )
  )

  it.effect("whose columns are not as long as one another are refused", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        const columns = { ...columnsOf([move(1n, 0n, 0n, 0n)]), to: new BigInt64Array(2) }
        assert.include((yield* reasonOf(index.moveLocations(columns))).message, "as long as one another")
      })
    )
  )
})

const Id = { ledgerId: Schema.Literals([1n, 2n, 2n ** 53n]), entryId: Schema.Literals([0n, 1n, 255n, 256n, 2n ** 53n]) }
const At = Schema.Literals([0n, 1n, 2n])
const Step = Schema.Union([
  Schema.TaggedStruct("add", { ...Id, location: At }),
  Schema.TaggedStruct("delete", { ledgerId: Id.ledgerId }),
  Schema.TaggedStruct("move", {
    moves: Schema.Array(Schema.Struct({ ...Id, from: At, to: At })).check(Schema.isMaxLength(6))
  })
])

type Step = typeof Step.Type

const nameOf = ({ entryId, ledgerId }: { readonly ledgerId: bigint; readonly entryId: bigint }): string =>
  `${ledgerId}:${entryId}`

/** Applies a step to a model, and answers how many entries it moves. */
const apply = (model: Map<string, bigint>, step: Step): number => {
  if (step._tag === "add") model.set(nameOf(step), step.location)
  if (step._tag === "delete") {
    for (const name of model.keys()) if (name.startsWith(`${step.ledgerId}:`)) model.delete(name)
  }
  if (step._tag !== "move") return 0
  const made = once(step.moves).filter((one) => model.get(nameOf(one)) === one.from)
  for (const one of made) model.set(nameOf(one), one.to)
  return made.length
}

const once = <A extends { readonly ledgerId: bigint; readonly entryId: bigint }>(
  moves: ReadonlyArray<A>
): ReadonlyArray<A> => [...new Map(moves.map((one) => [nameOf(one), one])).values()]

const run = (index: Index, step: Step): Effect.Effect<number | void, unknown> => {
  switch (step._tag) {
    case "add":
      return index.addLocations([entry(step.ledgerId, step.entryId, step.location)])
    case "delete":
      return index.deleteLedger(LedgerId.make(step.ledgerId))
    case "move": {
      const moves = once(step.moves).map(({ entryId, from, ledgerId, to }) => move(ledgerId, entryId, from, to))
      return index.moveLocations(moves)
    }
  }
}

describe("random moves among adds and deletes", () => {
  for (const isAtOnce of [false, true]) {
    it.effect.prop(
      `are what a model makes of them, asked for ${isAtOnce ? "all at once" : "one after another"}`,
      { steps: Schema.Array(Step).check(Schema.isMaxLength(20)) },
      ({ steps }) =>
        withIndex(
          (index) =>
            Effect.gen(function* () {
              const model = new Map<string, bigint>()
              const expected = steps.map((step) => apply(model, step))
              const moved = yield* Effect.forEach(steps, (step) => run(index, step), {
                concurrency: isAtOnce ? "unbounded" : 1
              })
              assert.deepStrictEqual(
                moved.map((count) => count ?? 0),
                expected
              )
              const found = yield* everything(index)
              assert.deepStrictEqual(new Map(found.map((one) => [nameOf(one), one.location as bigint])), model)
              assert.strictEqual(yield* index.entryCount, BigInt(model.size))
              for (const ledgerId of yield* Stream.runCollect(index.ledgers)) {
                const columns = yield* Stream.runCollect(index.entryColumns(ledgerId))
                assert.deepStrictEqual(
                  columns.flatMap(({ entryIds, locations }) =>
                    Array.from(entryIds, (entryId, at) => entry(ledgerId, entryId, locations[at] ?? -1n))
                  ),
                  found.filter((one) => one.ledgerId === ledgerId)
                )
              }
            }),
          { durability: "buffered", memtableSize: 2000 }
        ),
      { arbitrary: { runs: 40 } }
    )
  }
})
