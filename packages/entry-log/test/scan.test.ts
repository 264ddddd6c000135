/**
 * What a scan passes over, what it stops at, and what it refuses.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import * as ChildProcess from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import type { EntryLog } from "../src/index.ts"
import * as Fixtures from "./fixtures.ts"
import { bytes, entry, entryBytes, logBytes, reasonOf, tagOf, using } from "./support.ts"

const first = entry(1n, 0n, "first")
const second = entry(2n, 5n, "second")

/** A directory with these files. */
const directoryOf = (files: Record<string, Uint8Array>) =>
  Effect.tap(Fixtures.temporaryDirectory, (directory) =>
    Effect.sync(() => {
      for (const [name, content] of Object.entries(files)) Fs.writeFileSync(Path.join(directory, name), content)
    })
  )

const scanAll = (directory: string, options?: EntryLog.ScanOptions & { readonly maxEntrySize?: number }) =>
  using({ directory, readOnly: true, maxEntrySize: options?.maxEntrySize }, (log) =>
    Effect.map(Stream.runCollect(log.scan(options)), (entries) =>
      entries.map(({ entryId, ledgerId, payload }) => ({ ledgerId, entryId, payload }))
    )
  )

describe("a scan passes over", () => {
  it.effect.each([
    ["up to the next block of 4096 bytes", 4096 - 1024 - entryBytes(first).length],
    ["one byte before a block", 1],
    ["more than a buffer holds", 300_001]
  ] as const)("bytes of padding between entries, and at the end: %s", ([, length]) =>
    Effect.gen(function* () {
      const before = length === 1 ? [entry(9n, 9n, bytes(4095 - 1024 - 20 - entryBytes(first).length)), first] : [first]
      const padding = Buffer.alloc(length, 0xf0)
      const directory = yield* directoryOf({
        "0.log": Buffer.concat([logBytes(before), padding, entryBytes(second), padding])
      })
      for (const payloads of [true, false]) {
        assert.deepStrictEqual(
          (yield* scanAll(directory, { payloads })).map(({ ledgerId }) => ledgerId),
          [...before, second].map(({ ledgerId }) => ledgerId)
        )
      }
    })
  )

  it.effect.each([
    ["of a direct log's first block", 0n, 3052],
    ["of anybody else", 5n, 40],
    ["of anybody else, with an entry id below zero", -3n, 0],
    ["that is larger than an entry may be", 7n, 100_000]
  ] as const)("a record of ledger -1 %s", ([, entryId, length]) =>
    Effect.gen(function* () {
      const record = entryBytes({ ledgerId: -1n, entryId, payload: bytes(length) })
      const directory = yield* directoryOf({
        "0.log": Buffer.concat([logBytes([first]), record, record, entryBytes(second), record])
      })
      assert.deepStrictEqual(yield* scanAll(directory, { maxEntrySize: 100 }), [first, second])
    })
  )

  it.effect("a ledgers map that its header does not point to, as when its writer stopped before that", () =>
    Effect.gen(function* () {
      const directory = yield* directoryOf({
        "0.log": Buffer.concat([logBytes([first]), mapPart([[1n, 25n]]), entryBytes(second), mapPart([[1n, 25n]])])
      })
      assert.deepStrictEqual(yield* scanAll(directory), [first, second])
    })
  )

  it.effect("files that are not named as entry logs are", () =>
    Effect.gen(function* () {
      const log = logBytes([second])
      const directory = yield* directoryOf({
        "a.log": logBytes([first]),
        "A.log": log,
        "00b.log": log,
        "b.log.compacting": log,
        "c.log.a.compacted": log,
        "zz.log": log,
        ".log": log,
        "80000000.log": log,
        "1000000000000000000000.log": log,
        "d.LOG": log,
        e: log
      })
      assert.deepStrictEqual(yield* scanAll(directory), [first])
    })
  )

  it.effect("what is named like an entry log, and is no file", () =>
    Effect.gen(function* () {
      const directory = yield* directoryOf({ "a.log": logBytes([first]), elsewhere: logBytes([second]) })
      Fs.mkdirSync(Path.join(directory, "5.log"))
      ChildProcess.execFileSync("mkfifo", [Path.join(directory, "6.log")])
      Fs.symlinkSync("6.log", Path.join(directory, "7.log"))
      Fs.symlinkSync("elsewhere", Path.join(directory, "b.log"))
      Fs.symlinkSync("/gone/gc.log", Path.join(directory, "current.log"))
      const socket = Net.createServer().listen(Path.join(directory, "8.log"))
      yield* Effect.promise(() => once(socket, "listening"))
      const warnings: Array<unknown> = []
      const logger = Logger.make(({ message }) => void warnings.push(message))
      const scanned = yield* Effect.provide(scanAll(directory), Logger.layer([logger]))
      socket.close()
      assert.deepStrictEqual(scanned, [first, second])
      assert.strictEqual(warnings.length, 1)
      for (const name of ["5.log", "6.log", "7.log", "8.log", "current.log"]) assert.include(String(warnings[0]), name)
    })
  )

  it.effect("no log whose link leads nowhere, since it may be one that is missing", () =>
    Effect.gen(function* () {
      const directory = yield* directoryOf({ "0.log": logBytes([first]) })
      Fs.symlinkSync("/gone/1.log", Path.join(directory, "1.log"))
      const reason = yield* reasonOf(scanAll(directory))
      assert.strictEqual(reason._tag, "NotFound")
      assert.include(reason.message, `${Path.join(directory, "1.log")} is a symbolic link to /gone/1.log`)
    })
  )

  it.effect.each([
    ["an empty file", Buffer.alloc(0)],
    ["two letters", Buffer.from("BK")],
    ["less than a header", logBytes([]).subarray(0, 1023)],
    ["a header", logBytes([])],
    ["less than a header, of zeros", Buffer.alloc(100)],
    ["zeros only", Buffer.alloc(500_000)],
    ["a header, then zeros only", Buffer.concat([logBytes([]), Buffer.alloc(500_000)])],
    ["a header, then fewer bytes than an entry has", logBytes([first]).subarray(0, 1024 + 19)]
  ] as const)("a log that was being created: %s", ([, content]) =>
    Effect.gen(function* () {
      const directory = yield* directoryOf({
        "0.log": logBytes([first]),
        "1.log": content,
        "2.log": logBytes([second])
      })
      assert.deepStrictEqual(yield* scanAll(directory), [first, second])
      const logs = yield* using({ directory, readOnly: true }, (log) => log.logs)
      assert.deepStrictEqual(logs[1], { id: 1, size: content.length, sealed: false, ledgers: new Map() })
    })
  )

  it.effect("nothing of a log with header version 0", () =>
    Effect.gen(function* () {
      const log = logBytes([first])
      log.writeInt32BE(0, 4)
      assert.deepStrictEqual(yield* scanAll(yield* directoryOf({ "0.log": log })), [first])
    })
  )
})

