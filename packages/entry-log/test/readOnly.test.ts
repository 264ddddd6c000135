/**
 * Reading what another one writes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { EntryLog, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { bytes, descriptorsIn, entry, logBytes, reasonOf, tagOf, using } from "./support.ts"

describe("a reader", () => {
  it.effect("sees the entries and the logs that a writer adds after it was opened", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const reader = yield* EntryLog.make({ directory, readOnly: true })
      const writer = yield* EntryLog.make({ directory, maxLogSize: 1200 })
      assert.strictEqual(
        yield* tagOf(reader.read(entry(1n, 0n).ledgerId, entry(1n, 0n).entryId, Location.make(0n))),
        "NotFound"
      )
      for (let id = 0n; id < 10n; id += 1n) {
        const { entryId, ledgerId, payload } = entry(1n, id, bytes(50, Number(id)))
        const location = yield* writer.append(ledgerId, entryId, payload)
        assert.deepStrictEqual(yield* reader.read(ledgerId, entryId, location), payload)
        assert.strictEqual(yield* Stream.runCount(reader.scan()), Number(id) + 1)
        assert.deepStrictEqual(yield* reader.logs, yield* writer.logs)
      }
    })
  )

  it.effect("of no directory is told so, and creates none", () =>
    Effect.gen(function* () {
      const directory = Path.join(yield* Fixtures.temporaryDirectory, "missing")
      const reason = yield* reasonOf(Effect.scoped(EntryLog.make({ directory, readOnly: true })))
      assert.strictEqual(reason._tag, "MissingDirectory")
      assert.include(reason.message, "Check the path")
      assert.isFalse(Fs.existsSync(directory))
    })
  )

  it.effect("of a file is told that it is no directory", () =>
    Effect.gen(function* () {
      const directory = Path.join(yield* Fixtures.temporaryDirectory, "file")
      Fs.writeFileSync(directory, "")
      assert.strictEqual(yield* tagOf(Effect.scoped(EntryLog.make({ directory, readOnly: true }))), "MissingDirectory")
    })
  )

  it.effect("needs no leave to write", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) => log.appendAll([entry(1n, 1n)]))
      Fs.rmSync(Path.join(directory, "entry-log.lock"))
      Fs.chmodSync(Path.join(directory, "0.log"), 0o400)
      Fs.chmodSync(directory, 0o500)
      assert.strictEqual(yield* using({ directory, readOnly: true }, (log) => Stream.runCount(log.scan())), 1)
      assert.deepStrictEqual(Fs.readdirSync(directory).toSorted(), ["0.log", "lastId"])
      Fs.chmodSync(directory, 0o700)
    })
  )

  it.effect("that appends is told that it cannot", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.gen(function* () {
          const reason = yield* reasonOf(log.appendAll([entry(1n, 1n)]))
          assert.strictEqual(reason._tag, "ReadOnly")
          assert.include(reason.message, "without readOnly")
        })
      )
    })
  )
})

describe("a read", () => {
  it.effect("outside of what the logs hold finds nothing", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const { entryId, ledgerId, payload } = entry(1n, 1n, "payload")
      Fs.writeFileSync(Path.join(directory, "0.log"), logBytes([entry(ledgerId, entryId, payload)]))
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.gen(function* () {
          for (const location of [
            Location.make(0n),
            Location.fromLog(0, 1027),
            Location.fromLog(0, 1052),
            Location.fromLog(0, 2 ** 32 - 1),
            Location.fromLog(1, 1028),
            Location.make(2n ** 63n - 1n)
          ]) {
            assert.strictEqual(yield* tagOf(log.read(ledgerId, entryId, location)), "NotFound")
          }
          assert.strictEqual(yield* tagOf(log.read(ledgerId, entryId, Location.fromLog(0, 1029))), "WrongEntry")
          assert.deepStrictEqual(yield* log.read(ledgerId, entryId, Location.fromLog(0, 1028)), payload)
        })
      )
    })
  )

  it.effect("trusts no size field", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const { entryId, ledgerId } = entry(1n, 1n)
      const log = logBytes([entry(ledgerId, entryId, bytes(100))])
      const path = Path.join(directory, "0.log")
      yield* using({ directory, readOnly: true, maxEntrySize: "1 KiB" }, (reader) =>
        Effect.gen(function* () {
          // The last of them lie within the file, which is mostly a hole.
          for (const [size, length] of [
            [2 ** 31 - 1, log.length],
            [-1, log.length],
            [0, log.length],
            [15, log.length],
            [117, log.length],
            [1025, 10_000],
            [2 ** 31 - 1, 2 ** 31 + 10_000]
          ] as const) {
            log.writeInt32BE(size, 1024)
            Fs.writeFileSync(path, log)
            Fs.truncateSync(path, length)
            const before = process.memoryUsage().arrayBuffers
            assert.strictEqual(yield* tagOf(reader.read(ledgerId, entryId, Location.fromLog(0, 1028))), "Corruption")
            assert.isBelow(process.memoryUsage().arrayBuffers - before, 1024 * 1024)
          }
        })
      )
    })
  )

  it.effect("of more logs than are kept open, one after another and all at once", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const entries = Array.from({ length: 150 }, (_, id) => entry(1n, BigInt(id), bytes(20, id)))
      const locations = yield* using({ directory, maxLogSize: 1080 }, (log) => log.appendAll(entries))
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.gen(function* () {
          for (const concurrency of [1, "unbounded"] as const) {
            const payloads = yield* Effect.forEach(
              locations,
              (location, id) => log.read(entry(1n, 0n).ledgerId, entry(1n, BigInt(id)).entryId, location),
              { concurrency }
            )
            assert.deepStrictEqual(
              payloads,
              entries.map(({ payload }) => payload)
            )
            assert.isAtMost(descriptorsIn(directory).size, 64)
          }
        })
      )
      assert.strictEqual(descriptorsIn(directory).size, 0)
    })
  )
})
