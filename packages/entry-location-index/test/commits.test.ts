/**
 * Commits: shared by those who come at the same time, atomic, and gone without
 * a trace if they fail.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { NativeEngine, type RocksDBError } from "@effect-bookie/rocksdb"
import { Probe } from "../../rocksdb/test/support/Probe.ts"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "../src/index.ts"
import * as LocationPage from "../src/internal/pages/LocationPage.ts"
import * as Keys from "../src/internal/pages/keys.ts"
import {
  entry,
  everything,
  FailingEngine,
  type Index,
  isCommit,
  layer,
  range,
  raw,
  reasonOf,
  tagOf,
  temporaryDirectory,
  until,
  using
} from "./support.ts"

const ledger = LedgerId.make

const add = (index: Index, { entryId, ledgerId, location }: EntryLocationIndex.EntryLocation) =>
  index.addLocation(ledgerId, entryId, location)

/** Runs a test with an index on an engine whose writes can be refused. */
const withFailingEngine = (
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

/** Runs a test with an index on an engine whose calls can be held back. */
const withProbe = (body: (index: Index, probe: Probe) => Effect.Effect<void, unknown>) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const probe = new Probe()
    const engine = Layer.provide(probe.layer, NativeEngine.layer)
    yield* EntryLocationIndex.EntryLocationIndex.use((index) => body(index, probe)).pipe(
      Effect.provide(layer(path, undefined, engine))
    )
  }).pipe(Effect.scoped)

/** Whether each write of one added entry is to be synced. */
const syncs = (options: EntryLocationIndex.Options) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const seen: Array<boolean> = []
    const engine = new FailingEngine((sync) => seen.push(sync))
    yield* EntryLocationIndex.EntryLocationIndex.use((index) => add(index, entry(1n, 1n, 1n))).pipe(
      Effect.provide(layer(path, options, engine.layer))
    )
    return seen
  })

describe("a commit", () => {
  it.effect("is shared by those who come at the same time, and all of them are answered", () =>
    withFailingEngine((index, engine) =>
      Effect.gen(function* () {
        const all = range(1n, 0, 1000)
        yield* Effect.forEach(all, (one) => add(index, one), { concurrency: "unbounded" })
        assert.isAtMost(engine.writes.length, 3)
        assert.deepStrictEqual(yield* everything(index), all)
        assert.strictEqual(yield* index.entryCount, 1000n)
      })
    )
  )

  it.effect("of more callers than may wait is shared too", () =>
    withFailingEngine(
      (index, engine) =>
        Effect.gen(function* () {
          const all = range(1n, 0, 20_000)
          yield* Effect.forEach(all, (one) => add(index, one), { concurrency: "unbounded" })
          assert.isAtMost(engine.writes.length, 40)
          assert.strictEqual(yield* index.entryCount, 20_000n)
        }),
      { durability: "buffered" }
    )
  )

  it.effect("keeps the order of what it shares", () =>
    withFailingEngine((index, engine) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(7n, 0, 600))
        engine.writes = []
        const one = (location: bigint) => add(index, entry(7n, 1n, location))
        yield* Effect.all(
          [
            one(1n),
            index.deleteLedger(ledger(7n)),
            one(2n),
            one(3n),
            index.deleteLedger(ledger(8n)),
            add(index, entry(8n, 1n, 4n))
          ],
          { concurrency: "unbounded" }
        )
        assert.strictEqual(engine.writes.length, 1)
        assert.deepStrictEqual(yield* everything(index), [entry(7n, 1n, 3n), entry(8n, 1n, 4n)])
        assert.strictEqual(yield* index.entryCount, 2n)
      })
    )
  )

  it.effect("of any size is one write", () =>
    withFailingEngine((index, engine) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 300_000))
        assert.strictEqual(engine.writes.length, 1)
        assert.strictEqual(yield* index.entryCount, 300_000n)
      })
    )
  )

  it.effect("goes on when the caller that asked for it is interrupted", () =>
    withProbe((index, probe) =>
      Effect.gen(function* () {
        const release = probe.hold("write")
        const fiber = yield* Effect.forkChild(add(index, entry(1n, 1n, 1n)))
        yield* probe.until("begin write")
        yield* Fiber.interrupt(fiber)
        release()
        yield* add(index, entry(1n, 2n, 2n))
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 1n, 1n), entry(1n, 2n, 2n)])
      })
    )
  )

  it.effect("is not visible in memory before it has been acknowledged, and is as soon as it has", () =>
    withProbe((index, probe) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 5))
        const release = probe.hold("write")
        const fiber = yield* Effect.forkChild(add(index, entry(1n, 5n, 5n)))
        while (probe.only("write").length < 3) yield* Effect.yieldNow
        assert.isUndefined(yield* index.getLocation(ledger(1n), EntryId.make(5n)))
        assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(4n))
        assert.strictEqual(yield* index.entryCount, 5n)
        release()
        yield* Fiber.join(fiber)
        assert.strictEqual(yield* index.getLocation(ledger(1n), EntryId.make(5n)), Location.make(5n))
        assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(5n))
        assert.strictEqual(yield* index.entryCount, 6n)
      })
    )
  )

  it.effect("is synced before it is acknowledged unless it is buffered", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* syncs({}), [true])
      assert.deepStrictEqual(yield* syncs({ durability: "sync" }), [true])
      assert.deepStrictEqual(yield* syncs({ durability: "buffered" }), [false])
    }).pipe(Effect.scoped)
  )
})

