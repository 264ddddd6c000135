/**
 * What an append accepts, refuses, and puts on disk.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { EntryId, LedgerId, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { bytes, descriptorsIn, entry, entryBytes, logBytes, reasonOf, using } from "./support.ts"

const largest = 2n ** 63n - 1n

describe("a log", () => {
  it.effect("that is not sealed is a header and its entries, byte for byte", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const entries = [entry(1n, 2n, "one"), entry(largest, 0n), entry(0n, largest, bytes(300_000))]
      const locations = yield* using({ directory }, (log) => log.appendAll(entries))
      assert.deepStrictEqual(locations, [
        Location.fromLog(0, 1028),
        Location.fromLog(0, 1028 + 23),
        Location.fromLog(0, 1028 + 23 + 20)
      ])
      assert.deepStrictEqual(Fs.readFileSync(Path.join(directory, "0.log")), logBytes(entries))
    })
  )

  it.effect("that is rolled over ends with its ledgers map, and its header points to it", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const entries = [entry(5n, 0n, bytes(400)), entry(3n, 0n, bytes(10)), entry(5n, 1n, bytes(100))]
      yield* using({ directory, maxLogSize: 1700 }, (log) => log.appendAll([...entries, entry(4n, 0n, bytes(200))]))
      const expected = logBytes(entries)
      const map = Buffer.alloc(24 + 2 * 16)
      map.writeInt32BE(map.length - 4, 0)
      map.writeBigInt64BE(-1n, 4)
      map.writeBigInt64BE(-2n, 12)
      map.writeInt32BE(2, 20)
      for (const [index, value] of [5n, 540n, 3n, 30n].entries()) map.writeBigInt64BE(value, 24 + 8 * index)
      expected.writeBigInt64BE(BigInt(expected.length), 8)
      expected.writeInt32BE(2, 16)
      assert.deepStrictEqual(Fs.readFileSync(Path.join(directory, "0.log")), Buffer.concat([expected, map]))
      assert.deepStrictEqual(Fs.readFileSync(Path.join(directory, "1.log")), logBytes([entry(4n, 0n, bytes(200))]))
    })
  )

  it.effect("may be filled up to its largest size, and not by one byte more", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const maxLogSize = 1024 + 2 * 120
      yield* using({ directory, maxLogSize }, (log) =>
        log.appendAll([
          entry(1n, 0n, bytes(100)),
          entry(1n, 1n, bytes(100)),
          entry(1n, 2n, bytes(100)),
          entry(1n, 3n, bytes(101))
        ])
      )
      const locations = yield* using({ directory, readOnly: true }, (log) =>
        Effect.map(Stream.runCollect(log.scan()), (all) => all.map(({ location }) => location))
      )
      assert.deepStrictEqual(locations, [
        Location.fromLog(0, 1028),
        Location.fromLog(0, 1148),
        Location.fromLog(1, 1028),
        Location.fromLog(2, 1028)
      ])
    })
  )

  it.effect("of more than 10,000 ledgers has its map in parts, and tells each ledger's bytes", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const count = 20_001
      const entries = Array.from({ length: count }, (_, index) => entry(BigInt(index * 7), 0n, bytes(index % 5)))
      const end = 1024 + entries.reduce((sum, { payload }) => sum + 20 + payload.length, 0)
      yield* using({ directory, maxLogSize: end }, (log) => log.appendAll([...entries, entry(1n, 0n, "next")]))
      const file = Fs.readFileSync(Path.join(directory, "0.log"))
      assert.strictEqual(file.readBigInt64BE(8), BigInt(end))
      assert.strictEqual(file.readInt32BE(16), count)
      const counts: Array<number> = []
      for (let offset = end; offset < file.length; offset += 4 + file.readInt32BE(offset)) {
        assert.strictEqual(file.readBigInt64BE(offset + 4), -1n)
        assert.strictEqual(file.readBigInt64BE(offset + 12), -2n)
        counts.push(file.readInt32BE(offset + 20))
        assert.strictEqual(file.readInt32BE(offset), 20 + 16 * file.readInt32BE(offset + 20))
      }
      assert.deepStrictEqual(counts, [10_000, 10_000, 1])
      const [sealed] = yield* using({ directory, readOnly: true }, (log) => log.logs)
      assert.strictEqual(sealed?.sealed, true)
      assert.deepStrictEqual(
        sealed?.ledgers,
        new Map(entries.map(({ ledgerId, payload }) => [ledgerId, 20 + payload.length]))
      )
    })
  )
})

describe("lastId", () => {
  it.effect("names the newest log before and after each roll", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 1100 }, (log) =>
        Effect.gen(function* () {
          for (let id = 0; id < 18; id += 1) {
            yield* log.append(LedgerId.make(1n), EntryId.make(BigInt(id)), bytes(50))
            assert.strictEqual(Fs.readFileSync(Path.join(directory, "lastId"), "latin1"), `${id.toString(16)}\n`)
          }
        })
      )
      assert.isTrue(Fs.existsSync(Path.join(directory, "11.log")))
    })
  )

  it.effect("is not gone below, although its log has been deleted", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      Fs.writeFileSync(Path.join(directory, "lastId"), "1f\n")
      assert.strictEqual(Location.logId(yield* appendOne(directory)), 0x20)
    })
  )

  it.effect.each(["", "\n", "zz\n", "ffffffffff\n", "-1\n"])("that holds %j is passed over for the names", (text) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      Fs.writeFileSync(Path.join(directory, "lastId"), text)
      Fs.writeFileSync(Path.join(directory, "a.log"), logBytes([]))
      assert.strictEqual(Location.logId(yield* appendOne(directory)), 0xb)
    })
  )

  it.effect("and the names together decide, also those of logs that are being compacted", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      Fs.writeFileSync(Path.join(directory, "lastId"), "2\n")
      Fs.writeFileSync(Path.join(directory, "3.log"), logBytes([]))
      Fs.writeFileSync(Path.join(directory, "5.log.compacting"), "")
      Fs.writeFileSync(Path.join(directory, "7.log.3.compacted"), "")
      assert.strictEqual(Location.logId(yield* appendOne(directory)), 8)
    })
  )

  it.effect("at the end of the ids makes an append fail and say so", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      Fs.writeFileSync(Path.join(directory, "lastId"), "7fffffff\n")
      const reason = yield* reasonOf(appendOne(directory))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.include(reason.message, "another directory")
    })
  )
})

describe("an append", () => {
  it.effect("creates the directory and what is missing above it", () =>
    Effect.gen(function* () {
      const directory = Path.join(yield* Fixtures.temporaryDirectory, "a", "b", "c")
      yield* appendOne(directory)
      assert.isTrue(Fs.existsSync(Path.join(directory, "0.log")))
    })
  )

  it.effect("is what creates a log: opening and closing does not", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) => Effect.andThen(log.sync, log.appendAll([])))
      assert.deepStrictEqual(Fs.readdirSync(directory), ["entry-log.lock"])
    })
  )

  it.effect("leaves a file alone that has come to stand where its log was to go", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          Fs.writeFileSync(Path.join(directory, "0.log"), "someone else's")
          const location = yield* log.append(LedgerId.make(1n), EntryId.make(1n), bytes(1))
          assert.strictEqual(location, Location.fromLog(1, 1028))
        })
      )
      assert.strictEqual(Fs.readFileSync(Path.join(directory, "0.log"), "latin1"), "someone else's")
      assert.strictEqual(Fs.readFileSync(Path.join(directory, "lastId"), "latin1"), "1\n")
    })
  )

  it.effect("can be read at once, also when it is larger than any buffer", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          for (const size of [0, 1, 4075, 4076, 4077, 300_000, 1024 * 1024, 5 * 1024 * 1024]) {
            const { entryId, ledgerId, payload } = entry(1n, BigInt(size), bytes(size))
            const location = yield* log.append(ledgerId, entryId, payload)
            assert.deepStrictEqual(yield* log.read(ledgerId, entryId, location), payload)
          }
        })
      )
    })
  )

  it.effect("of an entry above maxEntrySize is refused, with the entries beside it, and nothing is written", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxEntrySize: "1 KiB" }, (log) =>
        Effect.gen(function* () {
          const reason = yield* reasonOf(log.appendAll([entry(1n, 0n, "small"), entry(1n, 1n, bytes(1009))]))
          assert.strictEqual(reason._tag, "InvalidArgument")
          assert.include(reason.message, "1025 bytes with its ids; maxEntrySize allows 1024")
          assert.deepStrictEqual(Fs.readdirSync(directory), ["entry-log.lock"])
          yield* log.appendAll([entry(1n, 1n, bytes(1008))])
        })
      )
    })
  )

  it.effect("of many fibers at once, over many logs, beside syncs, reads and scans, loses nothing", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const count = 2000
      const entries = Array.from({ length: count }, (_, id) => entry(BigInt(id % 7), BigInt(id), bytes(id % 300, id)))
      yield* using({ directory, maxLogSize: "20 KiB" }, (log) =>
        Effect.forEach(
          entries,
          Effect.fnUntraced(function* ({ entryId, ledgerId, payload }, index) {
            const location = yield* log.append(ledgerId, entryId, payload)
            if (index % 10 === 0) yield* log.sync
            if (index % 100 === 0) yield* Stream.runDrain(log.scan())
            if (index % 100 === 50) yield* log.logs
            assert.deepStrictEqual(yield* log.read(ledgerId, entryId, location), payload)
          }),
          { concurrency: 50, discard: true }
        )
      )
      const scanned = yield* using({ directory, readOnly: true }, (log) => Stream.runCollect(log.scan()))
      const sortedById = scanned.toSorted((left, right) => Number(left.entryId - right.entryId))
      assert.deepStrictEqual(
        sortedById.map(({ entryId, ledgerId, payload }) => ({ ledgerId, entryId, payload })),
        entries
      )
    })
  )

  it.effect("keeps no descriptor of a log that it is done with", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 1100 }, (log) =>
        Effect.gen(function* () {
          yield* log.appendAll(Array.from({ length: 20 }, (_, id) => entry(1n, BigInt(id), bytes(50))))
          assert.deepStrictEqual([...descriptorsIn(directory).values()].map((path) => Path.basename(path)).toSorted(), [
            "13.log",
            "entry-log.lock"
          ])
        })
      )
      assert.strictEqual(descriptorsIn(directory).size, 0)
    })
  )
})

describe("an entry that is larger than a log may be", () => {
  it.effect("has a log of its own, with its ledgers map once the next one is appended", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const entries = [entry(1n, 0n, "before"), entry(2n, 0n, bytes(977)), entry(1n, 1n, "after")]
      yield* using({ directory, maxLogSize: 2020 }, (log) =>
        Effect.gen(function* () {
          const locations = yield* log.appendAll(entries)
          assert.deepStrictEqual(
            locations,
            [0, 1, 2].map((logId) => Location.fromLog(logId, 1028))
          )
          assert.deepStrictEqual(
            (yield* log.logs).map(({ id, ledgers, sealed, size }) => ({ id, ledgers: [...ledgers], sealed, size })),
            [
              { id: 0, ledgers: [[LedgerId.make(1n), 26]], sealed: true, size: 1024 + 26 + 40 },
              { id: 1, ledgers: [[LedgerId.make(2n), 997]], sealed: true, size: 1024 + 997 + 40 },
              { id: 2, ledgers: [[LedgerId.make(1n), 25]], sealed: false, size: 1024 + 25 }
            ]
          )
        })
      )
      const large = Fs.readFileSync(Path.join(directory, "1.log"))
      assert.strictEqual(large.readBigInt64BE(8), 2021n)
      assert.deepStrictEqual(large.subarray(1024, 2021), entryBytes(entry(2n, 0n, bytes(977))))
    })
  )

  it.effect("fills a log where it is as large as one may be, and shares one where it is smaller by any", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 2020 }, (log) =>
        Effect.gen(function* () {
          const locations = yield* log.appendAll([956, 976, 0, 956, 0].map((size) => entry(1n, 0n, bytes(size))))
          assert.deepStrictEqual(locations, [
            Location.fromLog(0, 1028),
            Location.fromLog(1, 1028),
            Location.fromLog(2, 1028),
            Location.fromLog(2, 1048),
            Location.fromLog(3, 1028)
          ])
        })
      )
    })
  )

  it.effect(
    "is read and scanned like any other, first or last, alone or in a row, above the buffer's size or below",
    () =>
      Effect.gen(function* () {
        const directory = yield* Fixtures.temporaryDirectory
        const sizes = [5_000, 3_000_000, 1, 2, 1_048_556, 1_048_557, 1_048_558, 0, 4_999, 5_100_000]
        const entries = sizes.map((size, id) => entry(BigInt(id % 3), BigInt(id), bytes(size, id)))
        yield* using({ directory, maxLogSize: 4096 }, (log) =>
          Effect.gen(function* () {
            const locations = yield* log.appendAll(entries)
            assert.deepStrictEqual(locations.map(Location.logId), [0, 1, 2, 2, 3, 4, 5, 6, 7, 8])
            const read = yield* Effect.forEach(entries, ({ entryId, ledgerId }, index) =>
              log.read(ledgerId, entryId, locations[index] ?? Location.make(0n))
            )
            assert.deepStrictEqual(
              read,
              entries.map(({ payload }) => payload)
            )
            assert.deepStrictEqual(
              yield* Stream.runCollect(log.scan()),
              entries.map((added, index) => ({ ...added, location: locations[index] ?? Location.make(0n) }))
            )
          })
        )
        const sealed = yield* using({ directory, readOnly: true }, (log) => log.logs)
        assert.deepStrictEqual(
          sealed.map((file) => file.sealed),
          [true, true, true, true, true, true, true, true, false]
        )
      })
  )

  it.effect("is refused above maxEntrySize all the same", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 2000, maxEntrySize: 4000 }, (log) =>
        Effect.gen(function* () {
          const reason = yield* reasonOf(log.appendAll([entry(1n, 0n), entry(1n, 1n, bytes(3985))]))
          assert.strictEqual(reason._tag, "InvalidArgument")
          assert.include(reason.message, "4001 bytes with its ids; maxEntrySize allows 4000")
          assert.deepStrictEqual(Fs.readdirSync(directory), ["entry-log.lock"])
          assert.deepStrictEqual(yield* log.appendAll([entry(1n, 1n, bytes(3984))]), [Location.fromLog(0, 1028)])
        })
      )
    })
  )
})

const appendOne = (directory: string) =>
  using({ directory }, (log) => log.append(LedgerId.make(1n), EntryId.make(1n), bytes(1)))