describe("a scan fails with Corruption, after the entries before it, at", () => {
  it.effect.each([
    ["a size that holds no ids", withSize(logBytes([first, second]), 15), "holds no ids"],
    ["a size of one", withSize(logBytes([first, second]), 1), "holds no ids"],
    ["an entry above maxEntrySize", logBytes([first, entry(1n, 1n, bytes(2000))]), "maxEntrySize allows 1024"],
    ["a size below zero", withSize(logBytes([first, second]), -1), "no writer writes"],
    [
      "the size of the last entry, above maxEntrySize",
      withSize(logBytes([first, second]), 1025),
      "maxEntrySize allows"
    ],
    ["an entry that runs into the ledgers map", withSize(sealed([first, second]), 100), "ledgers map"],
    ["an entry of a sealed log that runs past its end", withSize(sealed([first, second]), 1000), "ledgers map"],
    [
      "a ledger id below -1",
      Buffer.concat([logBytes([first]), entryBytes({ ledgerId: -7n, entryId: 1n, payload: bytes(0) })]),
      "the ledger id -7"
    ],
    [
      "a part of a ledgers map that holds something else",
      Buffer.concat([logBytes([first]), entryBytes({ ledgerId: -1n, entryId: -2n, payload: bytes(8) })]),
      "no writer writes"
    ],
    [
      "a byte of padding before no block",
      Buffer.concat([logBytes([first]), Buffer.of(0xf0), entryBytes(second)]),
      "no writer writes"
    ],
    ["zeros before an entry", Buffer.concat([logBytes([first]), Buffer.alloc(700), entryBytes(second)]), "byte 1749"],
    [
      "an entry id below zero",
      Buffer.concat([logBytes([first]), entryBytes({ ledgerId: 1n, entryId: -1n, payload: bytes(0) })]),
      "the id -1"
    ]
  ] as const)("%s", ([, content, message]) =>
    Effect.gen(function* () {
      const directory = yield* directoryOf({ "0.log": content, "1.log": logBytes([second]) })
      yield* using({ directory, readOnly: true, maxEntrySize: "1 KiB" }, (log) =>
        Effect.gen(function* () {
          const seen: Array<EntryLog.LocatedEntry> = []
          const reason = yield* reasonOf(
            Stream.runForEach(log.scan(), (entry) => Effect.sync(() => void seen.push(entry)))
          )
          assert.strictEqual(reason._tag, "Corruption")
          assert.include(reason.message, message)
          assert.include(reason.message, Path.join(directory, "0.log"))
          assert.deepStrictEqual(
            seen.map(({ payload }) => payload),
            [first.payload]
          )
        })
      )
    })
  )

  it.effect.each([
    ["a log that does not begin with BKLO", Buffer.from("something else, and long enough to be something")],
    ["one wrong letter", Buffer.concat([Buffer.from("BKL0"), logBytes([first]).subarray(4)])],
    ["a header of a later version", Buffer.concat([Buffer.from("BKLO\0\0\0\x02"), logBytes([first]).subarray(8)])],
    ["an entry behind a header of zeros", Buffer.concat([Buffer.alloc(1024), entryBytes(first)])]
  ] as const)("%s", ([, content]) =>
    Effect.gen(function* () {
      const directory = yield* directoryOf({ "0.log": logBytes([first]), "1.log": content })
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* tagOf(Stream.runDrain(log.scan())), "Corruption")
          assert.strictEqual(yield* tagOf(log.logs), "Corruption")
          assert.strictEqual((yield* Stream.runHead(log.scan()))._tag, "Some")
        })
      )
    })
  )
})

