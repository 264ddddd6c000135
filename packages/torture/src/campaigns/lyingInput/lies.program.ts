/**
 * Lies to the packages: with arguments, and with files. Says `ok` for each lie
 * that got a typed error or the truth, and `wrong WHAT` for each that did not.
 * Its arguments are a directory to work in, the seed, and how many ledgers the
 * log of a million ledgers has; without any it only loads, and ends.
 */
import { EntryLocationIndex, IndexRebuild } from "@effect-bookie/entry-location-index"
import { EntryId, EntryLog, type EntryLogError, LedgerId, Location } from "@effect-bookie/entry-log"
import { NativeEngine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Random from "../../harness/Random.ts"

const [room = "", seed = "", ledgers = ""] = process.argv.slice(2)

type Failure = RocksDBError.RocksDBError | EntryLogError.EntryLogError

const say = (line: string): void => void Fs.writeSync(1, `${line}\n`)

/** Runs a lie; the outcomes that may be are "success" and reasons. */
const lie = <R>(what: string, may: ReadonlyArray<string>, step: () => Effect.Effect<unknown, Failure, R>) =>
  Effect.map(Effect.exit(Effect.result(Effect.suspend(step))), (exit) => {
    const outcome = Exit.isFailure(exit)
      ? `dies of ${exit.cause}`
      : exit.value._tag === "Success"
        ? "success"
        : exit.value.failure.reason._tag
    say(may.includes(outcome) ? `ok ${what}` : `wrong ${what}: ${outcome}`)
    const mebibytes = process.resourceUsage().maxRSS / 1024
    if (mebibytes > maxResident) say(`wrong ${what}: ${Math.round(mebibytes)} MiB of memory`)
  })

const maxResident = 1024

/** What no id is, told to be one, which the compiler would refuse. */
const noIds = [
  -1n,
  -(1n << 63n),
  1n << 63n,
  1n << 64n,
  0,
  1.5,
  Number.NaN,
  "1",
  "",
  true,
  null,
  undefined,
  Symbol("id"),
  [],
  {},
  Object.create(null),
  () => 1n
].map((value) => value as never)

const ids = Effect.gen(function* () {
  const log = yield* EntryLog.make({ directory: Path.join(room, "ids", "logs") })
  const database = yield* RocksDB.make({ path: Path.join(room, "ids", "index") })
  const index = yield* Effect.provideService(EntryLocationIndex.make(), RocksDB.RocksDB, database)
  const one = { ledgerId: LedgerId.make(1n), entryId: EntryId.make(1n), location: Location.make(1n) }
  const { entryId, ledgerId, location } = one
  const payload = Uint8Array.of(1)
  for (const no of noIds) {
    const bad = (what: string, step: () => Effect.Effect<unknown, Failure>) =>
      lie(`${what} of ${typeof no} ${typeof no === "bigint" ? no : ""}`, ["InvalidArgument"], step)
    for (const entry of [
      { ...one, ledgerId: no },
      { ...one, entryId: no },
      { ...one, location: no }
    ]) {
      yield* bad("addLocation", () => index.addLocation(entry.ledgerId, entry.entryId, entry.location))
      yield* bad("addLocations", () => index.addLocations([one, entry]))
      yield* bad("updateLocations", () => index.updateLocations([one, entry]))
      yield* bad("batch", () =>
        Effect.flatMap(index.makeBatch, (batch) => {
          batch.add(ledgerId, entryId, location)
          batch.add(entry.ledgerId, entry.entryId, entry.location)
          return batch.commit
        })
      )
      yield* bad("read", () => log.read(entry.ledgerId, entry.entryId, entry.location))
    }
    yield* bad("getLocation", () => index.getLocation(no, entryId))
    yield* bad("getLocation", () => index.getLocation(ledgerId, no))
    yield* bad("getLocations", () => index.getLocations([one, { ledgerId, entryId: no }]))
    yield* bad("getLastEntryInLedger", () => index.getLastEntryInLedger(no))
    yield* bad("deleteLedger", () => index.deleteLedger(no))
    yield* bad("deleteLedgers", () => index.deleteLedgers([ledgerId, no]))
    yield* bad("entries", () => Stream.runDrain(index.entries(no)))
    // Without an end, a range is open.
    if (no !== undefined && no !== null)
      yield* bad("entries", () => Stream.runDrain(index.entries(ledgerId, { from: no })))
    yield* bad("append", () => log.append(no, entryId, payload))
    yield* bad("append", () => log.append(ledgerId, no, payload))
    yield* bad("append", () => log.append(ledgerId, entryId, no))
    yield* bad("appendAll", () =>
      log.appendAll([
        { ...one, payload },
        { ledgerId, entryId: no, payload }
      ])
    )
    if (no !== undefined && !Object.is(no, 0)) yield* bad("scan", () => Stream.runDrain(log.scan({ fromLog: no })))
  }
  const count = yield* index.entryCount
  say(count === 0n ? "ok nothing was written" : `wrong ${count} entries were written`)
}).pipe(Effect.scoped, Effect.orDie)

/** Reads, scans, describes and rebuilds the logs of a directory, and indexes what can be. */
const readAll = (what: string, directory: string, may: ReadonlyArray<string>, location: bigint = 1028n) =>
  Effect.gen(function* () {
    const log = yield* Effect.orDie(EntryLog.make({ directory, readOnly: true }))
    const reads = [...may, "success", "NotFound", "WrongEntry"]
    yield* lie(`read, ${what}`, reads, () => log.read(LedgerId.make(1n), EntryId.make(1n), Location.make(location)))
    yield* lie(`scan, ${what}`, may, () => Stream.runDrain(log.scan()))
    yield* lie(`logs, ${what}`, may, () => log.logs)
    if (rebuilds++ % 4 !== 0) return
    yield* lie(`rebuild, ${what}`, may, () =>
      IndexRebuild.rebuild({ entryLogs: directory, database: `${directory}.index` })
    )
  }).pipe(Effect.scoped)

/** How many rebuilds could have been: they take longest, so that every fourth is. */
let rebuilds = 0

const answers = ["success", "Corruption"]

/** A log with two entries, and what is done to its bytes. The size of the first entry stands at 1024. */
const withLog = (name: string, change: (bytes: DataView, path: string) => void): string => {
  const directory = Path.join(room, name)
  Fs.mkdirSync(directory)
  const bytes = Buffer.alloc(1024 + 2 * 40)
  bytes.write("BKLO")
  bytes.writeInt32BE(1, 4)
  for (const at of [1024, 1064]) {
    bytes.writeInt32BE(36, at)
    bytes.writeBigInt64BE(1n, at + 4)
    bytes.writeBigInt64BE(BigInt((at - 984) / 40), at + 12)
  }
  const path = Path.join(directory, "0.log")
  change(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), path)
  Fs.writeFileSync(path, bytes, { flag: "a" })
  return directory
}

