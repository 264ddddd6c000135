/**
 * Checkpoints: whatever becomes of one, what has been committed is there, now
 * and at the next open; and those who commit and look up hardly notice.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RocksDB } from "@effect-bookie/rocksdb"
import { EntryId, EntryLocationIndex, LedgerId } from "../src/index.ts"
import * as LocationPage from "../src/internal/pages/LocationPage.ts"
import * as Keys from "../src/internal/pages/keys.ts"
import { verify } from "../src/internal/rebuild/verification.ts"
import {
  entry,
  everything,
  FailingEngine,
  type Index,
  isCheckpoint,
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

/** More ledgers of one entry than a checkpoint writes at once. */
const many = Array.from({ length: 9_000 }, (_, at) => entry(BigInt(1_000 + at), 5n, BigInt(at)))

/** WriteBatch over what pages hold, for several writes of a checkpoint. */
const prepare = (index: Index) =>
  Effect.gen(function* () {
    yield* index.addLocations([1n, 2n, 3n].flatMap((ledgerId) => range(ledgerId, 0, 700, () => 1n)))
    yield* index.compact
    yield* index.addLocations(range(1n, 300, 800))
    yield* index.deleteLedger(ledger(2n))
    yield* index.addLocations([...range(2n, 600, 610), ...many])
    yield* index.deleteLedger(ledger(3n))
    yield* index.addLocations(range(4n, 0, 400))
  })

const found = [
  ...range(1n, 0, 300, () => 1n),
  ...range(1n, 300, 800),
  ...range(2n, 600, 610),
  ...range(4n, 0, 400),
  ...many
]

const assertFound = (index: Index) =>
  Effect.gen(function* () {
    assert.strictEqual(yield* index.entryCount, BigInt(found.length))
    const ledgers = [...new Set(found.map(({ ledgerId }) => ledgerId))]
    assert.deepStrictEqual(yield* Stream.runCollect(index.ledgers), ledgers)
    for (const ledgerId of ledgers.slice(0, 5)) {
      const scanned = yield* Stream.runCollect(index.entries(ledgerId))
      assert.isTrue(
        isEqual(
          scanned,
          found.filter((one) => one.ledgerId === ledgerId)
        )
      )
    }
    const absent = [entry(2n, 0n, 0n), entry(3n, 0n, 0n)]
    assert.deepStrictEqual(yield* index.getLocations([...found, ...absent]), [
      ...found.map(({ location }) => location),
      undefined,
      undefined
    ])
    for (const [ledgerId, last] of [
      [1n, 799n],
      [2n, 609n],
      [3n, undefined],
      [4n, 399n],
      [1_000n, 5n]
    ] as const) {
      assert.strictEqual(yield* index.getLastEntryInLedger(ledger(ledgerId)), last as EntryId.EntryId | undefined)
    }
  })

/** Fast, where a failed assertion would print many thousands of lines. */
const isEqual = (
  left: ReadonlyArray<EntryLocationIndex.EntryLocation>,
  right: ReadonlyArray<EntryLocationIndex.EntryLocation>
): boolean =>
  left.length === right.length &&
  left.every((one, at) => {
    const other = right[at]
    return one.ledgerId === other?.ledgerId && one.entryId === other.entryId && one.location === other.location
  })

/** Runs a test with an index on an engine whose writes can be refused or held back. */
const withEngine = (
  options: EntryLocationIndex.Options,
  body: (index: Index, engine: FailingEngine) => Effect.Effect<void, unknown>
) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const engine = new FailingEngine()
    yield* EntryLocationIndex.EntryLocationIndex.use((index) => body(index, engine)).pipe(
      Effect.provide(layer(path, { durability: "buffered", ...options }, engine.layer))
    )
  }).pipe(Effect.scoped)

const isVerified = (path: string) => Effect.map(raw(path, verify), ({ entries }) => entries === found.length)

/** How many checkpoints have been done to their end. */
const ended = ({ writes }: FailingEngine) =>
  writes.filter((operations) => operations.at(-1)?.type === "removeRange" && isCheckpoint(operations)).length

