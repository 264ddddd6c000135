/**
 * The journal: what has been committed and is in no page yet is there at the
 * next open, in its order, or the open says why it cannot be.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { EntryId, EntryLocationIndex, LedgerId } from "../src/index.ts"
import { WriteBatch } from "../src/internal/WriteBatch.ts"
import * as Store from "../src/internal/Store.ts"
import * as Keys from "../src/internal/pages/keys.ts"
import {
  contents,
  entry,
  everything,
  FailingEngine,
  type Index,
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

const test = (name: string, body: (path: string) => Effect.Effect<void, unknown>) =>
  it.effect(name, () => Effect.scoped(Effect.flatMap(temporaryDirectory, body)))

const build = (path: string) => Effect.provide(Effect.asVoid(EntryLocationIndex.EntryLocationIndex), layer(path))

const readOnly = (path: string) => Layer.provide(EntryLocationIndex.layer(), RocksDB.layer({ path, readOnly: true }))

/** Ten commits, of which some take back what others did. */
const commits = (index: Index) =>
  Effect.gen(function* () {
    yield* index.addLocations([...range(1n, 0, 700), ...range(2n, 0, 10), ...range(3n, 0, 10)])
    yield* index.deleteLedger(ledger(2n))
    yield* index.addLocations([entry(2n, 3n, 5n), entry(2n, 2n ** 40n, 6n)])
    yield* index.addLocations(range(1n, 100, 400, (entryId) => entryId))
    yield* index.deleteLedgers([ledger(3n), ledger(9n)])
    yield* index.addLocations([entry(4n, maxId, maxId), entry(maxId, 0n, 0n)])
    yield* index.addLocations(range(5n, 0, 300))
    yield* index.deleteLedger(ledger(5n))
    yield* index.addLocations(range(5n, 290, 295))
    yield* index.addLocations([entry(2n, 3n, 7n)])
  })

const found = [
  ...range(1n, 0, 100),
  ...range(1n, 100, 400, (entryId) => entryId),
  ...range(1n, 400, 700),
  entry(2n, 3n, 7n),
  entry(2n, 2n ** 40n, 6n),
  entry(4n, maxId, maxId),
  ...range(5n, 290, 295),
  entry(maxId, 0n, 0n)
]

/** Asserts that an index holds what the commits have left, by every way to ask for it. */
const assertFound = (index: Index) =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* everything(index), found)
    assert.strictEqual(yield* index.entryCount, BigInt(found.length))
    assert.deepStrictEqual(
      yield* index.getLocations([...found, entry(3n, 0n, 0n), entry(5n, 0n, 0n), entry(2n, 0n, 0n)]),
      [...found.map(({ location }) => location), undefined, undefined, undefined]
    )
    for (const [ledgerId, last] of [
      [1n, 699n],
      [2n, 2n ** 40n],
      [3n, undefined],
      [4n, maxId],
      [5n, 294n],
      [9n, undefined],
      [maxId, 0n]
    ] as const) {
      assert.strictEqual(yield* index.getLastEntryInLedger(ledger(ledgerId)), last as EntryId.EntryId | undefined)
    }
  })

/** Locations that do not pack, others for each seed. */
const random = (seed: bigint) => (entryId: bigint) => ((entryId + seed) * 0x9e37_79b9_7f4a_7c15n) & maxId

/** How many journal records there are, and whether anything is in pages. */
const journalOf = (path: string) =>
  raw(path, (database) =>
    Effect.gen(function* () {
      const records = yield* Stream.runCount(database.stream(Keys.journalFrom(0)))
      const pages = yield* Stream.runCount(database.stream({ gte: Uint8Array.of(1), lt: Uint8Array.of(3) }))
      return { records, pages }
    })
  )