const sizes = Effect.gen(function* () {
  const random = Random.make(Number(seed))
  const lies = [0x7fff_ffff, 0x7fff_0000, -1, -0x8000_0000, 0, 1, 15, 16, 17, 5_243_904, 5_243_905]
  for (let more = 0; more < 20; more++) lies.push(random.below(2 ** 32) - 2 ** 31)
  for (const [at, size] of lies.entries()) {
    const directory = withLog(`size-${at}`, (bytes) => bytes.setInt32(1024, size))
    yield* readAll(`an entry of ${size} bytes`, directory, answers)
    if (at > 2) continue
    // The file is as long as the entry says, and holds nothing there.
    Fs.truncateSync(Path.join(directory, "0.log"), 2 ** 31 + 4096)
    yield* readAll(`an entry of ${size} bytes in a file of 2 GiB`, directory, answers)
    Fs.rmSync(directory, { recursive: true })
  }
})

const headers = Effect.gen(function* () {
  for (const offset of [-1n, 1n, 1023n, 1024n, 1063n, 1064n, 1104n, 1n << 31n, 1n << 62n, -(1n << 63n)]) {
    for (const count of [-1, 0, 1, 10_000, 0x7fff_ffff, -0x8000_0000]) {
      const directory = withLog(`map-${offset}-${count}`, (bytes) => {
        bytes.setBigInt64(8, offset)
        bytes.setInt32(16, count)
      })
      yield* readAll(`a map of ${count} ledgers at ${offset}`, directory, answers)
    }
  }
  for (const version of [2, -1, 0x7fff_ffff]) {
    const directory = withLog(`version-${version}`, (bytes) => bytes.setInt32(4, version))
    yield* readAll(`header version ${version}`, directory, ["Corruption"])
  }
})

/** A part of a ledgers map, with fields that need not agree. */
const part = (count: number, size: number, rows: ReadonlyArray<readonly [bigint, bigint]>): Buffer => {
  const bytes = Buffer.alloc(24 + 16 * rows.length)
  bytes.writeInt32BE(size, 0)
  bytes.writeBigInt64BE(-1n, 4)
  bytes.writeBigInt64BE(-2n, 12)
  bytes.writeInt32BE(count, 20)
  for (const [at, [ledgerId, bytesOf]] of rows.entries()) {
    bytes.writeBigInt64BE(ledgerId, 24 + 16 * at)
    bytes.writeBigInt64BE(bytesOf, 32 + 16 * at)
  }
  return bytes
}

