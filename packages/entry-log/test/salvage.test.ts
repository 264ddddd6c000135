/**
 * A scan that is to take what is left: what it reads, and what it tells of what
 * it passes over.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type EntryLog, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { bytes, entry, entryBytes, logBytes, tagOf, using } from "./support.ts"

const entries = Array.from({ length: 50 }, (_, id) => entry(BigInt(id % 3), BigInt(id), bytes(60 + (id % 7), id)))

/** The id of a log, and that of an entry in it. */
type Found = readonly [logId: number, entryId: bigint]

/** Where each entry begins in a log of them. */
const starts = entries.map((_, at) => logBytes(entries.slice(0, at)).length)

const startOf = (at: number): number => starts[at] ?? 0

/** What a scan with `salvage` gives of a directory of logs. */
const salvage = (logs: ReadonlyArray<Uint8Array>, options: Partial<EntryLog.ScanOptions> = {}) =>
  Effect.gen(function* () {
    const directory = yield* Fixtures.temporaryDirectory
    for (const [id, log] of logs.entries()) Fs.writeFileSync(Path.join(directory, `${id}.log`), log)
    return yield* salvageDirectory(directory, options)
  })

const salvageDirectory = (directory: string, options: Partial<EntryLog.ScanOptions> = {}) =>
  using({ directory, readOnly: true }, (log) =>
    Effect.gen(function* () {
      const passedOver: Array<EntryLog.PassedOver> = []
      const seen = yield* Stream.runCollect(
        log.scan({
          salvage: true,
          onPassedOver: (damage) => Effect.sync(() => void passedOver.push(damage)),
          ...options
        })
      )
      return {
        found: seen.map(({ entryId, location }): Found => [Location.logId(location), entryId]),
        passedOver: passedOver.map(({ file, ...damage }) => ({ ...damage, file: Path.basename(file) }))
      }
    })
  )

/** The entries that are expected of log 0, without some. */
const without = (...missing: ReadonlyArray<number>): ReadonlyArray<Found> =>
  entries.flatMap(({ entryId }, at) => (missing.includes(at) ? [] : [[0, entryId]]))

const damaged = (damage: (log: Buffer) => void): Buffer => {
  const log = logBytes(entries)
  damage(log)
  return log
}