describe("a checkpoint that fails", () => {
  it.effect.each([
    ["that are not done", false],
    ["that are done all the same", true]
  ] as const)(
    "at any of its writes, %s, leaves everything as it was, also at the next open, and is repeated",
    ([, isDone]) =>
      Effect.gen(function* () {
        let failed = 0
        for (let skip = 0; ; skip++) {
          const path = yield* temporaryDirectory
          const engine = new FailingEngine()
          const isOver = yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
            Effect.gen(function* () {
              yield* prepare(index)
              engine.refuse(Infinity, "IO error: it broke", { skip, isDone: () => isDone, isMeant: isCheckpoint })
              if (Exit.isSuccess(yield* Effect.exit(index.compact))) return true
              yield* assertFound(index)
              // Half of them are repeated by whoever asks for it, the others by the next open.
              if (skip % 2 === 1) return false
              engine.accept()
              yield* index.compact
              yield* assertFound(index)
              return false
            })
          ).pipe(Effect.provide(layer(path, undefined, engine.layer)))
          if (isOver) break
          failed += 1
          yield* using(path, assertFound)
          yield* using(path, (index) => Effect.andThen(index.compact, assertFound(index)))
          assert.isTrue(yield* isVerified(path))
        }
        assert.isAtLeast(failed, 3, "pages, more pages, and the metadata")
      }).pipe(Effect.scoped)
  )

  it.effect("in the background is tried again some time later", () =>
    withEngine({ memtableSize: 200_000 }, (index, engine) =>
      Effect.gen(function* () {
        engine.refuse(1, "IO error: it broke", { isMeant: isCheckpoint })
        yield* index.addLocations(range(1n, 0, 20_000))
        yield* until(() => engine.left === 0)
        yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
        assert.strictEqual(ended(engine), 0)
        yield* TestClock.adjust("1 second")
        yield* until(() => ended(engine) === 1)
        assert.isTrue(isEqual(yield* everything(index), range(1n, 0, 20_000)))
      })
    )
  )

  it.effect("fails only those who commit when memory is full, and they can once it works again", () =>
    withEngine({ memtableSize: 200_000 }, (index, engine) =>
      Effect.gen(function* () {
        engine.refuse(Infinity, "IO error: No such luck", { isMeant: isCheckpoint })
        const acknowledged: Array<EntryLocationIndex.EntryLocation> = []
        let tag: string | undefined
        for (let round = 0; round < 100 && tag === undefined; round++) {
          const some = range(7n, round * 500, round * 500 + 500)
          const exit = yield* Effect.exit(index.addLocations(some))
          if (Exit.isSuccess(exit)) acknowledged.push(...some)
          else tag = yield* tagOf(index.addLocations(some))
        }
        assert.strictEqual(tag, "IOError")
        // As much as two memtables of half the size hold, at about ten bytes an entry.
        assert.isTrue(acknowledged.length > 15_000 && acknowledged.length < 25_000, String(acknowledged.length))
        assert.strictEqual(yield* index.entryCount, BigInt(acknowledged.length))
        assert.isTrue(isEqual(yield* everything(index), acknowledged))
        engine.accept()
        yield* index.addLocations(range(8n, 0, 10))
        assert.isTrue(isEqual(yield* everything(index), [...acknowledged, ...range(8n, 0, 10)]))
      })
    )
  )
})

/** What is logged while an effect runs, by level. */
const logsOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const logs: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      logs.push(`${logLevel}: ${String(message)}`)
    })
    yield* self.pipe(Effect.provide(Logger.layer([logger])))
    return logs
  })

/** An answer that no engine may give. */
const unreadable = new Proxy<Array<Uint8Array | undefined>>([], {
  get: (_, key) => (key === "then" ? undefined : assert.fail("out of luck"))
})

