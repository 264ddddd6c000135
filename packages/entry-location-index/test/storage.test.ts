/**
 * What stands on disk: an index of another version is left as it is, damaged
 * records are told, and a read-only database is only read.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { type Engine, RocksDB } from "@effect-bookie/rocksdb"
import { inspect } from "node:util"
import { EntryId, EntryLocationIndex, LedgerId } from "../src/index.ts"
import * as LocationPage from "../src/internal/pages/LocationPage.ts"
import {
  contents,
  entry,
  everything,
  FailingEngine,
  layer,
  maxId,
  range,
  raw,
  reasonOf,
  tagOf,
  temporaryDirectory,
  using
} from "./support.ts"

const ledger = LedgerId.make

const metadataKey = Uint8Array.of(0)

const ledgerKey = (ledgerId: number) => Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, ledgerId)

const pageKey = (ledgerId: number, page: number) =>
  Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, ledgerId, 0, 0, 0, 0, 0, 0, 0, page)

const test = (name: string, body: (path: string) => Effect.Effect<void, unknown>) =>
  it.effect(name, () => Effect.scoped(Effect.flatMap(temporaryDirectory, body)))

const readOnly = (path: string) => Layer.provide(EntryLocationIndex.layer(), RocksDB.layer({ path, readOnly: true }))

/** Adds entries to an index and lets them stand in pages, not in the journal. */
const paged = (path: string, entries: ReadonlyArray<EntryLocationIndex.EntryLocation>) =>
  using(path, (index) => Effect.andThen(index.addLocations(entries), index.compact))

/** How many bytes the values of a write have. */
const valuesOf = (operations: ReadonlyArray<Engine.Operation>): number =>
  operations.reduce((sum, one) => sum + (one.type === "put" ? one.value.length : 0), 0)

const build = (path: string) => Effect.provide(Effect.asVoid(EntryLocationIndex.EntryLocationIndex), layer(path))

describe("an index of another version", () => {
  test("is refused with UnsupportedFormat, and nothing is written", (path) =>
    Effect.gen(function* () {
      yield* using(path, (index) => index.addLocations(range(1n, 0, 10)))
      yield* raw(path, (database) => database.put(metadataKey, Uint8Array.of(3, 0, 0)))
      const engine = new FailingEngine()
      const { message } = yield* reasonOf(
        Effect.provide(Effect.asVoid(EntryLocationIndex.EntryLocationIndex), layer(path, undefined, engine.layer))
      )
      assert.match(message, /the index has format version 3, not 2/)
      assert.deepStrictEqual(engine.writes, [])
      assert.deepStrictEqual(yield* raw(path, (database) => database.get(metadataKey)), Buffer.from([3, 0, 0]))
    }))

  test("is refused read-only too, and its directory is left as it is", (path) =>
    Effect.gen(function* () {
      yield* raw(path, (database) => database.put(metadataKey, Uint8Array.of(9)))
      const before = contents(path)
      assert.strictEqual(
        yield* tagOf(Effect.provide(Effect.asVoid(EntryLocationIndex.EntryLocationIndex), readOnly(path))),
        "UnsupportedFormat"
      )
      assert.deepStrictEqual(contents(path), before)
    }))

  test("is refused if it does not say its version", (path) =>
    Effect.gen(function* () {
      yield* using(path, (index) => index.addLocations(range(1n, 0, 10)))
      yield* raw(path, (database) => database.remove(metadataKey))
      assert.strictEqual(yield* tagOf(build(path)), "UnsupportedFormat")
    }))

  test("is corrupt if its metadata is cut short, or counts what no number can", (path) =>
    Effect.gen(function* () {
      const zero = Array.from({ length: 8 }, () => 0)
      const tooMany = [0, 0x20, 0, 0, 0, 0, 0, 0]
      const negative = Array.from({ length: 8 }, () => 255)
      for (const bytes of [
        [],
        [2],
        [2, ...zero],
        [2, ...zero, ...zero.slice(1)],
        [2, ...zero, ...zero, 0],
        [2, ...tooMany, ...zero],
        [2, ...zero, ...tooMany],
        [2, ...negative, ...zero],
        [2, ...zero, ...negative],
        // So many journal records that counting on would not be exact.
        [2, ...zero, 0, 0x1f, 255, 255, 255, 255, 255, 255]
      ]) {
        yield* raw(path, (database) => database.put(metadataKey, Uint8Array.from(bytes)))
        assert.strictEqual(yield* tagOf(build(path)), "Corruption")
      }
    }))
})

