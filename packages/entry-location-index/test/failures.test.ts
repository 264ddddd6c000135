/**
 * Commits that fail leave nothing behind, in memory or on disk, however they
 * fail: histories in which the database refuses some, does some and fails all
 * the same, and may refuse what is to drop their traces too.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "../src/index.ts"
import {
  entry,
  everything,
  FailingEngine,
  type Index,
  isCommit,
  layer,
  range,
  tagOf,
  temporaryDirectory,
  using
} from "./support.ts"

const ledger = LedgerId.make

const Commit = Schema.Struct({
  ledgerId: Schema.Literals([1n, 2n, 3n]),
  deletes: Schema.Boolean,
  from: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 600 })),
  count: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 })),
  /** What becomes of it. */
  fate: Schema.Literals(["done", "done", "refused", "done but failed", "done but failed, and its traces stay"]),
  afterwards: Schema.Literals(["go on", "go on", "compact", "reopen"])
})

type Commit = typeof Commit.Type

/** The entries of ledgers, by `ledger:entry`. */
type State = ReadonlyMap<string, bigint>

const after = (state: State, { count, deletes, from, ledgerId }: Commit, nth: number): State => {
  const next = new Map([...state].filter(([key]) => !deletes || !key.startsWith(`${ledgerId}:`)))
  for (let at = 0; at < count; at++) next.set(`${ledgerId}:${from + at}`, BigInt(nth) * 1000n + BigInt(at))
  return next
}

const commit = (index: Index, { count, deletes, from, ledgerId }: Commit, nth: number) =>
  Effect.all(
    [
      ...(deletes ? [index.deleteLedger(ledger(ledgerId))] : []),
      index.addLocations(range(ledgerId, from, from + count, (entryId) => BigInt(nth) * 1000n + entryId - BigInt(from)))
    ],
    { concurrency: "unbounded", discard: true }
  )

const assertEqual = (index: Index, state: State) =>
  Effect.gen(function* () {
    const found = yield* everything(index)
    assert.deepStrictEqual(
      new Map(found.map(({ entryId, ledgerId, location }) => [`${ledgerId}:${entryId}`, location as bigint])),
      state
    )
    assert.strictEqual(yield* index.entryCount, BigInt(state.size))
    assert.deepStrictEqual(
      yield* index.getLocations(found),
      found.map(({ location }) => location)
    )
    for (const ledgerId of [1n, 2n, 3n]) {
      assert.strictEqual(
        yield* index.getLastEntryInLedger(ledger(ledgerId)),
        found.findLast((one) => one.ledgerId === ledgerId)?.entryId
      )
    }
  })

const history = (path: string, commits: ReadonlyArray<Commit>, options: EntryLocationIndex.Options) =>
  Effect.gen(function* () {
    let state: State = new Map()
    const pending = [...commits.entries()]
    const engine = new FailingEngine()
    while (pending.length > 0) {
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          yield* assertEqual(index, state)
          let isSuspect = false
          while (true) {
            const [nth, next] = pending.shift() ?? []
            if (nth === undefined || next === undefined) break
            if (next.fate !== "done") {
              engine.refuse(next.fate === "done but failed, and its traces stay" ? 2 : 1, "IO error: it broke", {
                isMeant: isCommit,
                isDone: (operations) => next.fate !== "refused" && operations.at(-1)?.type === "put"
              })
            }
            const exit = yield* Effect.exit(commit(index, next, nth))
            if (Exit.isSuccess(exit)) state = after(state, next, nth)
            else isSuspect = engine.left === 0 && next.fate === "done but failed, and its traces stay"
            engine.accept()
            yield* assertEqual(index, state)
            if (next.afterwards === "compact") yield* index.compact
            if (next.afterwards === "reopen" && !isSuspect) break
          }
          // What the traces of the last one go with.
          yield* index.addLocations([entry(9n, 0n, 0n)])
          yield* index.deleteLedger(ledger(9n))
        })
      ).pipe(Effect.provide(layer(path, options, engine.layer)))
    }
    yield* using(path, (index) => assertEqual(index, state))
  })

