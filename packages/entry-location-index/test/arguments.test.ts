/**
 * Arguments that no type allows, and those that change after they were passed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { RocksDBError } from "@effect-bookie/rocksdb"
import { EntryId, type EntryLocationIndex, LedgerId } from "../src/index.ts"
import * as Arguments from "../src/internal/arguments.ts"
import { entry, everything, id, type Index, range, tagOf, temporaryDirectory, using } from "./support.ts"

const ledger = LedgerId.make

describe("an id that cannot be made a string", () => {
  it("is refused like any other", () => {
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const odd = [
      Object.create(null),
      { toString: () => assert.fail("called") },
      Symbol("id"),
      () => 1n,
      revoked.proxy,
      {
        get [Symbol.toStringTag]() {
          return assert.fail("called")
        }
      }
    ]
    for (const value of odd) {
      assert.include(Arguments.checkLocation(value, 1n, 1n), "the ledger id must be a bigint")
      assert.include(Arguments.checkLocation(1n, value, 1n), "the entry id must be a bigint")
      assert.include(Arguments.checkLocation(1n, 1n, value), "the location must be a bigint")
    }
  })
})

const withIndex = (body: (index: Index) => Effect.Effect<void, RocksDBError.RocksDBError>) =>
  Effect.scoped(Effect.flatMap(temporaryDirectory, (path) => using(path, body)))

const throwing = {
  get ledgerId(): LedgerId.LedgerId {
    return assert.fail("out of luck")
  },
  entryId: EntryId.make(1n)
}

const noLists: ReadonlyArray<unknown> = [
  undefined,
  null,
  7,
  "entries",
  {},
  { length: 1, 0: entry(1n, 1n, 1n) },
  new Set([entry(1n, 1n, 1n)]),
  [null],
  [undefined],
  [entry(1n, 1n, 1n), 7],
  Object.assign([], { length: 1 }),
  [throwing],
  [{ ledgerId: 1, entryId: 1n, location: 1n }],
  new Proxy([entry(1n, 1n, 1n)], { get: () => assert.fail("out of luck") })
]

describe("what is no list of entries or ids", () => {
  for (const [nth, list] of noLists.entries()) {
    it.effect(`is an InvalidArgument, and nothing of it is done: ${nth}`, () =>
      withIndex((index) =>
        Effect.gen(function* () {
          yield* index.addLocations(range(9n, 0, 2))
          const never = list as never
          const operations: ReadonlyArray<() => Effect.Effect<unknown, RocksDBError.RocksDBError>> = [
            () => index.addLocations(never),
            () => index.updateLocations(never),
            () => index.getLocations(never),
            () => index.deleteLedgers(never)
          ]
          for (const operation of operations) {
            assert.strictEqual(yield* tagOf(Effect.suspend(operation)), "InvalidArgument")
          }
          assert.deepStrictEqual(yield* everything(index), range(9n, 0, 2))
        })
      )
    )
  }

  it.effect("nor a range is an InvalidArgument of the stream", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        for (const range of [
          null,
          7,
          { from: null },
          { to: 1 },
          { from: -1n },
          { to: 2n ** 63n },
          Object.defineProperty({}, "from", { get: () => assert.fail("out of luck") })
        ]) {
          assert.strictEqual(
            yield* tagOf(Stream.runDrain(index.entries(ledger(1n), range as never))),
            "InvalidArgument"
          )
        }
        assert.strictEqual(yield* tagOf(Stream.runDrain(index.entries("1" as never))), "InvalidArgument")
      })
    )
  )
})

describe("a list that is filled after the effect was made", () => {
  it.effect("is checked and taken when it runs, each time anew", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        const entries: Array<EntryLocationIndex.EntryLocation> = []
        const ids: Array<EntryLocationIndex.EntryLocationId> = []
        const ledgers: Array<LedgerId.LedgerId> = []
        const window: { from?: EntryId.EntryId; to?: EntryId.EntryId } = {}
        const add = index.addLocations(entries)
        const get = index.getLocations(ids)
        const remove = index.deleteLedgers(ledgers)
        const scan = Stream.runCollect(index.entries(ledger(1n), window))
        yield* add
        assert.deepStrictEqual(yield* get, [])
        entries.push(...range(1n, 0, 5))
        ids.push(id(1n, 3n), id(1n, 9n))
        yield* add
        assert.deepStrictEqual(yield* get, [range(1n, 3, 4)[0]?.location, undefined])
        window.from = EntryId.make(4n)
        assert.deepStrictEqual(yield* scan, range(1n, 4, 5))
        const all: ReadonlyArray<[Array<unknown>, Effect.Effect<unknown, RocksDBError.RocksDBError>]> = [
          [entries, add],
          [ids, get],
          [ledgers, remove]
        ]
        for (const [list, effect] of all) {
          list.push(-1n)
          assert.strictEqual(yield* tagOf(effect), "InvalidArgument")
          list.pop()
        }
        window.to = -1n as EntryId.EntryId
        assert.strictEqual(yield* tagOf(scan), "InvalidArgument")
        ledgers.push(ledger(1n))
        yield* remove
        assert.strictEqual(yield* index.entryCount, 0n)
      })
    )
  )

  it.effect("while a lookup of it is under way does not change what that answers", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 30_000))
        yield* index.compact
        const ids: Array<EntryLocationIndex.EntryLocationId> = range(1n, 0, 30_000)
        const [found] = yield* Effect.all(
          [
            index.getLocations(ids),
            Effect.sync(() => {
              ids.length = 0
            })
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          found,
          range(1n, 0, 30_000).map(({ location }) => location)
        )
        assert.strictEqual(index.statistics.lookups.found.count, 30_000)
      })
    )
  )
})