/** A key and a value as BookKeeper's own index has them. */
const bookKeepers = (ledgerId: bigint, entryId: bigint) => {
  const bytes = Buffer.alloc(24)
  bytes.writeBigInt64BE(ledgerId, 0)
  bytes.writeBigInt64BE(entryId, 8)
  bytes.writeBigInt64BE((3n << 32n) + 1024n, 16)
  return { type: "put" as const, key: bytes.subarray(0, 16), value: bytes.subarray(16) }
}

const ledgerIds = [0n, 7n, 2n ** 40n, 2n ** 56n - 1n, 2n ** 56n, 2n ** 57n, 3n * 2n ** 56n, 2n ** 58n, 2n ** 60n, maxId]

/** Opening it is UnsupportedFormat, for reading too, and nothing is written. */
const assertRefused = (path: string, problem: RegExp) =>
  Effect.gen(function* () {
    const before = yield* raw(path, (database) => Stream.runCollect(database.stream()))
    const engine = new FailingEngine()
    const open = Effect.asVoid(EntryLocationIndex.EntryLocationIndex)
    const { _tag, message } = yield* reasonOf(Effect.provide(open, layer(path, undefined, engine.layer)))
    assert.strictEqual(_tag, "UnsupportedFormat")
    assert.match(message, problem)
    assert.deepStrictEqual(engine.writes, [])
    assert.strictEqual(yield* tagOf(Effect.provide(open, readOnly(path))), "UnsupportedFormat")
    assert.deepStrictEqual(yield* raw(path, (database) => Stream.runCollect(database.stream())), before)
  })

