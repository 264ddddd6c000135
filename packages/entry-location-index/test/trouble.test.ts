/**
 * What the system refuses for a moment comes back: each operation works again
 * once the cause is gone, and nothing is lost or half done.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { EntryId, EntryLocationIndex, LedgerId } from "../src/index.ts"
import {
  everything,
  FailingEngine,
  type Index,
  isCheckpoint,
  isCommit,
  layer,
  range,
  reasonOf,
  tagOf,
  temporaryDirectory,
  until
} from "./support.ts"

const ledger = LedgerId.make

/** As RocksDB tells what the operating system has refused. */
const messages = [
  "IO error: While open a file for random read: /db/000012.sst: Too many open files",
  "IO error: While pread offset 0 len 4096: /db/000012.sst: Input/output error",
  "IO error: While appending to file: /db/000013.log: Resource temporarily unavailable",
  "IO error: While mmap: /db/000012.sst: Cannot allocate memory"
]

const withEngine = (
  body: (index: Index, engine: FailingEngine) => Effect.Effect<void, unknown>,
  options: EntryLocationIndex.Options = {}
) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const engine = new FailingEngine()
    yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
      Effect.andThen(index.addLocations(range(1n, 0, 2_000)), index.compact)
    ).pipe(Effect.provide(layer(path)))
    yield* EntryLocationIndex.EntryLocationIndex.use((index) => body(index, engine)).pipe(
      Effect.provide(layer(path, { ...options, durability: "buffered", pageCacheSize: 0 }, engine.layer))
    )
  }).pipe(Effect.scoped)

for (const message of messages) {
  describe(`"${message.replace(/.*: /, "")}" for a moment`, () => {
    it.effect("fails reads, and no longer than that", () =>
      withEngine((index, engine) =>
        Effect.gen(function* () {
          engine.refuseReads(1, message)
          assert.strictEqual(yield* tagOf(index.getLocation(ledger(1n), EntryId.make(5n))), "IOError")
          assert.strictEqual(yield* index.getLocation(ledger(1n), EntryId.make(5n)), range(1n, 5, 6)[0]?.location)
          engine.refuseReads(1, message)
          assert.strictEqual(yield* tagOf(index.getLocations(range(1n, 0, 2_000))), "IOError")
          assert.strictEqual((yield* index.getLocations(range(1n, 0, 2_000))).length, 2_000)
          engine.refuseReads(1, message)
          assert.strictEqual(yield* tagOf(index.getLastEntryInLedger(ledger(1n))), "IOError")
          assert.strictEqual(yield* index.getLastEntryInLedger(ledger(1n)), EntryId.make(1_999n))
          engine.refuseReads(1, message)
          assert.strictEqual(yield* tagOf(Stream.runDrain(index.ledgers)), "IOError")
          engine.refuseReads(1, message)
          assert.strictEqual(yield* tagOf(Stream.runDrain(index.entries(ledger(1n)))), "IOError")
          assert.deepStrictEqual(yield* everything(index), range(1n, 0, 2_000))
          yield* index.compact
        })
      )
    )

    it.effect("fails lookups with an error that names the operation that was called", () =>
      withEngine((index, engine) =>
        Effect.gen(function* () {
          for (const [operation, lookup] of [
            ["getLocation", index.getLocation(ledger(1n), EntryId.make(5n))],
            ["getLocations", index.getLocations(range(1n, 0, 2_000))],
            ["getLastEntryInLedger", index.getLastEntryInLedger(ledger(1n))]
          ] as const) {
            engine.refuseReads(1, message)
            const reason = yield* reasonOf<unknown, never>(lookup)
            assert.strictEqual(reason.operation, operation)
            assert.isTrue(reason.message.startsWith(`${operation} at `), reason.message)
          }
        })
      )
    )

    it.effect("fails commits, at their reads and at their writes, and no longer than that", () =>
      withEngine((index, engine) =>
        Effect.gen(function* () {
          engine.refuseReads(1, message)
          assert.strictEqual(yield* tagOf(index.addLocations(range(1n, 1_990, 2_010, () => 7n))), "IOError")
          engine.refuse(2, message, { isMeant: isCommit })
          assert.strictEqual(yield* tagOf(index.addLocations(range(1n, 1_990, 2_010, () => 8n))), "IOError")
          assert.deepStrictEqual(yield* everything(index), range(1n, 0, 2_000))
          yield* index.addLocations(range(1n, 1_990, 2_010, () => 9n))
          assert.deepStrictEqual(yield* everything(index), [
            ...range(1n, 0, 1_990),
            ...range(1n, 1_990, 2_010, () => 9n)
          ])
          assert.strictEqual(yield* index.entryCount, 2_010n)
        })
      )
    )

    it.effect("fails checkpoints and compactions, and no longer than that", () =>
      withEngine((index, engine) =>
        Effect.gen(function* () {
          yield* index.addLocations(range(1n, 2_000, 2_010))
          engine.refuseReads(1, message)
          assert.strictEqual(yield* tagOf(index.compact), "IOError")
          // Each is tried once more when the directory has been opened anew.
          engine.refuse(2, message, { isMeant: isCheckpoint })
          assert.strictEqual(yield* tagOf(index.compact), "IOError")
          engine.refuseCompactions(2, message)
          assert.strictEqual(yield* tagOf(index.compact), "IOError")
          yield* index.compact
          assert.deepStrictEqual(yield* everything(index), range(1n, 0, 2_010))
        })
      )
    )

    it.effect("fails the open, and the next one works", () =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        const engine = new FailingEngine()
        const use = EntryLocationIndex.EntryLocationIndex.use((index) => index.addLocations(range(1n, 0, 5)))
        engine.refuseReads(1, message)
        assert.strictEqual(yield* tagOf(Effect.provide(use, layer(path, undefined, engine.layer))), "IOError")
        yield* Effect.provide(use, layer(path, undefined, engine.layer))
        engine.refuseReads(1, message)
        assert.strictEqual(yield* tagOf(Effect.provide(use, layer(path, undefined, engine.layer))), "IOError")
        yield* Effect.provide(use, layer(path, undefined, engine.layer))
      }).pipe(Effect.scoped)
    )

    it.effect("fails those who commit into full memtables, and no longer than that", () =>
      withEngine(
        (index, engine) =>
          Effect.gen(function* () {
            engine.refuse(Infinity, message, { isMeant: isCheckpoint })
            yield* index.addLocations(range(2n, 0, 20_000))
            yield* until(() => index.statistics.checkpointFailures > 0)
            yield* index.addLocations(range(3n, 0, 20_000))
            assert.strictEqual(yield* tagOf(index.addLocations(range(4n, 0, 10))), "IOError")
            engine.accept()
            // At once: it does not wait for the next try in the background.
            yield* index.addLocations(range(4n, 0, 10))
            assert.strictEqual(yield* index.entryCount, 42_010n)
            yield* TestClock.adjust("1 minute")
          }),
        { memtableSize: 200_000 }
      )
    )
  })
}