describe("random histories of commits that fail", () => {
  for (const memtableSize of ["128 MiB", 10_000, 0] as const) {
    it.effect.prop(
      `leave what the others left, with memtables of ${memtableSize}`,
      { commits: Schema.Array(Commit).check(Schema.isMaxLength(12)) },
      ({ commits }) =>
        Effect.scoped(
          Effect.flatMap(temporaryDirectory, (path) => history(path, commits, { durability: "buffered", memtableSize }))
        ),
      { arbitrary: { runs: 25 } }
    )
  }
})

/** A test of an index whose first write of a commit is done and fails, and so many writes in all. */
const failing = (
  name: string,
  times: number,
  body: (
    index: Index,
    fail: Effect.Effect<void>
  ) => Effect.Effect<ReadonlyArray<EntryLocationIndex.EntryLocation>, unknown>
) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      const expected = yield* EntryLocationIndex.EntryLocationIndex.use((index) => {
        const fail = Effect.gen(function* () {
          engine.refuse(times, "IO error: fdatasync", {
            isMeant: isCommit,
            isDone: (operations) => operations.at(-1)?.type === "put"
          })
          const batch = yield* index.makeBatch
          for (const one of [...range(1n, 5, 400, () => 3n), ...range(8n, 0, 70_000), ...range(9n, 0, 70_000)]) {
            batch.add(one.ledgerId, one.entryId, one.location)
          }
          assert.strictEqual(yield* tagOf(batch.commit), "IOError")
          assert.strictEqual(engine.left, 0)
        })
        return body(index, Effect.orDie(fail as Effect.Effect<void>))
      }).pipe(Effect.provide(layer(path, { durability: "buffered" }, engine.layer)))
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), expected)
          assert.strictEqual(yield* index.entryCount, BigInt(expected.length))
          assert.isUndefined(yield* index.getLastEntryInLedger(ledger(8n)))
          yield* index.addLocation(ledger(1n), EntryId.make(0n), Location.make(0n))
        })
      )
    }).pipe(Effect.scoped)
  )

describe("a commit that was done and is told to have failed", () => {
  failing("leaves nothing at the next open", 1, (index, fail) =>
    Effect.gen(function* () {
      yield* index.addLocations(range(1n, 0, 10))
      yield* fail
      assert.deepStrictEqual(yield* everything(index), range(1n, 0, 10))
      return range(1n, 0, 10)
    })
  )

  failing("leaves nothing at the next open, as the first of all", 1, (_, fail) => Effect.as(fail, []))

  failing(
    "and whose traces stay, leaves nothing behind the next commit, though that has fewer records",
    2,
    (index, fail) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 10))
        yield* fail
        assert.deepStrictEqual(yield* everything(index), range(1n, 0, 10))
        yield* index.addLocations(range(2n, 0, 10))
        return [...range(1n, 0, 10), ...range(2n, 0, 10)]
      })
  )

  failing("and whose traces stay, leaves nothing behind a checkpoint and the next commit", 2, (index, fail) =>
    Effect.gen(function* () {
      yield* index.addLocations(range(1n, 0, 10))
      yield* fail
      yield* index.compact
      yield* index.addLocations(range(2n, 0, 10))
      yield* index.compact
      yield* index.addLocations(range(3n, 0, 10))
      return [1n, 2n, 3n].flatMap((ledgerId) => range(ledgerId, 0, 10))
    })
  )

  failing("several times in a row leaves nothing behind the next commit", 2, (index, fail) =>
    Effect.gen(function* () {
      yield* fail
      yield* index.addLocations([])
      yield* fail
      yield* fail
      yield* index.deleteLedger(ledger(1n))
      yield* index.addLocations(range(2n, 0, 10))
      return range(2n, 0, 10)
    })
  )
})