describe("a write that fails", () => {
  it.effect("leaves nothing behind, and the next one works", () =>
    withFailingEngine((index, engine) =>
      Effect.gen(function* () {
        const before = [...range(1n, 0, 300), ...range(2n, 0, 10)]
        yield* index.addLocations(before)
        const unchanged = Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), before)
          assert.strictEqual(yield* index.entryCount, 310n)
          assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(299n))
          assert.isUndefined(yield* index.getLastEntryInLedger(ledger(3n)))
          assert.deepStrictEqual(yield* index.getLocations([...before, entry(1n, 300n, 0n), entry(3n, 0n, 0n)]), [
            ...before.map(({ location }) => location),
            undefined,
            undefined
          ])
        })
        // The full disk comes last: a write that fails after it is done once more, as the next test says.
        engine.refuse(1, "IO error: it broke")
        assert.strictEqual(
          yield* tagOf(index.addLocations([entry(1n, 5n, 77n), entry(1n, 300n, 1n), entry(3n, 0n, 1n)])),
          "IOError"
        )
        yield* unchanged
        // Also where it is tried again with the directory opened anew.
        engine.refuse(2, "IO error: No space left on device")
        assert.strictEqual(yield* tagOf(index.deleteLedgers([ledger(1n), ledger(2n)])), "NoSpace")
        yield* unchanged
        yield* index.addLocation(ledger(1n), EntryId.make(300n), Location.make(1n))
        yield* index.deleteLedger(ledger(2n))
        assert.deepStrictEqual(yield* everything(index), [...range(1n, 0, 300), entry(1n, 300n, 1n)])
        assert.strictEqual(yield* index.entryCount, 301n)
      })
    )
  )

  it.effect("on a full disk that has room again is done with the directory opened anew, and all is exact", () =>
    withFailingEngine((index, engine) =>
      Effect.gen(function* () {
        yield* index.addLocations([...range(1n, 0, 300), ...range(2n, 0, 10)])
        // The write, and again when the directory has been opened anew.
        assert.strictEqual(engine.opens, 1)
        engine.refuse(2, "IO error: No space left on device")
        assert.strictEqual(yield* tagOf(index.addLocations([entry(1n, 5n, 77n), entry(3n, 0n, 1n)])), "NoSpace")
        assert.strictEqual(engine.opens, 2)
        yield* index.deleteLedger(ledger(2n))
        yield* index.addLocations(range(1n, 300, 310))
        const left = range(1n, 0, 310)
        assert.deepStrictEqual(yield* everything(index), left)
        assert.strictEqual(yield* index.entryCount, 310n)
        assert.deepStrictEqual(yield* index.getLocations([...left, entry(2n, 0n, 0n), entry(3n, 0n, 0n)]), [
          ...left.map(({ location }) => location),
          undefined,
          undefined
        ])
        assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(309n))
        assert.isUndefined(yield* index.getLastEntryInLedger(ledger(2n)))
      })
    )
  )

  it.effect("fails every caller that shared it, and none of their entries is there", () =>
    withFailingEngine((index, engine) =>
      Effect.gen(function* () {
        engine.refuse(1, "IO error: it broke")
        const tags = yield* Effect.forEach(range(1n, 0, 50), (one) => tagOf(add(index, one)), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(new Set(tags), new Set(["IOError"]))
        assert.strictEqual(yield* index.entryCount, 0n)
        assert.deepStrictEqual(yield* everything(index), [])
      })
    )
  )

  it.effect("but was done all the same leaves the count and the lookups as exact as the database is", () =>
    withProbe((index, probe) =>
      Effect.gen(function* () {
        yield* index.addLocations(range(1n, 0, 10))
        // As when the sync of the log fails after the batch has been written.
        probe.fail("write", "IO error: fdatasync")
        assert.strictEqual(yield* tagOf(index.addLocations([entry(1n, 3n, 7n), entry(1n, 10n, 8n)])), "IOError")
        const found = yield* everything(index)
        assert.strictEqual(yield* index.entryCount, BigInt(found.length))
        assert.deepStrictEqual(
          yield* index.getLocations(found),
          found.map(({ location }) => location)
        )
        assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), found.at(-1)?.entryId)
      })
    )
  )
})