/** Ledgers maps behind the two entries, as parts of their own making. */
const maps = Effect.gen(function* () {
  const lies: ReadonlyArray<readonly [string, Buffer]> = [
    ["more ledgers than it has", part(10_000, 20 + 16, [[1n, 80n]])],
    ["a negative number of ledgers", part(-5, 20 + 16, [[1n, 80n]])],
    ["a part of 2 GiB", part(1, 0x7fff_ffff, [[1n, 80n]])],
    ["a ledger with more bytes than the log", part(1, 36, [[1n, 1n << 62n]])],
    ["a ledger with negative bytes", part(1, 36, [[1n, -80n]])],
    ["a negative ledger", part(1, 36, [[-7n, 80n]])],
    [
      "a ledger twice",
      part(2, 52, [
        [1n, 40n],
        [1n, 40n]
      ])
    ],
    ["another ledger than it has", part(1, 36, [[9n, 80n]])]
  ]
  for (const [at, [what, bytes]] of lies.entries()) {
    const directory = withLog(`lying-map-${at}`, (view) => {
      view.setBigInt64(8, 1104n)
      view.setInt32(16, 1)
    })
    Fs.appendFileSync(Path.join(directory, "0.log"), bytes)
    yield* readAll(`a map with ${what}`, directory, answers)
  }
})

const names = Effect.gen(function* () {
  const directory = withLog("names", () => {})
  for (const name of [
    "zz.log",
    "1F.log",
    "01.log",
    ".log",
    "-1.log",
    "1.5.log",
    "80000000.log",
    "ffffffffffffffff.log",
    "9".repeat(200) + ".log"
  ]) {
    Fs.writeFileSync(Path.join(directory, name), "no log")
  }
  Fs.mkdirSync(Path.join(directory, "xyz.log"))
  yield* readAll("logs whose names are no ids", directory, ["success"])
  Fs.mkdirSync(Path.join(directory, "5.log"))
  yield* readAll("a directory that is named like a log", directory, ["success"])
  for (const lastId of ["", "xyz\n", "-1\n", "7fffffff\n", "ffffffffffffffffffffffff\n", "\u0000".repeat(1000)]) {
    const other = withLog(`lastId-${Buffer.from(lastId).subarray(0, 8).toString("hex")}`, () => {})
    Fs.writeFileSync(Path.join(other, "lastId"), lastId)
    const may = ["success", "InvalidArgument"]
    yield* lie(`append after a lastId of ${JSON.stringify(lastId.slice(0, 9))}`, may, () =>
      Effect.scoped(
        Effect.flatMap(EntryLog.make({ directory: other }), (log) =>
          log.append(LedgerId.make(1n), EntryId.make(1n), Uint8Array.of())
        )
      )
    )
  }
})

const manyLedgers = Effect.gen(function* () {
  const directory = Path.join(room, "many")
  const count = Number(ledgers)
  const batch = 50_000
  yield* Effect.scoped(
    Effect.flatMap(EntryLog.make({ directory, maxLogSize: 1030 + count * 20 }), (log) =>
      Effect.gen(function* () {
        for (let from = 0; from < count + batch; from += batch) {
          yield* log.appendAll(
            Array.from({ length: Math.min(batch, count + 1 - from) }, (_, at) => ({
              ledgerId: LedgerId.make(BigInt(from + at) * 7n),
              entryId: EntryId.make(0n),
              payload: new Uint8Array(0)
            }))
          )
        }
      })
    )
  )
  yield* readAll(`${count} ledgers in a log`, directory, ["success"])
  yield* Effect.scoped(
    Effect.flatMap(EntryLog.make({ directory, readOnly: true }), (log) =>
      Effect.map(log.logs, ([first]) => {
        const isWhole = first?.sealed === true && first.ledgers.size >= count
        say(isWhole ? "ok all of them are in its map" : `wrong ${first?.ledgers.size} of ${count} ledgers in the map`)
      })
    )
  )
}).pipe(Effect.orDie)

const program: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function* () {
  yield* Effect.provide(ids, Layer.orDie(NativeEngine.layer))
  yield* sizes
  yield* headers
  yield* maps
  yield* names
  rebuilds = 0
  yield* manyLedgers
})

if (room !== "") await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Logger.layer([]))))