describe("a database that holds something else", () => {
  for (const ledgerId of ledgerIds) {
    test(`such as BookKeeper's own index with ledger ${ledgerId}, is no index`, (path) =>
      Effect.gen(function* () {
        yield* raw(path, (database) => database.write([0n, 1n, 2n].map((entryId) => bookKeepers(ledgerId, entryId))))
        yield* assertRefused(path, /BookKeeper's own index, at .*build an index in a new one .* with IndexRebuild/)
      }))
  }

  test("such as BookKeeper's own index with ledgers of all sizes, is no index", (path) =>
    Effect.gen(function* () {
      yield* raw(path, (database) => database.write(ledgerIds.map((ledgerId) => bookKeepers(ledgerId, 3n))))
      yield* assertRefused(path, /BookKeeper's own index/)
    }))

  test("is no index, also if one was written among it", (path) =>
    Effect.gen(function* () {
      yield* using(path, (index) => index.addLocations(range(1n, 0, 3)))
      yield* raw(path, (database) => database.write([bookKeepers(7n, 0n)]))
      yield* assertRefused(path, /BookKeeper's own index/)
      yield* raw(path, (database) =>
        database.write([
          { type: "remove", key: bookKeepers(7n, 0n).key },
          { type: "put", key: Uint8Array.of(0, 1), value: Uint8Array.of(1) }
        ])
      )
      yield* assertRefused(path, /records where those of an index are, the first one under the key 0001, that no index/)
    }))

  for (const key of [[0, 0], [1], [1, 2, 3], [3, 255], [4], [9, 255, 255]]) {
    test(`under the key ${key.join(" ")}, is no new index`, (path) =>
      Effect.gen(function* () {
        yield* raw(path, (database) => database.put(Uint8Array.from(key), Uint8Array.of(1)))
        yield* assertRefused(path, /the first one under the key [0-9a-f]+, but none that says its version/)
      }))
  }

  test("under keys from 0a on, has an index beside it, and both are left alone", (path) =>
    Effect.gen(function* () {
      const others = [[10], [10, 0, 0], [16, 1, 2, 3], Array.from({ length: 17 }, () => 77), [255, 255]].map((key) => ({
        key: Buffer.from(key),
        value: Buffer.of(1, 2, 3)
      }))
      const read = raw(path, (database) => Stream.runCollect(database.stream({ gte: Uint8Array.of(10) })))
      yield* raw(path, (database) => database.write(others.map((other) => ({ type: "put", ...other }))))
      for (let round = 0; round < 2; round++) {
        yield* using(path, (index) =>
          Effect.gen(function* () {
            yield* index.addLocations([...range(1n, 0, 300), ...range(maxId, 0, 300, () => 5n)])
            yield* index.compact
            yield* index.deleteLedger(ledger(maxId))
            yield* index.compact
            assert.deepStrictEqual(yield* everything(index), range(1n, 0, 300))
          })
        )
        assert.deepStrictEqual(yield* read, others)
      }
    }))
})

describe("a new index", () => {
  test("writes nothing before its first entry", (path) =>
    Effect.gen(function* () {
      const engine = new FailingEngine()
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.andThen(index.deleteLedger(ledger(1n)), index.getLastEntryInLedger(ledger(1n)))
      ).pipe(Effect.provide(layer(path, undefined, engine.layer)))
      assert.deepStrictEqual(engine.writes, [])
    }))

  test("takes one record for 256 consecutive entries of a ledger, of about two bytes an entry", (path) =>
    Effect.gen(function* () {
      const engine = new FailingEngine()
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.andThen(
          index.addLocations(range(1n, 0, 2560, (entryId) => (3n << 32n) + 1024n + entryId * 1040n)),
          index.compact
        )
      ).pipe(Effect.provide(layer(path, undefined, engine.layer)))
      const [journal = [], pages = [], end = []] = engine.writes
      assert.strictEqual(engine.writes.length, 3)
      assert.strictEqual(journal.length, 2, "the metadata, and one record of the journal")
      assert.strictEqual(pages.length, 10 + 1, "ten pages, and the record of the ledger")
      assert.deepStrictEqual(
        end.map(({ type }) => type),
        ["put", "removeRange"],
        "the metadata, and the journal goes"
      )
      assert.isBelow(valuesOf(journal), 2.2 * 2560)
      assert.isBelow(valuesOf(pages), 2.2 * 2560)
    }))
})

describe("a damaged page", () => {
  const damaged = Uint8Array.of(LocationPage.version, 255, 0, 1, 2, 3)

  test("is Corruption to lookups and scans, and other pages are read", (path) =>
    Effect.gen(function* () {
      yield* paged(path, [...range(1n, 0, 1000), ...range(2n, 0, 10)])
      yield* raw(path, (database) => database.put(pageKey(1, 2), damaged))
      yield* using(path, (index) =>
        Effect.gen(function* () {
          const { _tag, message } = yield* reasonOf(index.getLocation(ledger(1n), EntryId.make(600n)))
          assert.strictEqual(_tag, "Corruption")
          assert.match(message, /page 2 of ledger 1 is damaged: .*Rebuild the index/)
          assert.strictEqual(
            yield* tagOf(index.getLocations([...range(2n, 0, 1), ...range(1n, 600, 601)])),
            "Corruption"
          )
          assert.strictEqual(yield* index.getLocation(ledger(1n), EntryId.make(5n)), range(1n, 5, 6)[0]?.location)
          const seen: Array<bigint> = []
          const scan = Stream.runForEach(index.entries(ledger(1n)), ({ entryId }) => {
            seen.push(entryId)
            return Effect.void
          })
          assert.strictEqual(yield* tagOf(scan), "Corruption")
          assert.isBelow(seen.length, 513, "a scan that fails does not look like the end of the data")
          const last = { from: EntryId.make(768n) }
          assert.deepStrictEqual(yield* Stream.runCollect(index.entries(ledger(1n), last)), range(1n, 768, 1000))
        })
      )
    }))

  test("fails a commit to it and leaves the index as it is; its ledger can be deleted", (path) =>
    Effect.gen(function* () {
      yield* paged(path, range(1n, 0, 300))
      yield* raw(path, (database) => database.put(pageKey(1, 0), damaged))
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* tagOf(index.addLocations([entry(1n, 5n, 5n), entry(2n, 1n, 1n)])), "Corruption")
          assert.strictEqual(yield* index.entryCount, 300n)
          assert.isUndefined(yield* index.getLastEntryInLedger(ledger(2n)))
          yield* index.deleteLedger(ledger(1n))
          yield* index.addLocations(range(1n, 3, 5))
          assert.deepStrictEqual(yield* everything(index), range(1n, 3, 5))
          assert.strictEqual(yield* index.entryCount, 2n)
        })
      )
    }))

  test("is found even if only its key is", (path) =>
    Effect.gen(function* () {
      yield* paged(path, range(1n, 0, 3))
      yield* raw(path, (database) => database.put(Uint8Array.of(...pageKey(1, 1), 7), damaged))
      yield* raw(path, (database) => database.put(Uint8Array.of(...ledgerKey(1), 7), damaged))
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* tagOf(Stream.runDrain(index.entries(ledger(1n)))), "Corruption")
          assert.strictEqual(yield* tagOf(Stream.runDrain(index.ledgers)), "Corruption")
        })
      )
    }))
})