describe("the ledgers map of a log", () => {
  /** A log that was rolled over, by us. */
  const rolledOver = Effect.gen(function* () {
    const directory = yield* Fixtures.temporaryDirectory
    yield* using({ directory, maxLogSize: 1100 }, (log) => log.appendAll([first, second, entry(3n, 0n, bytes(20))]))
    return Fs.readFileSync(Path.join(directory, "0.log"))
  })

  /** What each mutation does to it, by the offset of the map. */
  const mutations: ReadonlyArray<readonly [string, (log: Buffer, map: number) => void]> = [
    ["an offset in the header", (log) => log.writeBigInt64BE(1024n, 8)],
    ["an offset past the end", (log) => log.writeBigInt64BE(2n ** 60n, 8)],
    ["a negative offset", (log) => log.writeBigInt64BE(-1n, 8)],
    ["too many ledgers in the header", (log) => log.writeInt32BE(2 ** 31 - 1, 16)],
    ["too few ledgers in the header", (log) => log.writeInt32BE(1, 16)],
    ["no ledgers in the header", (log) => log.writeInt32BE(0, 16)],
    ["fewer than no ledgers in the header", (log) => log.writeInt32BE(-1, 16)],
    ["too many ledgers in the part", (log, map) => log.writeInt32BE(2 ** 31 - 1, map + 20)],
    ["another entry id", (log, map) => log.writeBigInt64BE(-3n, map + 12)],
    ["the same ledger twice", (log, map) => log.writeBigInt64BE(1n, map + 40)],
    [
      "the same ledger twice, counted once",
      (log, map) => {
        log.writeInt32BE(1, 16)
        log.writeBigInt64BE(1n, map + 40)
      }
    ],
    ["a negative ledger", (log, map) => log.writeBigInt64BE(-1n, map + 40)],
    ["more bytes than the log has", (log, map) => log.writeBigInt64BE(1000n, map + 48)],
    ["fewer bytes than an entry has", (log, map) => log.writeBigInt64BE(0n, map + 48)]
  ]

  it.effect.each(mutations)("is not believed with %s: the entries are counted instead", ([, mutate]) =>
    Effect.gen(function* () {
      const log = yield* rolledOver
      const before = yield* logsOf(log)
      assert.strictEqual(before?.sealed, true)
      mutate(log, Number(log.readBigInt64BE(8)))
      assert.deepStrictEqual(yield* logsOf(log), { ...before, sealed: false })
    })
  )

  it.effect("is not believed if it is cut off", () =>
    Effect.gen(function* () {
      const log = yield* rolledOver
      const before = yield* logsOf(log)
      for (let cut = 1; cut <= 24 + 2 * 16; cut += 1) {
        const size = log.length - cut
        assert.deepStrictEqual(yield* logsOf(log.subarray(0, size)), { ...before, size, sealed: false })
      }
    })
  )
})