describe("a commit about something that is damaged", () => {
  /** Ledger 1 has a damaged page, ledger 2 a damaged record; ledgers 3 to 6 are whole. */
  const damaged = Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const ledgers = [1n, 2n, 3n, 4n, 5n, 6n]
    yield* using(path, (index) =>
      Effect.andThen(index.addLocations(ledgers.flatMap((ledgerId) => range(ledgerId, 0, 300))), index.compact)
    )
    yield* raw(path, (database) =>
      database.write([
        { type: "put", key: Keys.page(1n, 0), value: Uint8Array.of(LocationPage.version, 255, 0, 1, 2, 3) },
        { type: "put", key: Keys.ledger(2n), value: Uint8Array.of(1, 2, 3) }
      ])
    )
    return path
  })

  it.effect("fails those alone who are about it, of all who share it, and keeps the order of the others", () =>
    Effect.gen(function* () {
      const path = yield* damaged
      const engine = new FailingEngine()
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          const release = engine.hold(isCommit)
          const first = yield* Effect.forkChild(index.addLocations(range(6n, 300, 301)))
          yield* until(() => engine.held === 1)
          // They wait for it together.
          const waiting = yield* Effect.forEach(
            [
              index.addLocations([entry(3n, 5n, 1n), entry(4n, 300n, 1n)]),
              index.addLocations([entry(3n, 5n, 2n), entry(1n, 5n, 2n)]),
              index.addLocations([entry(3n, 5n, 3n)]),
              index.deleteLedger(ledger(4n)),
              index.addLocations([entry(2n, 0n, 1n)]),
              index.deleteLedgers([ledger(2n), ledger(5n)]),
              index.addLocations([entry(4n, 7n, 4n)]),
              index.addLocations([entry(5n, 300n, 5n)])
            ],
            (one) => Effect.forkChild(Effect.exit(one), { startImmediately: true })
          )
          release()
          yield* Fiber.join(first)
          const exits = yield* Effect.forEach(waiting, Fiber.join)
          assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true, true, false, false, true, true])
          for (const at of [1, 4, 5]) {
            assert.strictEqual(yield* tagOf(exits[at] ?? Effect.void), "Corruption")
          }
          assert.deepStrictEqual(
            yield* index.getLocations([entry(3n, 5n, 0n), entry(4n, 7n, 0n), entry(4n, 5n, 0n), entry(5n, 300n, 0n)]),
            [entry(3n, 5n, 3n).location, entry(4n, 7n, 4n).location, undefined, entry(5n, 300n, 5n).location]
          )
          assert.strictEqual(yield* index.entryCount, BigInt(6 * 300 + 1 - 300 + 1 + 1))
        })
      ).pipe(Effect.provide(layer(path, undefined, engine.layer)))
    }).pipe(Effect.scoped)
  )

  it.effect("is told so also where thousands share it, and no more of them fail", () =>
    Effect.gen(function* () {
      const path = yield* damaged
      yield* using(path, (index) =>
        Effect.gen(function* () {
          const requests = Array.from({ length: 3_000 }, (_, at) =>
            at % 500 === 7 ? entry(1n, 5n, BigInt(at)) : entry(3n, BigInt(300 + at), BigInt(at))
          )
          const exits = yield* Effect.forEach(requests, (one) => Effect.exit(add(index, one)), {
            concurrency: "unbounded"
          })
          assert.isTrue(exits.every((exit, at) => Exit.isFailure(exit) === (at % 500 === 7)))
          assert.strictEqual(yield* index.entryCount, BigInt(6 * 300 + 3_000 - 6))
        })
      )
    }).pipe(Effect.scoped)
  )
})