describe("a checkpoint that fails again and again", () => {
  it.effect("is tried less and less often, is logged once for each cause, and counts until it is done", () =>
    Effect.gen(function* () {
      const logs = yield* logsOf(
        withEngine({ memtableSize: 200_000 }, (index, engine) =>
          Effect.gen(function* () {
            engine.refuse(Infinity, "IO error: it broke", { isMeant: isCheckpoint })
            yield* index.addLocations(range(1n, 0, 20_000))
            const failures = (count: number) => until(() => index.statistics.checkpointFailures === count)
            yield* failures(1)
            // The pauses are 1, 2, 4, … seconds, and a minute from the seventh on.
            for (const [nth, pause] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
              if (nth === 4) engine.refuse(Infinity, "IO error: it broke otherwise", { isMeant: isCheckpoint })
              yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
              yield* TestClock.adjust(pause * 1000 - 1)
              yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
              assert.strictEqual(index.statistics.checkpointFailures, nth + 1)
              yield* TestClock.adjust(1)
              yield* failures(nth + 2)
            }
            engine.accept()
            yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
            yield* TestClock.adjust("1 minute")
            yield* failures(0)
            assert.strictEqual(ended(engine), 1)
            yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
          })
        )
      )
      assert.strictEqual(logs.length, 3)
      assert.match(logs[0] ?? "", /Warn: A checkpoint of the index will be tried again: .*it broke\./)
      assert.match(logs[1] ?? "", /Warn: A checkpoint of the index will be tried again: .*it broke otherwise/)
      assert.match(logs[2] ?? "", /Info: The checkpoint of the index that had failed is done/)
    })
  )

  it.effect("by a defect is told, and tried again like any other", () =>
    Effect.gen(function* () {
      const logs = yield* logsOf(
        withEngine({ memtableSize: 200_000 }, (index, engine) =>
          Effect.gen(function* () {
            yield* index.addLocations(range(1n, 0, 300))
            yield* index.compact
            engine.garble = (keys) => (keys[0]?.[0] === 2 ? unreadable : undefined)
            yield* index.addLocations(range(1n, 300, 20_000))
            yield* until(() => index.statistics.checkpointFailures === 1)
            engine.garble = undefined
            yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
            yield* TestClock.adjust("1 second")
            yield* until(() => index.statistics.checkpointFailures === 0)
            assert.strictEqual(yield* index.entryCount, 20_000n)
            yield* Effect.sleep("10 millis").pipe(TestClock.withLive)
          })
        )
      )
      assert.match(logs[0] ?? "", /Warn: A checkpoint of the index will be tried again: AssertionError: out of luck/)
      assert.strictEqual(logs.length, 2)
    })
  )
})

/** Two memtables are full, and the checkpoint of the first one does not come back. */
const full = (body: (index: Index, engine: FailingEngine, release: () => void) => Effect.Effect<void, unknown>) =>
  withEngine({ memtableSize: 200_000 }, (index, engine) =>
    Effect.gen(function* () {
      const release = engine.hold(isCheckpoint)
      yield* index.addLocations(range(1n, 0, 20_000))
      yield* until(() => engine.held === 1)
      yield* index.addLocations(range(2n, 0, 20_000))
      yield* Effect.ensuring(body(index, engine, release), Effect.sync(release))
    })
  )