describe("a scan", () => {
  it.effect("goes by the number of the log, not by its name", () =>
    Effect.gen(function* () {
      const files = ["0", "2", "a", "10", "ff", "100"].map((id, index) => [
        `${id}.log`,
        logBytes([entry(1n, BigInt(index))])
      ])
      const scanned = yield* scanAll(yield* directoryOf(Object.fromEntries(files)))
      assert.deepStrictEqual(
        scanned.map(({ entryId }) => entryId),
        [0n, 1n, 2n, 3n, 4n, 5n]
      )
    })
  )

  it.effect("begins with the log that it is told to begin with", () =>
    Effect.gen(function* () {
      const directory = yield* directoryOf({ "0.log": logBytes([first]), "2.log": logBytes([second]) })
      for (const [fromLog, expected] of [
        [0, [first, second]],
        [1, [second]],
        [2, [second]],
        [3, []]
      ] satisfies ReadonlyArray<[number, Array<EntryLog.Entry>]>) {
        assert.deepStrictEqual(yield* scanAll(directory, { fromLog }), expected)
      }
      assert.strictEqual(yield* tagOf(scanAll(directory, { fromLog: -1 })), "InvalidArgument")
      assert.strictEqual(yield* tagOf(scanAll(directory, { fromLog: 0.5 })), "InvalidArgument")
    })
  )

  it.effect("finds entries of every size across the borders of its buffer", () =>
    Effect.gen(function* () {
      const sizes = [262_100, 0, 1, 30, 262_124, 262_125, 7, 300_000, 700_000, 0, 524_000, 3, 1_000_000, 12]
      const entries = sizes.map((size, index) => entry(1n, BigInt(index), bytes(size, index)))
      const directory = yield* directoryOf({ "0.log": logBytes(entries) })
      assert.deepStrictEqual(yield* scanAll(directory), entries)
      assert.deepStrictEqual(
        yield* scanAll(directory, { payloads: false }),
        entries.map((entry) => ({ ...entry, payload: new Uint8Array(0) }))
      )
    })
  )

  it.effect("gives payloads that stay as they are while it goes on", () =>
    Effect.gen(function* () {
      const entries = Array.from({ length: 5000 }, (_, id) => entry(1n, BigInt(id), bytes(200, id)))
      const directory = yield* directoryOf({ "0.log": logBytes(entries) })
      assert.deepStrictEqual(yield* scanAll(directory), entries)
    })
  )

  it.effect("can be run again, and sees what has been appended since", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const count = Stream.runCount(log.scan())
          assert.strictEqual(yield* count, 0)
          yield* log.appendAll([first, second])
          assert.strictEqual(yield* count, 2)
          yield* log.appendAll([first])
          assert.strictEqual(yield* count, 3)
        })
      )
    })
  )
})

/** A part of a ledgers map. */
const mapPart = (ledgers: ReadonlyArray<readonly [ledgerId: bigint, bytes: bigint]>) => {
  const payload = Buffer.alloc(4 + 16 * ledgers.length)
  payload.writeInt32BE(ledgers.length)
  for (const [at, value] of ledgers.flat().entries()) payload.writeBigInt64BE(value, 4 + 8 * at)
  return entryBytes({ ledgerId: -1n, entryId: -2n, payload })
}

/** A log that says it is sealed, with a ledgers map of some sort. */
const sealed = (entries: ReadonlyArray<EntryLog.Entry>) => {
  const log = logBytes(entries)
  log.writeBigInt64BE(BigInt(log.length), 8)
  log.writeInt32BE(1, 16)
  return Buffer.concat([log, entryBytes({ ledgerId: -1n, entryId: -2n, payload: Buffer.alloc(400) })])
}

/** A log whose second entry has another size. */
const withSize = (log: Buffer, size: number) => {
  log.writeInt32BE(size, 1024 + entryBytes(first).length)
  return log
}

/** What is told of the only log of a directory. */
const logsOf = (content: Uint8Array) =>
  Effect.gen(function* () {
    const directory = yield* directoryOf({ "0.log": content })
    return (yield* using({ directory, readOnly: true }, (log) => log.logs))[0]
  })