describe("a commit that memory cannot follow once it is on disk", () => {
  it.effect("is answered, and then nothing is, until the index is opened anew and has it all", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      const before = range(1n, 0, 10_000)
      const more = range(1n, 1_000, 50_000, (entryId) => entryId + 5n)
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          yield* index.addLocations(before)
          // Snapshots have what the commit changes, so it has to be copied, for which there is no memory.
          const snapshot = yield* Stream.toPull(index.entries(ledger(1n)))
          yield* snapshot
          engine.onCommit = () => {
            Object.assign(Int32Array.prototype, {
              slice: () => {
                throw new RangeError("Array buffer allocation failed")
              }
            })
          }
          yield* Effect.ensuring(
            index.addLocations(more),
            Effect.sync(() => Reflect.deleteProperty(Int32Array.prototype, "slice"))
          )
          const { _tag, message } = yield* reasonOf(index.getLocation(ledger(1n), EntryId.make(5n)))
          assert.strictEqual(_tag, "IOError")
          assert.match(message, /could not keep in memory what was committed .*allocation failed.* Open it anew/)
          for (const operation of [
            index.addLocations(before),
            index.deleteLedger(ledger(1n)),
            index.getLocations(before),
            index.getLastEntryInLedger(ledger(1n)),
            index.entryCount,
            index.compact,
            Stream.runDrain(index.entries(ledger(1n))),
            Stream.runDrain(index.ledgers),
            snapshot
          ]) {
            assert.strictEqual(yield* tagOf(operation as Effect.Effect<unknown, RocksDBError.RocksDBError>), "IOError")
          }
        }).pipe(Effect.scoped)
      ).pipe(Effect.provide(layer(path, { compactionInterval: 0 }, engine.layer)))
      assert.isTrue(engine.writes.every(isCommit), "no checkpoint has written what memory has")
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), [...before.slice(0, 1_000), ...more])
          assert.strictEqual(yield* index.entryCount, 50_000n)
        })
      )
    }).pipe(Effect.scoped)
  )
})

describe("a batch", () => {
  it.effect("is empty and can be used again once it has been committed", () =>
    withFailingEngine((index, engine) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        for (const { entryId, ledgerId, location } of range(1n, 0, 5)) batch.add(ledgerId, entryId, location)
        assert.strictEqual(batch.size, 5)
        assert.strictEqual(yield* index.entryCount, 0n)
        yield* batch.commit
        assert.strictEqual(batch.size, 0)
        batch.add(ledger(2n), EntryId.make(1n), Location.make(1n))
        yield* batch.commit
        assert.deepStrictEqual(yield* everything(index), [...range(1n, 0, 5), entry(2n, 1n, 1n)])
        assert.strictEqual(engine.writes.length, 2)
      })
    )
  )

  it.effect("whose commit failed can be committed again, with what was added since", () =>
    withFailingEngine((index, engine) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        for (const { entryId, ledgerId, location } of range(1n, 0, 5)) batch.add(ledgerId, entryId, location)
        engine.refuse(2, "IO error: No space left on device")
        const { _tag } = yield* reasonOf(batch.commit)
        assert.strictEqual(_tag, "NoSpace")
        assert.strictEqual(batch.size, 5)
        batch.add(ledger(1n), EntryId.make(2n), Location.make(9n))
        yield* batch.commit
        assert.deepStrictEqual(
          yield* everything(index),
          range(1n, 0, 5).map((one) => (one.entryId === 2n ? entry(1n, 2n, 9n) : one))
        )
        assert.strictEqual(batch.size, 0)
      })
    )
  )

  it.effect("whose commit fails while more is added has the later location of an entry", () =>
    withFailingEngine((index, engine) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        batch.add(ledger(1n), EntryId.make(1n), Location.make(1n))
        batch.add(ledger(1n), EntryId.make(2n), Location.make(1n))
        const begun = yield* Latch.make()
        const goOn = yield* Latch.make()
        engine.refuse(1, "IO error: it broke", { before: Effect.andThen(begun.open, goOn.await) })
        const committing = yield* Effect.forkChild(tagOf(batch.commit))
        yield* begun.await
        batch.add(ledger(1n), EntryId.make(1n), Location.make(2n))
        assert.strictEqual(batch.size, 1)
        yield* goOn.open
        assert.strictEqual(yield* Fiber.join(committing), "IOError")
        assert.strictEqual(batch.size, 3)
        yield* batch.commit
        assert.deepStrictEqual(yield* everything(index), [entry(1n, 1n, 2n), entry(1n, 2n, 1n)])
      })
    )
  )

  it.effect("with an id out of range fails each time it is committed, and adds nothing", () =>
    Effect.scoped(
      Effect.flatMap(temporaryDirectory, (path) =>
        using(path, (index) =>
          Effect.gen(function* () {
            const batch = yield* index.makeBatch
            batch.add(ledger(1n), EntryId.make(1n), Location.make(1n))
            batch.add(ledger(1n), -1n as EntryId.EntryId, Location.make(1n))
            assert.strictEqual(yield* tagOf(batch.commit), "InvalidArgument")
            assert.strictEqual(yield* tagOf(batch.commit), "InvalidArgument")
            assert.strictEqual(yield* index.entryCount, 0n)
          })
        )
      )
    )
  )
})