describe("a damaged record of a ledger", () => {
  test("is Corruption to the last entry and to a commit", (path) =>
    Effect.gen(function* () {
      const records = [
        [1, 2, 3],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
        [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 7],
        [0, 0, 0, 0, 0, 0, 0, 9, 255, 0, 0, 0, 0, 0, 0, 7]
      ]
      for (const record of records) {
        yield* paged(path, range(2n, 0, 3))
        yield* raw(path, (database) => database.put(ledgerKey(1), Uint8Array.from(record)))
        yield* using(path, (index) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* tagOf(index.getLastEntryInLedger(ledger(1n))), "Corruption")
            assert.strictEqual(yield* tagOf(index.addLocations(range(1n, 0, 1))), "Corruption")
            assert.strictEqual(yield* index.getLastEntryInLedger(ledger(2n)), EntryId.make(2n))
            assert.strictEqual(yield* index.entryCount, 3n)
          })
        )
      }
    }))
})

describe("a read-only database", () => {
  test("is read, and refuses every write", (path) =>
    Effect.gen(function* () {
      yield* using(path, (index) => index.addLocations(range(1n, 0, 500)))
      const before = contents(path)
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), range(1n, 0, 500))
          assert.strictEqual(yield* index.entryCount, 500n)
          assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(499n))
          assert.strictEqual(yield* tagOf(index.addLocations(range(2n, 0, 1))), "ReadOnly")
          assert.strictEqual(yield* tagOf(index.deleteLedger(ledger(1n))), "ReadOnly")
          assert.strictEqual(yield* tagOf(index.deleteLedger(ledger(2n))), "ReadOnly")
          assert.strictEqual(yield* tagOf(index.compact), "ReadOnly")
          assert.isUndefined(yield* index.getLocation(ledger(2n), EntryId.make(0n)))
          assert.strictEqual(yield* index.entryCount, 500n)
        })
      ).pipe(Effect.provide(readOnly(path)))
      assert.deepStrictEqual(contents(path), before)
    }))

  test("that is new reads as empty, and nothing is written to it", (path) =>
    Effect.gen(function* () {
      yield* raw(path, () => Effect.void)
      const before = contents(path)
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), [])
          assert.strictEqual(yield* index.entryCount, 0n)
          assert.isUndefined(yield* index.getLocation(ledger(1n), EntryId.make(0n)))
        })
      ).pipe(Effect.provide(readOnly(path)))
      assert.deepStrictEqual(contents(path), before)
    }))
})

