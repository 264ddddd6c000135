/**
 * What stands on disk: an index of another version is left as it is, rotten
 * records are told, and a read-only database is only read.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { type Engine, RocksDB } from "@effect-bookie/rocksdb"
import { EntryId, EntryLocationIndex, LedgerId, LocationPage } from "../src/index.ts"
import {
  contents,
  entry,
  everything,
  FailingEngine,
  layer,
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
        [2, ...zero, ...negative]
      ]) {
        yield* raw(path, (database) => database.put(metadataKey, Uint8Array.from(bytes)))
        assert.strictEqual(yield* tagOf(build(path)), "Corruption")
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

describe("a rotten page", () => {
  const rotten = Uint8Array.of(LocationPage.version, 255, 0, 1, 2, 3)

  test("is Corruption to lookups and scans, and other pages are read", (path) =>
    Effect.gen(function* () {
      yield* paged(path, [...range(1n, 0, 1000), ...range(2n, 0, 10)])
      yield* raw(path, (database) => database.put(pageKey(1, 2), rotten))
      yield* using(path, (index) =>
        Effect.gen(function* () {
          const { _tag, message } = yield* reasonOf(index.getLocation(ledger(1n), EntryId.make(600n)))
          assert.strictEqual(_tag, "Corruption")
          assert.match(message, /page 2 of ledger 1 is rotten: .*Rebuild the index/)
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
      yield* raw(path, (database) => database.put(pageKey(1, 0), rotten))
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
      yield* raw(path, (database) => database.put(Uint8Array.of(...pageKey(1, 1), 7), rotten))
      yield* raw(path, (database) => database.put(Uint8Array.of(...ledgerKey(1), 7), rotten))
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* tagOf(Stream.runDrain(index.entries(ledger(1n)))), "Corruption")
          assert.strictEqual(yield* tagOf(Stream.runDrain(index.ledgers)), "Corruption")
        })
      )
    }))
})

describe("a rotten record of a ledger", () => {
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
  const invalid: ReadonlyArray<EntryLocationIndex.Options> = [
    { pageCacheSize: "many" as never },
    { pageCacheSize: -1 },
    { writeBufferSize: "many" as never },
    { writeBufferSize: -1 },
    { durability: "often" as never },
    { compactionInterval: "sometimes" as never },
    { compactionInterval: "-1 seconds" }
  ]

  it.effect.each(invalid)("%o is refused", (options) =>
    Effect.scoped(
      Effect.flatMap(temporaryDirectory, (path) =>
        Effect.map(tagOf(using(path, () => Effect.void, options)), (tag) => assert.strictEqual(tag, "InvalidArgument"))
      )
    )
  )
})