describe("a commit that finds the memtables full", () => {
  it.effect("waits a minute for room and not longer, and those behind it wait no minute more", () =>
    full((index, engine, release) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkChild(reasonOf(index.addLocations(range(3n, 0, 10))))
        yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
        yield* TestClock.adjust("59 seconds")
        yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
        const behind = yield* Effect.forkChild(reasonOf(index.addLocations(range(4n, 0, 10))))
        yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
        assert.isUndefined(waiting.pollUnsafe())
        assert.isUndefined(behind.pollUnsafe())
        yield* TestClock.adjust("1 second")
        const { _tag, message } = yield* Fiber.join(waiting)
        assert.strictEqual(_tag, "IOError")
        assert.match(message, /memtables .* are full, .* not ended after 1m.* Nothing of this commit is written/)
        yield* TestClock.adjust(0)
        assert.strictEqual((yield* Fiber.join(behind))._tag, "IOError")
        assert.strictEqual(index.statistics.commits.failed.count, 2)
        assert.strictEqual(index.statistics.roomWaits.count, 2)
        // Lookups and scans go on.
        assert.deepStrictEqual(yield* index.getLocations(range(2n, 5, 6)), [range(2n, 5, 6)[0]?.location])
        assert.isUndefined(yield* index.getLastEntryInLedger(ledger(3n)))
        release()
        yield* until(() => ended(engine) === 1)
        // Its last write has been asked for; this waits until it has ended.
        yield* index.compact
        yield* index.addLocations(range(3n, 0, 10))
        assert.strictEqual(yield* index.entryCount, 40_010n)
      })
    )
  )

  it.effect("can be left by who waits, also for a flush", () =>
    full((index, _, release) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkChild(index.addLocations(range(3n, 0, 10)))
        const flushing = yield* Effect.forkChild(index.compact)
        yield* Effect.sleep("20 millis").pipe(TestClock.withLive)
        yield* Fiber.interrupt(waiting)
        yield* Fiber.interrupt(flushing)
        release()
        // It was in the queue, so it is committed all the same.
        yield* index.compact
        assert.strictEqual(yield* index.getLastEntryInLedger(ledger(3n)), EntryId.make(9n))
      })
    )
  )
})

describe("a checkpoint under way", () => {
  it.effect("lets commits and lookups through, until memory is full of what has come meanwhile", () =>
    withEngine({ memtableSize: 400_000 }, (index, engine) =>
      Effect.gen(function* () {
        const release = engine.hold(isCheckpoint)
        yield* index.addLocations(range(1n, 0, 30_000))
        yield* until(() => engine.held === 1)
        // Through: each is acknowledged, and seen.
        for (let nth = 0n; nth < 50n; nth++) {
          yield* index.addLocation(ledger(2n), EntryId.make(nth), entry(2n, nth, nth).location)
          yield* index.addLocation(ledger(1n), EntryId.make(nth), entry(1n, nth, 9n).location)
        }
        yield* index.deleteLedger(ledger(3n))
        assert.deepStrictEqual(yield* index.getLocations([entry(1n, 7n, 0n), entry(1n, 70n, 0n), entry(2n, 7n, 0n)]), [
          entry(1n, 7n, 9n).location,
          range(1n, 70, 71)[0]?.location,
          entry(2n, 7n, 7n).location
        ])
        assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(29_999n))
        assert.isUndefined(yield* index.getLocation(ledger(9n), EntryId.make(0n)))
        assert.strictEqual(yield* index.entryCount, 30_050n)
        // This one fills it, and the next one waits.
        yield* index.addLocations(range(4n, 0, 30_000))
        const waiting = yield* Effect.forkChild(index.addLocations(range(5n, 0, 10)))
        yield* Effect.sleep("50 millis").pipe(TestClock.withLive)
        assert.isUndefined(waiting.pollUnsafe())
        assert.strictEqual(engine.held, 1, "one write of one checkpoint at a time")
        release()
        yield* Fiber.join(waiting)
        yield* index.compact
        assert.strictEqual(yield* index.entryCount, 60_060n)
        assert.strictEqual((yield* everything(index)).length, 60_060)
      })
    )
  )

  it.effect("lets scans begin between two of its writes, which show what stood then", () =>
    withEngine({}, (index, engine) =>
      Effect.gen(function* () {
        yield* prepare(index)
        let seen = 0
        const release = engine.hold((operations) => isCheckpoint(operations) && ++seen === 2)
        const compacting = yield* Effect.forkChild(index.compact)
        yield* until(() => engine.held === 1)
        const scanning = yield* Effect.forkChild(assertFound(index))
        yield* Effect.yieldNow
        release()
        yield* Fiber.join(scanning)
        yield* Fiber.join(compacting)
        yield* assertFound(index)
      })
    )
  )

  it.effect("is stopped by a close after the write that runs, and nothing is lost", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      const begun = yield* Effect.gen(function* () {
        const index = yield* EntryLocationIndex.EntryLocationIndex
        yield* prepare(index)
        const release = engine.hold(isCheckpoint)
        yield* index.addLocations(range(4n, 0, 400))
        yield* until(() => engine.held === 1)
        // Released once the close has long begun.
        yield* Effect.sleep("50 millis").pipe(
          TestClock.withLive,
          Effect.andThen(Effect.sync(release)),
          Effect.forkDetach
        )
        return engine.writes.length
      }).pipe(Effect.provide(layer(path, { durability: "buffered", memtableSize: 1_000_000 }, engine.layer)))
      assert.isAtMost(engine.writes.length - begun, 1)
      assert.strictEqual(ended(engine), 1, "only that of the preparation")
      yield* using(path, assertFound)
    }).pipe(Effect.scoped)
  )
})