describe("what is in the journal alone", () => {
  test("is there after a reopening, in its order, and counted exactly", (path) =>
    Effect.gen(function* () {
      yield* using(path, (index) => Effect.andThen(commits(index), assertFound(index)))
      assert.deepStrictEqual(yield* journalOf(path), { records: 10, pages: 0 })
      yield* using(path, assertFound)
      yield* using(path, (index) => Effect.andThen(index.compact, assertFound(index)))
      assert.strictEqual((yield* journalOf(path)).records, 0)
      yield* using(path, assertFound)
    }))

  test("is there over what pages hold", (path) =>
    Effect.gen(function* () {
      yield* using(path, (index) =>
        Effect.gen(function* () {
          yield* index.addLocations([1n, 2n, 3n, 5n, 9n].flatMap((ledgerId) => range(ledgerId, 0, 600, () => 1n)))
          yield* index.compact
          yield* index.deleteLedger(ledger(1n))
          yield* commits(index)
        })
      )
      assert.strictEqual((yield* journalOf(path)).records, 11)
      yield* using(path, assertFound)
      yield* using(path, (index) => Effect.andThen(index.compact, assertFound(index)))
    }))

  test("of a commit larger than a record is there, all of it", (path) =>
    Effect.gen(function* () {
      const all = [...range(1n, 0, 150_000), ...range(2n, 0, 50_000), entry(1n, 3n, 8n)]
      yield* using(path, (index) =>
        Effect.gen(function* () {
          const batch = yield* index.makeBatch
          for (const { entryId, ledgerId, location } of all) batch.add(ledgerId, entryId, location)
          yield* batch.commit
        })
      )
      assert.isAbove((yield* journalOf(path)).records, 2)
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* index.entryCount, 200_000n)
          assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(149_999n))
          assert.strictEqual((yield* index.getLocation(ledger(1n), EntryId.make(3n))) as bigint, 8n)
          const tail = { from: EntryId.make(149_000n) }
          assert.deepStrictEqual(yield* Stream.runCollect(index.entries(ledger(1n), tail)), range(1n, 149_000, 150_000))
        })
      )
    }))

  test("is read without a write", (path) =>
    Effect.gen(function* () {
      yield* using(path, commits)
      const engine = new FailingEngine()
      yield* EntryLocationIndex.EntryLocationIndex.use(assertFound).pipe(
        Effect.provide(layer(path, { memtableSize: 0 }, engine.layer))
      )
      assert.deepStrictEqual(engine.writes, [])
      assert.deepStrictEqual(yield* journalOf(path), { records: 10, pages: 0 })
    }))

  test("is read from a read-only database, which stays as it is and refuses what writes", (path) =>
    Effect.gen(function* () {
      yield* using(path, commits)
      const before = contents(path)
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          yield* assertFound(index)
          assert.strictEqual(yield* tagOf(index.compact), "ReadOnly")
          assert.strictEqual(yield* tagOf(index.deleteLedger(ledger(1n))), "ReadOnly")
          assert.strictEqual(yield* tagOf(index.addLocations(range(1n, 0, 1))), "ReadOnly")
          yield* assertFound(index)
        })
      ).pipe(Effect.provide(readOnly(path)))
      assert.deepStrictEqual(contents(path), before)
    }))

  test("takes memory for what it comes to, not for how long it is", (path) =>
    Effect.gen(function* () {
      const all = range(1n, 0, 50_000, random(0n))
      const other = range(1n, 0, 50_000, random(7n))
      yield* using(
        path,
        (index) =>
          Effect.gen(function* () {
            for (let round = 0; round < 40; round++) yield* index.addLocations(round % 2 === 0 ? other : all)
          }),
        { durability: "buffered" }
      )
      const size = yield* raw(path, (database) =>
        Stream.runFold(
          database.stream(Keys.journalFrom(0)),
          () => 0,
          (sum, { value }) => sum + value.length
        )
      )
      assert.isAbove(size, 20_000_000)
      const before = process.memoryUsage().arrayBuffers
      let peak = 0
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
      }, 1)
      yield* using(path, (index) =>
        Effect.gen(function* () {
          clearInterval(watch)
          assert.strictEqual(yield* index.entryCount, 50_000n)
          assert.deepStrictEqual(
            yield* index.getLocations(all),
            all.map(({ location }) => location)
          )
        })
      )
      assert.isBelow(peak, 15_000_000)
    }))
})