describe("many writers and readers at once", () => {
  it.effect.each([0, 20_000, 64 * 1024 * 1024])(
    "see every acknowledged write, with a page cache of %i bytes",
    (pageCacheSize) =>
      withFailingEngine(
        (index) =>
          Effect.gen(function* () {
            const writer = (ledgerId: bigint) =>
              Effect.gen(function* () {
                for (let round = 0; round < 15; round++) {
                  const written = range(
                    ledgerId,
                    round * 40,
                    round * 40 + 60,
                    (entryId) => entryId * 100n + BigInt(round)
                  )
                  yield* index.addLocations(written)
                  const found = yield* index.getLocations(written)
                  assert.deepStrictEqual(
                    found,
                    written.map(({ location }) => location)
                  )
                  assert.strictEqual(yield* index.getLastEntryInLedger(ledger(ledgerId)), written.at(-1)?.entryId)
                  if (round % 5 !== 4 || ledgerId % 2n === 0n) continue
                  yield* index.deleteLedger(ledger(ledgerId))
                  assert.isUndefined(yield* index.getLastEntryInLedger(ledger(ledgerId)))
                  assert.isUndefined((yield* index.getLocations(written.slice(0, 1)))[0])
                }
              })
            const reader = Effect.forever(
              Effect.andThen(index.getLocations([...range(2n, 0, 300), ...range(3n, 0, 300)]), everything(index))
            )
            yield* Effect.forEach([1, 2, 3], () => Effect.forkScoped(reader))
            yield* Effect.forEach([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n], writer, { concurrency: "unbounded" })
            assert.strictEqual(yield* index.entryCount, 4n * 620n)
            assert.strictEqual((yield* everything(index)).length, 4 * 620)
          }).pipe(Effect.scoped),
        { pageCacheSize, durability: "buffered" }
      )
  )
})

describe("a page that is read while a checkpoint changes it", () => {
  it.effect.each([
    ["is gone", []],
    ["is another one", [entry(1n, 3n, 77n)]]
  ] as const)("does not take the place of the newer one in memory: it %s", ([, again]) =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* using(path, (index) => Effect.andThen(index.addLocations(range(1n, 0, 5)), index.compact))
      const probe = new Probe()
      const engine = Layer.provide(probe.layer, NativeEngine.layer)
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          // With the ledger's record in memory the delete needs no read, so only the reader's answer is held back.
          yield* index.getLastEntryInLedger(ledger(1n))
          const before = probe.only("getMany").length
          const release = probe.hold("getMany")
          const reader = yield* Effect.forkChild(index.getLocations(range(1n, 0, 5)))
          yield* until(() => probe.only("getMany").length > before)
          yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
          yield* index.deleteLedger(ledger(1n))
          yield* index.addLocations(again)
          yield* index.compact
          release()
          assert.strictEqual((yield* Fiber.join(reader)).length, 5)
          assert.deepStrictEqual(yield* index.getLocations([entry(1n, 3n, 0n)]), [again[0]?.location])
          assert.isUndefined(yield* index.getLocation(ledger(1n), EntryId.make(4n)))
        })
      ).pipe(Effect.provide(layer(path, undefined, engine)))
    }).pipe(Effect.scoped)
  )
})