describe("a scan that salvages", () => {
  it.effect("reads a log without damage as it is, and passes over nothing", () =>
    Effect.gen(function* () {
      for (const log of [logBytes(entries), logBytes(entries).subarray(0, startOf(49) + 30)]) {
        const { found, passedOver } = yield* salvage([log])
        assert.deepStrictEqual(found, log.length < startOf(49) + 60 ? without(49) : without())
        assert.deepStrictEqual(passedOver, [])
      }
    })
  )

  it.effect.each([
    ["a size that no writer writes", (log: Buffer) => log.writeInt32BE(-5, startOf(7))],
    ["a size above maxEntrySize", (log: Buffer) => log.writeInt32BE(2 ** 30, startOf(7))],
    ["a size that runs past the end", (log: Buffer) => log.writeInt32BE(100_000, startOf(7))],
    ["a size of zero", (log: Buffer) => log.writeInt32BE(0, startOf(7))],
    ["an id below zero", (log: Buffer) => log.writeInt8(-128, startOf(7) + 4)],
    ["bytes that are none of a log", (log: Buffer) => log.fill(0x61, startOf(7), startOf(8))]
  ] as const)("loses no entry but one to %s, and tells where", ([, damage]) =>
    Effect.gen(function* () {
      const { found, passedOver } = yield* salvage([damaged(damage), logBytes(entries)])
      assert.deepStrictEqual(
        found.filter(([logId]) => logId === 0),
        without(7)
      )
      assert.strictEqual(found.length, 49 + 50)
      assert.strictEqual(passedOver.length, 1)
      const { why, ...place } = passedOver[0] ?? assert.fail("nothing was passed over")
      assert.deepStrictEqual(place, { file: "0.log", from: startOf(7), bytes: startOf(8) - startOf(7) })
      assert.include(why, `byte ${startOf(7)} `)
    })
  )

  it.effect("tells of each place on its own", () =>
    Effect.gen(function* () {
      const { found, passedOver } = yield* salvage([
        damaged((log) => {
          for (const at of [3, 20, 41]) log.writeInt32BE(-1, startOf(at))
        })
      ])
      assert.deepStrictEqual(found, without(3, 20, 41))
      assert.deepStrictEqual(
        passedOver.map(({ from }) => from),
        [startOf(3), startOf(20), startOf(41)]
      )
    })
  )

  it.effect.each([
    ["zeros", 0, 8 * 1024 * 1024 - 3],
    ["zeros", 0, 20_000_001],
    ["bytes that are none", 0x61, 4 * 1024 * 1024 - 7],
    ["bytes that are none", 0x61, 9_000_000]
  ] as const)("finds the entries behind %s (%i) in any number: %i", ([, byte, length]) =>
    Effect.gen(function* () {
      const log = damaged(() => {})
      // So that zeros are no crash's leftover, the entry before them is damaged, too.
      log.writeInt32BE(-5, startOf(7))
      const hole = Buffer.alloc(length, byte)
      const { found, passedOver } = yield* salvage([
        Buffer.concat([log.subarray(0, startOf(8)), hole, log.subarray(startOf(8))])
      ])
      assert.deepStrictEqual(found, without(7))
      assert.strictEqual(
        passedOver.reduce((sum, { bytes }) => sum + bytes, 0),
        startOf(8) - startOf(7) + length
      )
    })
  )

  it.effect("passes over the rest of a log in which nothing can be read any more", () =>
    Effect.gen(function* () {
      const log = damaged((log) => log.fill(0x61, startOf(30)))
      const { found, passedOver } = yield* salvage([log, logBytes(entries.slice(0, 2))])
      assert.strictEqual(found.length, 30 + 2)
      assert.deepStrictEqual(
        passedOver.map(({ bytes, from }) => [from, bytes]),
        [[startOf(30), log.length - startOf(30)]]
      )
    })
  )

  it.effect.each([
    ["was never written", (log: Buffer) => log.fill(0, 0, 1024)],
    ["is another program's", (log: Buffer) => log.write("RIFF", 0)],
    ["is of a later version", (log: Buffer) => log.writeInt32BE(7, 4)]
  ] as const)("reads the entries behind a header that %s", ([, damage]) =>
    Effect.gen(function* () {
      const { found, passedOver } = yield* salvage([damaged((log) => void damage(log))])
      assert.deepStrictEqual(found, without())
      assert.deepStrictEqual(
        passedOver.map(({ bytes, from }) => [from, bytes]),
        [[0, 1024]]
      )
    })
  )

  it.effect("passes over a file that is no log as a whole", () =>
    Effect.gen(function* () {
      const { found, passedOver } = yield* salvage([logBytes(entries), Buffer.from("notes ".repeat(1000))])
      assert.deepStrictEqual(found, without())
      assert.deepStrictEqual(
        passedOver.map(({ bytes, file, from }) => [file, from, bytes]),
        [["1.log", 0, 6000]]
      )
    })
  )

  it.effect("goes on with the other logs where one cannot be had", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      Fs.symlinkSync("/gone/0.log", Path.join(directory, "0.log"))
      Fs.writeFileSync(Path.join(directory, "1.log"), logBytes(entries))
      const { found, passedOver } = yield* salvageDirectory(directory)
      assert.strictEqual(found.length, 50)
      assert.deepStrictEqual(
        passedOver.map(({ file, from }) => [file, from]),
        [["0.log", 0]]
      )
    })
  )

  describe("of a sealed log", () => {
    const sealed = Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const maxLogSize = startOf(49) + entryBytes(entries[49] ?? entry(0n, 0n)).length
      yield* using({ directory, maxLogSize }, (log) => log.appendAll([...entries, entry(9n, 9n)]))
      const path = Path.join(directory, "0.log")
      return { directory, path, log: Fs.readFileSync(path) }
    })

    it.effect.each([
      ["that was cut off", (log: Buffer) => log.subarray(0, startOf(40)), 40],
      ["that was cut off in its map", (log: Buffer) => log.subarray(0, log.length - 5), 50]
    ] as const)("%s reads what is there, and says that more should be", ([, damage, count]) =>
      Effect.gen(function* () {
        const { directory, log, path } = yield* sealed
        Fs.writeFileSync(path, damage(log))
        const { found, passedOver } = yield* salvageDirectory(directory)
        assert.deepStrictEqual(found, [...without().slice(0, count), [1, 9n]])
        assert.isAtLeast(passedOver.length, 1)
      })
    )

    it.effect("whose map says something else reads everything, and says so", () =>
      Effect.gen(function* () {
        const { directory, log, path } = yield* sealed
        const mapOffset = Number(log.readBigInt64BE(8))
        log.writeBigInt64BE(log.readBigInt64BE(mapOffset + 32) + 20n, mapOffset + 32)
        Fs.writeFileSync(path, log)
        const { found, passedOver } = yield* salvageDirectory(directory)
        assert.strictEqual(found.length, 51)
        assert.deepStrictEqual(
          passedOver.map(({ bytes, from }) => [from, bytes]),
          [[mapOffset, 0]]
        )
      })
    )

    it.effect.each([2n ** 62n, -(2n ** 63n), -1n, 2n ** 53n, 5n])(
      "whose header says that the map is at byte %s, where none can be, reads everything, and says so",
      (offset) =>
        Effect.gen(function* () {
          const { directory, log, path } = yield* sealed
          log.writeBigInt64BE(offset, 8)
          Fs.writeFileSync(path, log)
          const { found, passedOver } = yield* salvageDirectory(directory)
          assert.strictEqual(found.length, 51)
          assert.match(passedOver[0]?.why ?? "", /ledgers map/)
        })
    )

    it.effect("whose header points into its entries reads all of them", () =>
      Effect.gen(function* () {
        const { directory, log, path } = yield* sealed
        log.writeBigInt64BE(BigInt(startOf(20) + 7), 8)
        Fs.writeFileSync(path, log)
        const { found, passedOver } = yield* salvageDirectory(directory)
        assert.strictEqual(found.length, 51)
        assert.strictEqual(passedOver.length, 1)
      })
    )
  })

  it.effect("warns of what it passes over if nobody is to be told", () =>
    Effect.gen(function* () {
      const warnings: Array<string> = []
      const logger = Logger.make(({ message }) => void warnings.push(String(message)))
      yield* salvage([damaged((log) => log.writeInt32BE(-5, startOf(7)))], { onPassedOver: undefined }).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      assert.strictEqual(warnings.length, 1)
      assert.match(warnings[0] ?? "", /0\.log, from byte \d+ on: .*no writer writes/)
    })
  )

  it.effect("must be asked for with true", () =>
    using({ directory: "/", readOnly: true }, (log) =>
      Effect.gen(function* () {
        // @ts-expect-error as from JavaScript
        assert.strictEqual(yield* tagOf(Stream.runDrain(log.scan({ salvage: "yes" }))), "InvalidArgument")
      })
    )
  )
})