describe("a checkpoint of one ledger with entries far apart", () => {
  it.effect("takes memory for what it writes at once, not for all its pages", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      let before = Infinity
      let peak = 0
      const engine = new FailingEngine(() => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
      })
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          const batch = yield* index.makeBatch
          for (let page = 0n; page < 100_000n; page++) {
            const { entryId, ledgerId, location } = entry(1n, page * 256n + 255n, page)
            batch.add(ledgerId, entryId, location)
          }
          yield* batch.commit
          before = process.memoryUsage().arrayBuffers
          yield* index.compact
        })
      ).pipe(Effect.provide(layer(path, { durability: "buffered", pageCacheSize: 0 }, engine.layer)))
      // The pages take 200 MB in all, and up to 10 MB those of one write.
      assert.isBelow(peak, 100_000_000)
    }).pipe(Effect.scoped)
  )
})

describe("two indexes on one database", () => {
  it.effect("share their checkpoints, and each goes on when the other is closed", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      yield* Effect.gen(function* () {
        const scopes = [yield* Scope.make(), yield* Scope.make()] as const
        const options: EntryLocationIndex.Options = { memtableSize: 20_000, durability: "buffered" }
        const one = yield* EntryLocationIndex.make(options).pipe(Scope.provide(scopes[0]))
        const other = yield* EntryLocationIndex.make(options).pipe(Scope.provide(scopes[1]))
        const write = (index: Index, ledgerId: bigint) =>
          Effect.forEach(
            Array.from({ length: 30 }, (_, at) => at),
            (at) =>
              Effect.gen(function* () {
                yield* index.addLocations(range(ledgerId, at * 100, at * 100 + 200))
                const last = EntryId.make(BigInt(at * 100 + 199))
                assert.strictEqual(yield* one.getLastEntryInLedger(ledger(ledgerId)), last)
                assert.strictEqual(yield* other.getLastEntryInLedger(ledger(ledgerId)), last)
              }),
            { discard: true }
          )
        yield* Effect.all([write(one, 1n), write(other, 2n), write(one, 3n), write(other, 4n)], {
          concurrency: "unbounded",
          discard: true
        })
        assert.strictEqual(yield* one.entryCount, 4n * 3_100n)
        assert.strictEqual(yield* other.entryCount, 4n * 3_100n)
        assert.isAbove(ended(engine), 2)
        // The one that is closed may be in the middle of a checkpoint.
        yield* one.addLocations(range(5n, 0, 2_000))
        yield* Scope.close(scopes[0], Exit.void)
        yield* other.deleteLedger(ledger(1n))
        yield* other.compact
        assert.strictEqual(yield* other.entryCount, 3n * 3_100n + 2_000n)
        assert.strictEqual((yield* everything(other)).length, 3 * 3_100 + 2_000)
        yield* Scope.close(scopes[1], Exit.void)
        const again = yield* EntryLocationIndex.make(options)
        assert.strictEqual(yield* again.entryCount, 3n * 3_100n + 2_000n)
      }).pipe(Effect.scoped, Effect.provide(RocksDB.layerWithoutEngine({ path })), Effect.provide(engine.layer))
      const { entries } = yield* raw(path, verify)
      assert.strictEqual(entries, 3 * 3_100 + 2_000)
    }).pipe(Effect.scoped)
  )
})