describe("what is not in pages yet", () => {
  test("is no longer a journal than the memtables allow, however often the same entries are written", (path) =>
    Effect.gen(function* () {
      yield* using(
        path,
        (index) =>
          Effect.gen(function* () {
            for (let round = 0n; round < 50n; round++) {
              yield* index.addLocations(range(1n, 0, 10_000, random(round)))
            }
          }),
        { memtableSize: 300_000, durability: "buffered" }
      )
      const size = yield* raw(path, (database) =>
        Stream.runFold(
          database.stream(Keys.journalFrom(0)),
          () => 0,
          (sum, { value }) => sum + value.length
        )
      )
      // One of the commits takes 110 kB.
      assert.isBelow(size, 1_000_000)
    }))

  test("is no larger in memory than the memtables allow, whatever is deleted that is not there", (path) =>
    Effect.scoped(
      Effect.gen(function* () {
        const database = yield* RocksDB.make({ path })
        const store = yield* Store.open(database, { pageCache: 0, memtables: 100_000 })
        for (let round = 0; round < 20; round++) {
          const changes = new WriteBatch()
          for (let at = 0; at < 1_000; at++) changes.deleteLedger(ledger(BigInt(round * 1_000 + at)))
          yield* store.commit(changes, "buffered")
        }
        const bytes = store.memtables.reduce((sum, memtable) => sum + memtable.bytes, 0)
        assert.isBelow(bytes, 300_000)
      })
    ).pipe(Effect.provide(NativeEngine.layer)))
})

describe("a journal that is not what was written", () => {
  const damaged = (name: string, damage: (path: string) => ReadonlyArray<RocksDB.Operation>, problem: RegExp) =>
    test(`${name} is Corruption at the open, and nothing is written`, (path) =>
      Effect.gen(function* () {
        yield* using(path, commits)
        yield* raw(path, (database) => database.write(damage(path)))
        const engine = new FailingEngine()
        const { _tag, message } = yield* reasonOf(
          Effect.provide(Effect.asVoid(EntryLocationIndex.EntryLocationIndex), layer(path, undefined, engine.layer))
        )
        assert.strictEqual(_tag, "Corruption")
        assert.match(message, problem)
        assert.match(message, /Rebuild the index/)
        assert.deepStrictEqual(engine.writes, [])
        assert.strictEqual(
          yield* tagOf(Effect.provide(Effect.asVoid(EntryLocationIndex.EntryLocationIndex), readOnly(path))),
          "Corruption"
        )
      }))

  damaged(
    "with a record of other bytes",
    () => [{ type: "put", key: Keys.journal(4), value: Uint8Array.of(1, 2, 3) }],
    /journal record 4 is damaged/
  )
  damaged("with an empty record", () => [{ type: "put", key: Keys.journal(10), value: new Uint8Array(0) }], /record 10/)
  damaged("without its first record", () => [{ type: "remove", key: Keys.journal(1) }], /goes on with 2 after 0/)
  damaged("without one in the middle", () => [{ type: "remove", key: Keys.journal(7) }], /goes on with 8 after 6/)
  damaged(
    "with a key that is too long",
    () => [{ type: "put", key: Uint8Array.of(...Keys.journal(10), 0), value: Uint8Array.of(1, 0, 0, 0) }],
    /journal/
  )
  damaged(
    "with a number that cannot be",
    () => [{ type: "put", key: Uint8Array.of(3, 255, 0, 0, 0, 0, 0, 0, 0), value: Uint8Array.of(1, 0, 0, 0) }],
    /journal/
  )

  test("because the metadata is missing is UnsupportedFormat", (path) =>
    Effect.gen(function* () {
      yield* using(path, commits)
      yield* raw(path, (database) => database.remove(Keys.metadata))
      assert.strictEqual(yield* tagOf(build(path)), "UnsupportedFormat")
    }))

  test("can be opened again once it is mended, by those who could not before", (path) =>
    Effect.gen(function* () {
      yield* using(path, commits)
      const database = yield* RocksDB.make({ path })
      const whole = yield* database.get(Keys.journal(9))
      yield* database.put(Keys.journal(9), Uint8Array.of(9))
      const open = Effect.scoped(
        Effect.flatMap(EntryLocationIndex.make(), assertFound).pipe(Effect.provideService(RocksDB.RocksDB, database))
      )
      assert.strictEqual(yield* tagOf(open), "Corruption")
      yield* database.put(Keys.journal(9), whole ?? new Uint8Array(0))
      yield* open
    }).pipe(Effect.provide(NativeEngine.layer), Effect.scoped))
})
