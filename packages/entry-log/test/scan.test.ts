/**
 * What a scan passes over, what it stops at, and what it refuses.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
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
    ["0xf0", Buffer.alloc(1, 0xf0)],
    ["many 0xf0", Buffer.alloc(300_001, 0xf0)],
    ["zeros", Buffer.alloc(7)],
    ["many zeros", Buffer.alloc(600_003)],
    ["0xf0, then zeros", Buffer.concat([Buffer.alloc(9, 0xf0), Buffer.alloc(6)])],
    ["sizes below zero", Buffer.from([0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0])]
  ] as const)("padding between entries: %s", ([, padding]) =>
    Effect.gen(function* () {
      const directory = yield* directoryOf({
        "0.log": Buffer.concat([logBytes([first]), padding, entryBytes(second), padding])
      })
      for (const payloads of [true, false]) {
        assert.deepStrictEqual(
          (yield* scanAll(directory, { payloads })).map(({ ledgerId }) => ledgerId),
          [first.ledgerId, second.ledgerId]
        )
      }
    })
  )

  it.effect("entries with a negative ledger id, however large", () =>
    Effect.gen(function* () {
      const skipped = entryBytes({ ledgerId: -7n, entryId: 3n, payload: bytes(10_000) })
      const directory = yield* directoryOf({
        "0.log": Buffer.concat([logBytes([first]), skipped, entryBytes(second)])
      })
      assert.deepStrictEqual(yield* scanAll(directory, { maxEntrySize: 100 }), [first, second])
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

  it.effect.each([
    ["an empty file", Buffer.alloc(0)],
    ["two letters", Buffer.from("BK")],
    ["less than a header", logBytes([]).subarray(0, 1023)],
    ["a header", logBytes([])],
    ["less than a header, of zeros", Buffer.alloc(100)],
    ["zeros only", Buffer.alloc(500_000)],
    ["a header, then zeros only", Buffer.concat([logBytes([]), Buffer.alloc(500_000)])],
    ["a header, then fewer bytes than an entry has", Buffer.concat([logBytes([]), bytes(19, 1)])]
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
    ["an entry that runs into the ledgers map", withSize(sealed([first, second]), 100), "ledgers map"],
    ["an entry of a sealed log that runs past its end", withSize(sealed([first, second]), 10_000), "ledgers map"],
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