describe("the page cache", () => {
  test("takes up no more than it may, whatever is added and looked up", (path) =>
    Effect.gen(function* () {
      const all = Array.from({ length: 500 }, (_, at) => range(BigInt(at), 0, 300)).flat()
      yield* using(
        path,
        (index) =>
          Effect.gen(function* () {
            for (let at = 0; at < all.length; at += 10_000) {
              yield* index.addLocations(all.slice(at, at + 10_000))
              yield* index.compact
              assert.isAtMost(index.statistics.pageCacheBytes, 100_000)
            }
            for (let at = 0; at < all.length; at += 7_001) {
              const asked = all.slice(at, at + 7_001)
              assert.deepStrictEqual(
                yield* index.getLocations(asked),
                asked.map(({ location }) => location)
              )
              assert.isAtMost(index.statistics.pageCacheBytes, 100_000)
            }
            assert.isAbove(index.statistics.pageCacheBytes, 50_000)
          }),
        { pageCacheSize: 100_000, durability: "buffered" }
      )
    }))

  test("keeps what is asked for again and again over what is asked for once", (path) =>
    Effect.gen(function* () {
      const hot = range(1n, 0, 256)
      const cold = range(2n, 0, 256 * 200)
      yield* paged(path, [...hot, ...cold])
      yield* using(
        path,
        (index) =>
          Effect.gen(function* () {
            yield* index.getLocation(ledger(1n), EntryId.make(0n))
            let misses = 0
            for (let at = 0; at < cold.length; at += 256) {
              yield* index.getLocations(cold.slice(at, at + 1))
              const before = index.statistics.pageCacheMisses
              yield* index.getLocation(ledger(1n), EntryId.make(9n))
              misses += index.statistics.pageCacheMisses - before
            }
            assert.strictEqual(misses, 0)
          }),
        { pageCacheSize: 50_000 }
      )
    }))

  test("costs well below a kilobyte for a ledger of one entry", (path) =>
    using(path, (index) =>
      Effect.gen(function* () {
        yield* index.addLocations(Array.from({ length: 1000 }, (_, at) => entry(BigInt(at), 0n, BigInt(at))))
        yield* index.compact
        for (let at = 0n; at < 1000n; at++) {
          yield* index.getLocation(ledger(at), EntryId.make(0n))
          yield* index.getLastEntryInLedger(ledger(at))
        }
        assert.isAbove(index.statistics.pageCacheBytes, 0)
        assert.isBelow(index.statistics.pageCacheBytes, 1000 * 900)
      })
    ))
})

describe("options", () => {
  const sizes = ["many", -1, 1.5, Number.NaN, Infinity, null, "-1 MiB", {}, [], true, Symbol("much")]
  const durations = ["sometimes", "-1 seconds", -1, Number.NaN, -Infinity, null, {}, [], [Number.NaN, 0], true]
  const refused: ReadonlyArray<unknown> = [
    ...sizes.flatMap((size) => [{ pageCacheSize: size }, { memtableSize: size }]),
    ...durations.map((compactionInterval) => ({ compactionInterval })),
    { compactionInterval: { seconds: Number.NaN } },
    ...["often", null, 1, {}].map((durability) => ({ durability })),
    {
      get pageCacheSize() {
        return assert.fail("out of luck")
      }
    },
    null,
    "64 MiB"
  ]
  const accepted: ReadonlyArray<EntryLocationIndex.Options> = [
    { pageCacheSize: 0, memtableSize: 0, compactionInterval: 0 },
    { pageCacheSize: "8 MiB", memtableSize: 10n, compactionInterval: "0 seconds" },
    { pageCacheSize: undefined, memtableSize: undefined, compactionInterval: undefined, durability: undefined },
    { pageCacheSize: Number.MAX_SAFE_INTEGER, compactionInterval: Infinity },
    { compactionInterval: { minutes: 1 } },
    { compactionInterval: 0.5 }
  ]

  for (const [nth, options] of refused.entries()) {
    it.effect(`that make no sense are refused: ${nth}, ${inspect(options)}`, () =>
      Effect.scoped(
        Effect.flatMap(temporaryDirectory, (path) =>
          Effect.map(tagOf(using(path, () => Effect.void, options as EntryLocationIndex.Options)), (tag) =>
            assert.strictEqual(tag, "InvalidArgument")
          )
        )
      )
    )
  }

  for (const options of accepted) {
    it.effect(`that make sense are taken: ${inspect(options)}`, () =>
      Effect.scoped(
        Effect.flatMap(temporaryDirectory, (path) =>
          using(
            path,
            (index) => Effect.andThen(index.addLocations(range(1n, 0, 3)), index.getLocations(range(1n, 0, 3))),
            options
          )
        )
      )
    )
  }
})