describe("a damaged page under what is in memory", () => {
  const damaged = Uint8Array.of(LocationPage.version, 255, 0, 1, 2, 3)

  /** Ledger 1, whose last page is damaged, and ledger 2. */
  const prepared = Effect.gen(function* () {
    const path = yield* temporaryDirectory
    yield* using(path, (index) =>
      Effect.andThen(index.addLocations([...range(1n, 0, 300), ...range(2n, 0, 300)]), index.compact)
    )
    yield* raw(path, (database) => database.put(Keys.page(1n, 1), damaged))
    return path
  })

  it.effect("is Corruption to a checkpoint, then to those who commit when memory is full, and others are read", () =>
    Effect.gen(function* () {
      const path = yield* prepared
      yield* using(
        path,
        (index) =>
          Effect.gen(function* () {
            // Behind the last entry, so nobody has to look at the page.
            yield* index.addLocations(range(1n, 300, 310))
            assert.strictEqual(yield* tagOf(index.compact), "Corruption")
            yield* index.addLocations(range(2n, 300, 310))
            const tags: Array<string> = []
            for (let round = 0; round < 30; round++) {
              const exit = yield* Effect.exit(index.addLocations(range(3n, round * 100, round * 100 + 100)))
              if (Exit.isFailure(exit)) tags.push(yield* tagOf(index.addLocations(range(4n, 0, 1))))
            }
            assert.isTrue(tags.length > 0 && tags.every((tag) => tag === "Corruption"))
            assert.deepStrictEqual(
              yield* index.getLocations([...range(1n, 0, 10), ...range(1n, 300, 310), ...range(2n, 0, 310)]),
              [...range(1n, 0, 10), ...range(1n, 300, 310), ...range(2n, 0, 310)].map(({ location }) => location)
            )
            assert.strictEqual(yield* tagOf(index.getLocation(ledger(1n), EntryId.make(299n))), "Corruption")
            assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(309n))
          }),
        { memtableSize: 20_000 }
      )
    }).pipe(Effect.scoped)
  )

  it.effect("goes when its ledger is deleted after the checkpoint has failed", () =>
    Effect.gen(function* () {
      const path = yield* prepared
      yield* using(path, (index) =>
        Effect.gen(function* () {
          yield* index.addLocations(range(1n, 300, 310))
          assert.strictEqual(yield* tagOf(index.compact), "Corruption")
          yield* index.deleteLedger(ledger(1n))
          yield* index.addLocations(range(1n, 500, 505))
          yield* index.compact
          assert.deepStrictEqual(yield* everything(index), [...range(1n, 500, 505), ...range(2n, 0, 300)])
        })
      )
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), [...range(1n, 500, 505), ...range(2n, 0, 300)])
          assert.strictEqual(yield* index.entryCount, 305n)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("goes when its ledger is deleted", () =>
    Effect.gen(function* () {
      const path = yield* prepared
      yield* using(path, (index) =>
        Effect.gen(function* () {
          yield* index.addLocations(range(1n, 300, 310))
          yield* index.deleteLedger(ledger(1n))
          yield* index.compact
          assert.deepStrictEqual(yield* everything(index), range(2n, 0, 300))
        })
      )
      assert.strictEqual((yield* raw(path, verify)).entries, 300)
    }).pipe(Effect.scoped)
  )

  it.effect("goes when its ledger is deleted, also if a checkpoint has met it before", () =>
    Effect.gen(function* () {
      const path = yield* prepared
      yield* using(path, (index) =>
        Effect.gen(function* () {
          yield* index.addLocations(range(1n, 300, 310))
          assert.strictEqual(yield* tagOf(index.compact), "Corruption")
          yield* index.deleteLedger(ledger(1n))
          assert.deepStrictEqual(yield* everything(index), range(2n, 0, 300))
        })
      )
      // At the open the journal is one memtable, in which the delete comes last.
      yield* using(path, (index) => index.compact)
      assert.strictEqual((yield* raw(path, verify)).entries, 300)
    }).pipe(Effect.scoped)
  )
})
