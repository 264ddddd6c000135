/**
 * What BookKeeper's own tests of its index do, written anew, and what it is
 * known to get wrong.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { EntryId, type EntryLocationIndex, LedgerId, Location } from "../src/index.ts"
import { entry, everything, id, maxId, range, reasonOf, tagOf, temporaryDirectory, using } from "./support.ts"

const ledger = LedgerId.make

const test = (name: string, body: (path: string) => Effect.Effect<void, unknown>) =>
  it.effect(name, () => Effect.scoped(Effect.flatMap(temporaryDirectory, body)))

describe("BookKeeper's scenarios", () => {
  test("several ledgers are added in several batches, and one is deleted", (path) =>
    Effect.gen(function* () {
      yield* using(path, (index) =>
        Effect.gen(function* () {
          yield* index.addLocations([entry(40312n, 0n, 1n), entry(40313n, 10n, 2n), entry(40320n, 0n, 3n)])
          const batch = yield* index.makeBatch
          batch.add(ledger(40313n), EntryId.make(11n), Location.make(4n))
          batch.add(ledger(40320n), EntryId.make(1n), Location.make(5n))
          yield* batch.commit
          yield* index.deleteLedger(ledger(40313n))
        })
      )
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), [
            entry(40312n, 0n, 1n),
            entry(40320n, 0n, 3n),
            entry(40320n, 1n, 5n)
          ])
          assert.isUndefined(yield* index.getLocation(ledger(40313n), EntryId.make(10n)))
        })
      )
    }))

  test("of a thousand ledgers with a hundred entries each half are deleted", (path) =>
    Effect.gen(function* () {
      const ledgers = Array.from({ length: 1000 }, (_, at) => BigInt(at))
      const deleted = ledgers.filter((ledgerId) => ledgerId % 2n === 0n)
      yield* using(path, (index) =>
        Effect.gen(function* () {
          yield* index.addLocations(ledgers.flatMap((ledgerId) => range(ledgerId, 0, 100)))
          assert.strictEqual(yield* index.entryCount, 100_000n)
          yield* Effect.forEach(deleted, (ledgerId) => index.deleteLedger(ledger(ledgerId)), { concurrency: 100 })
          assert.strictEqual(yield* index.entryCount, 50_000n)
        })
      )
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* index.entryCount, 50_000n)
          const kept = ledgers.filter((ledgerId) => ledgerId % 2n === 1n)
          assert.deepStrictEqual(yield* Stream.runCollect(index.ledgers), kept.map(ledger))
          assert.deepStrictEqual(
            yield* everything(index),
            kept.flatMap((ledgerId) => range(ledgerId, 0, 100))
          )
          for (const ledgerId of deleted) {
            assert.isUndefined(yield* index.getLastEntryInLedger(ledger(ledgerId)))
            assert.isUndefined(yield* index.getLocation(ledger(ledgerId), EntryId.make(50n)))
          }
        })
      )
    }))

  test("entries that are added after their ledger was deleted stay", (path) =>
    Effect.gen(function* () {
      yield* using(path, (index) =>
        Effect.gen(function* () {
          yield* index.addLocations(range(5n, 0, 300))
          yield* index.deleteLedger(ledger(5n))
          yield* index.addLocation(ledger(5n), EntryId.make(7n), Location.make(9n))
          yield* index.compact
          assert.deepStrictEqual(yield* everything(index), [entry(5n, 7n, 9n)])
          assert.strictEqual(yield* index.getLastEntryInLedger(ledger(5n)), EntryId.make(7n))
        })
      )
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), [entry(5n, 7n, 9n)])
          assert.strictEqual(yield* index.entryCount, 1n)
        })
      )
    }))

  test("deleting what is not there changes nothing", (path) =>
    using(path, (index) =>
      Effect.gen(function* () {
        yield* index.deleteLedger(ledger(1n))
        yield* index.addLocations(range(2n, 0, 3))
        yield* index.deleteLedgers([ledger(1n), ledger(3n), ledger(maxId)])
        yield* index.deleteLedgers([])
        assert.strictEqual(yield* index.entryCount, 3n)
        assert.deepStrictEqual(yield* everything(index), range(2n, 0, 3))
      })
    ))

  test("the last entry of a ledger that never was is undefined", (path) =>
    using(path, (index) =>
      Effect.gen(function* () {
        assert.isUndefined(yield* index.getLastEntryInLedger(ledger(1n)))
        yield* index.addLocations([...range(1n, 0, 10), entry(3n, 0n, 1n)])
        assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(9n))
        assert.isUndefined(yield* index.getLastEntryInLedger(ledger(2n)))
        assert.isUndefined(yield* index.getLastEntryInLedger(ledger(0n)))
        assert.isUndefined(yield* index.getLastEntryInLedger(ledger(maxId)))
      })
    ))
})

describe("entries", () => {
  test("have a location of their own even if it is 0", (path) =>
    using(path, (index) =>
      Effect.gen(function* () {
        yield* index.addLocation(ledger(0n), EntryId.make(0n), Location.make(0n))
        assert.strictEqual(yield* index.getLocation(ledger(0n), EntryId.make(0n)), Location.make(0n))
        assert.isUndefined(yield* index.getLocation(ledger(0n), EntryId.make(1n)))
      })
    ))

  test("at both ends of the range are deleted with their ledger", (path) =>
    using(path, (index) =>
      Effect.gen(function* () {
        const all = [0n, maxId].flatMap((ledgerId) => [entry(ledgerId, 0n, maxId), entry(ledgerId, maxId, 0n)])
        yield* index.addLocations(all)
        assert.strictEqual(yield* index.getLastEntryInLedger(ledger(maxId)), EntryId.make(maxId))
        yield* index.deleteLedger(ledger(maxId))
        assert.deepStrictEqual(yield* everything(index), all.slice(0, 2))
        yield* index.deleteLedger(ledger(0n))
        assert.deepStrictEqual(yield* everything(index), [])
        assert.strictEqual(yield* index.entryCount, 0n)
      })
    ))

  test("that are added again have their new location and are counted once", (path) =>
    using(path, (index) =>
      Effect.gen(function* () {
        yield* index.addLocations([entry(1n, 1n, 5n), entry(1n, 1n, 6n)])
        yield* index.updateLocations([entry(1n, 1n, 3n), entry(1n, 2n, 4n)])
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 1n, 3n), entry(1n, 2n, 4n)])
        assert.strictEqual(yield* index.entryCount, 2n)
      })
    ))

  test("are scanned between two of them, both included", (path) =>
    using(path, (index) =>
      Effect.gen(function* () {
        const all = range(1n, 0, 1000)
        yield* index.addLocations([...range(0n, 0, 10), ...all, ...range(2n, 0, 10)])
        const scan = (from?: bigint, to?: bigint) =>
          Stream.runCollect(
            index.entries(ledger(1n), {
              from: from === undefined ? undefined : EntryId.make(from),
              to: to === undefined ? undefined : EntryId.make(to)
            })
          )
        assert.deepStrictEqual(yield* Stream.runCollect(index.entries(ledger(1n))), all)
        assert.deepStrictEqual(yield* scan(255n, 256n), all.slice(255, 257))
        assert.deepStrictEqual(yield* scan(10n), all.slice(10))
        assert.deepStrictEqual(yield* scan(undefined, 700n), all.slice(0, 701))
        assert.deepStrictEqual(yield* scan(7n, 6n), [])
        assert.deepStrictEqual(yield* scan(1000n, maxId), [])
      })
    ))

  test("of one scan are those that were there when it began", (path) =>
    using(path, (index) =>
      Effect.gen(function* () {
        const all = range(1n, 0, 200_000)
        yield* index.addLocations(all)
        let seen = 0
        yield* Stream.runForEachArray(index.entries(ledger(1n)), (found) =>
          Effect.gen(function* () {
            if (seen === 0) yield* index.deleteLedger(ledger(1n))
            assert.deepStrictEqual([...found], all.slice(seen, seen + found.length))
            seen += found.length
          })
        )
        assert.strictEqual(seen, 200_000)
        assert.deepStrictEqual(yield* everything(index), [])
      })
    ))

  test("are found in one call whether memory has them or not, in the order of the call", (path) =>
    Effect.gen(function* () {
      const all = [1n, 2n, 3n].flatMap((ledgerId) => range(ledgerId, 0, 2000))
      yield* using(path, (index) => index.addLocations(all))
      yield* using(path, (index) =>
        Effect.gen(function* () {
          yield* index.getLocation(ledger(2n), EntryId.make(5n))
          const asked = [...all.toReversed(), ...all.slice(0, 5000)]
          const ids: Array<EntryLocationIndex.EntryLocationId> = [id(9n, 9n), ...asked, id(1n, 2000n), id(1n, 7n)]
          assert.deepStrictEqual(yield* index.getLocations(ids), [
            undefined,
            ...asked.map(({ location }) => location),
            undefined,
            all[7]?.location
          ])
          assert.deepStrictEqual(yield* index.getLocations([]), [])
        })
      )
    }))
})

describe("ids out of range", () => {
  const good = entry(1n, 1n, 1n)
  // As a caller would pass them who does not use the types.
  const bad: ReadonlyArray<unknown> = [
    -1n,
    2n ** 63n,
    2n ** 64n,
    2n ** 64n + 1n,
    -(2n ** 64n) + 1n,
    1,
    "1",
    undefined,
    null
  ]

  it.effect.each(bad as ReadonlyArray<never>)(
    "%s is refused by every operation, and nothing of the call is done",
    (value) =>
      Effect.scoped(
        Effect.flatMap(temporaryDirectory, (path) =>
          using(path, (index) =>
            Effect.gen(function* () {
              const { entryId, ledgerId, location } = good
              const refused = "InvalidArgument"
              for (const wrong of [
                { ...good, ledgerId: value },
                { ...good, entryId: value },
                { ...good, location: value }
              ]) {
                assert.strictEqual(yield* tagOf(index.addLocations([good, wrong, good])), refused)
                assert.strictEqual(yield* tagOf(index.updateLocations([good, wrong])), refused)
                assert.strictEqual(
                  yield* tagOf(index.addLocation(wrong.ledgerId, wrong.entryId, wrong.location)),
                  refused
                )
                const batch = yield* index.makeBatch
                batch.add(ledgerId, entryId, location)
                batch.add(wrong.ledgerId, wrong.entryId, wrong.location)
                assert.strictEqual(yield* tagOf(batch.commit), refused)
              }
              assert.strictEqual(yield* tagOf(index.getLocation(value, entryId)), refused)
              assert.strictEqual(yield* tagOf(index.getLocation(ledgerId, value)), refused)
              assert.strictEqual(yield* tagOf(index.getLocations([good, { ledgerId, entryId: value }])), refused)
              assert.strictEqual(yield* tagOf(index.getLastEntryInLedger(value)), refused)
              assert.strictEqual(yield* tagOf(index.deleteLedger(value)), refused)
              assert.strictEqual(yield* tagOf(index.deleteLedgers([ledgerId, value])), refused)
              assert.strictEqual(yield* tagOf(Stream.runCollect(index.entries(value))), refused)
              if (value !== undefined && value !== null) {
                assert.strictEqual(yield* tagOf(Stream.runCollect(index.entries(ledgerId, { from: value }))), refused)
                assert.strictEqual(yield* tagOf(Stream.runCollect(index.entries(ledgerId, { to: value }))), refused)
              }
              assert.strictEqual(yield* index.entryCount, 0n)
              assert.deepStrictEqual(yield* everything(index), [])
            })
          )
        )
      )
  )

  test("the entry is named", (path) =>
    using(path, (index) =>
      Effect.gen(function* () {
        const { message } = yield* reasonOf(index.addLocations([good, { ...good, location: -5n as never }]))
        assert.strictEqual(
          message,
          "addLocations: entry 1 of ledger 1: the location must be a bigint from 0 to 2^63-1, not -5"
        )
      })
    ))
})
