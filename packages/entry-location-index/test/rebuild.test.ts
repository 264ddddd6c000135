/**
 * Entry logs in, index out: from the directories that BookKeeper itself wrote
 * and from our own, and what becomes of the old index when something fails.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { EntryLog } from "@effect-bookie/entry-log"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as BookKeeper from "../../entry-log/test/fixtures.ts"
import { EntryId, type EntryLocationIndex, IndexRebuild, LedgerId } from "../src/index.ts"
import {
  contents,
  everything,
  FailingEngine,
  maxId,
  range,
  raw,
  start,
  tagOf,
  temporaryDirectory,
  using
} from "./support.ts"

const ledger = LedgerId.make

const test = (name: string, body: (directory: string) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(name, () => Effect.scoped(Effect.flatMap(temporaryDirectory, body)))

/** Appends entries to the logs of a directory, with small payloads; answers where they are. */
const append = (directory: string, ids: ReadonlyArray<readonly [ledgerId: bigint, entryId: bigint]>) =>
  Effect.scoped(
    Effect.flatMap(EntryLog.make({ directory, maxLogSize: "1 MiB" }), (log) =>
      Effect.gen(function* () {
        const entries = ids.map(([ledgerId, entryId]) => ({
          ledgerId: ledger(ledgerId),
          entryId: EntryId.make(entryId),
          payload: Buffer.from(`${ledgerId}:${entryId}`)
        }))
        const locations = yield* log.appendAll(entries)
        return entries.flatMap(({ entryId, ledgerId }, at) => {
          const location = locations[at]
          return location === undefined ? [] : [{ ledgerId, entryId, location }]
        })
      })
    )
  )

/** The last location of each entry, in the order of the index. */
const latest = (
  written: ReadonlyArray<EntryLocationIndex.EntryLocation>
): ReadonlyArray<EntryLocationIndex.EntryLocation> => {
  const byId = new Map(
    written.map(({ entryId, ledgerId, location }) => [`${ledgerId}:${entryId}`, { ledgerId, entryId, location }])
  )
  return [...byId.values()].toSorted(
    (left, right) => order(left.ledgerId, right.ledgerId) || order(left.entryId, right.entryId)
  )
}

const order = (left: bigint, right: bigint) => (left < right ? -1 : left > right ? 1 : 0)

/** The reason for which a rebuild fails, with the entry logs' reasons among them. */
const failureOf = (options: IndexRebuild.Options) =>
  Effect.map(Effect.flip(IndexRebuild.rebuild(options)), ({ _tag, reason }) => `${_tag} ${reason._tag}`)

describe("a rebuild from BookKeeper's logs", () => {
  it.effect.each([...BookKeeper.names])("%s: has exactly the last row of each entry, and can read them", (name) =>
    Effect.gen(function* () {
      const entryLogs = yield* BookKeeper.unpack(name)
      const database = Path.join(yield* temporaryDirectory, "index")
      const before = BookKeeper.snapshot(entryLogs)
      const summary = yield* IndexRebuild.rebuild({ entryLogs, database })
      assert.deepStrictEqual(BookKeeper.snapshot(entryLogs), before)

      const written = BookKeeper.entriesOf(entryLogs)
      const expected = latest(written)
      assert.deepInclude(summary, { entries: BigInt(expected.length), scanned: written.length, excluded: 0 })
      const checksums = new Map<string, string>(
        written.map(({ crc32c, entryId, ledgerId }) => [`${ledgerId}:${entryId}`, crc32c])
      )
      yield* using(database, (index) =>
        Effect.gen(function* () {
          const found = yield* everything(index)
          assert.deepStrictEqual(found, expected)
          const log = yield* EntryLog.make({ directory: entryLogs, readOnly: true })
          yield* Effect.forEach(
            found,
            Effect.fnUntraced(function* ({ entryId, ledgerId, location }) {
              const payload = yield* log.read(ledgerId, entryId, location)
              const checksum = BookKeeper.checksum({ ledgerId, entryId, payload })
              assert.strictEqual(checksum, checksums.get(`${ledgerId}:${entryId}`))
            }),
            { concurrency: 64, discard: true }
          )
          const lastEntries = BookKeeper.lastEntriesOf(entryLogs)
          assert.strictEqual(summary.ledgers, lastEntries.size)
          for (const [ledgerId, lastEntry] of lastEntries) {
            // BookKeeper does not see an entry 2^63-1 here, and answers the one before it.
            const isLargest = checksums.has(`${ledgerId}:${maxId}`)
            assert.strictEqual(yield* index.getLastEntryInLedger(ledgerId), isLargest ? EntryId.make(maxId) : lastEntry)
          }
        })
      )
    }).pipe(Effect.scoped)
  )
})

describe("a rebuild", () => {
  test("leaves out the ledgers that are not included", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      const written = yield* append(
        entryLogs,
        Array.from({ length: 100 }, (_, at) => [BigInt(at % 4), BigInt(at)] as const)
      )
      const summary = yield* IndexRebuild.rebuild({ entryLogs, database, includes: (ledgerId) => ledgerId % 2n === 0n })
      assert.deepInclude(summary, { entries: 50n, ledgers: 2, scanned: 100, excluded: 50, logs: 1 })
      assert.deepStrictEqual(
        yield* using(database, everything),
        latest(written.filter(({ ledgerId }) => ledgerId % 2n === 0n))
      )
    }))

  test("takes the place of the old index, and leaves nothing beside it", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      const written = yield* append(entryLogs, [
        [1n, 1n],
        [2n, 1n]
      ])
      yield* using(database, (index) => index.addLocations(range(9n, 0, 1000)))
      Fs.mkdirSync(`${database}.rebuild/index`, { recursive: true })
      Fs.writeFileSync(`${database}.rebuild/lock`, "")
      Fs.writeFileSync(`${database}.rebuild/index/CURRENT`, "of a rebuild that was killed")
      yield* IndexRebuild.rebuild({ entryLogs, database })
      assert.deepStrictEqual(yield* using(database, everything), latest(written))
      assert.deepStrictEqual(Fs.readdirSync(directory).toSorted(), ["index", "logs"])
      yield* using(database, (index) => index.addLocations(range(9n, 0, 10)))
      assert.strictEqual(yield* using(database, (index) => index.entryCount), 12n)
    }))

  test("of more entries than share a commit lets the latest location hold, and tells how far it is", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      const half = Array.from({ length: 101_000 }, (_, at) => [BigInt(at % 500), BigInt(at)] as const)
      const written = [...(yield* append(entryLogs, half)), ...(yield* append(entryLogs, half.toReversed()))]
      const told: Array<IndexRebuild.Progress> = []
      const summary = yield* IndexRebuild.rebuild({
        entryLogs,
        database,
        onProgress: (progress) => Effect.sync(() => told.push(progress))
      })
      const size = Fs.readdirSync(entryLogs)
        .filter((name) => name.endsWith(".log"))
        .reduce((sum, name) => sum + Fs.statSync(Path.join(entryLogs, name)).size, 0)
      assert.deepInclude(summary, { entries: 101_000n, scanned: 202_000, bytes: size, ledgers: 500 })
      assert.isAtLeast(told.length, 2)
      assert.deepStrictEqual(told.at(-1), { scanned: 202_000, bytes: size, totalBytes: size })
      for (const [at, { bytes, scanned }] of told.entries()) {
        assert.isAtMost(told[at - 1]?.bytes ?? 0, bytes)
        assert.isAtMost(told[at - 1]?.scanned ?? 0, scanned)
      }
      const found = yield* using(database, everything)
      assert.isTrue(isEqual(found, latest(written)))
    }))

  test("tells the Lifecycle of the application nothing of the databases that it opens", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      yield* append(entryLogs, [[1n, 1n]])
      const events: Array<string> = []
      const listener: Lifecycle.Listener = ({ resource }) => Effect.sync(() => events.push(resource))
      yield* IndexRebuild.rebuild({ entryLogs, database }).pipe(Effect.provideService(Lifecycle.Lifecycle, listener))
      assert.deepStrictEqual(events, [])
    }))

  test("of logs without entries is an empty index", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "a/b/index")]
      Fs.mkdirSync(entryLogs)
      const summary = yield* IndexRebuild.rebuild({ entryLogs, database })
      assert.deepInclude(summary, { entries: 0n, ledgers: 0, logs: 0, bytes: 0 })
      assert.deepStrictEqual(yield* using(database, everything), [])
    }))

  test("does not mind an old index that is corrupt, or an empty directory in its place", (directory) =>
    Effect.gen(function* () {
      const entryLogs = Path.join(directory, "logs")
      const written = yield* append(entryLogs, [[1n, 1n]])
      const corrupt = Path.join(directory, "corrupt")
      yield* using(corrupt, (index) => index.addLocations(range(9n, 0, 1000)))
      Fs.writeFileSync(Path.join(corrupt, "CURRENT"), "garbage\n")
      const withoutCurrent = Path.join(directory, "without-current")
      yield* using(withoutCurrent, (index) => index.addLocations(range(9n, 0, 1000)))
      Fs.rmSync(Path.join(withoutCurrent, "CURRENT"))
      const empty = Path.join(directory, "empty")
      Fs.mkdirSync(empty)
      for (const database of [corrupt, withoutCurrent, empty]) {
        yield* IndexRebuild.rebuild({ entryLogs, database })
        assert.deepStrictEqual(yield* using(database, everything), latest(written))
      }
    }))

  test("follows a symbolic link to the database", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, real, link] = ["logs", "real", "link"].map((name) => Path.join(directory, name))
      if (entryLogs === undefined || real === undefined || link === undefined) return
      const written = yield* append(entryLogs, [[1n, 1n]])
      yield* using(real, (index) => index.addLocations(range(9n, 0, 10)))
      Fs.symlinkSync(real, link)
      yield* IndexRebuild.rebuild({ entryLogs, database: link })
      assert.isTrue(Fs.lstatSync(link).isSymbolicLink())
      assert.deepStrictEqual(yield* using(real, everything), latest(written))
    }))
})

/** Asserts that a rebuild over an old index, of logs or paths that were spoilt, fails and leaves the old index. */
const leavesOld = (
  directory: string,
  expected: string,
  spoil: (paths: { readonly entryLogs: string; readonly database: string }) => void
) =>
  Effect.gen(function* () {
    const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
    yield* append(entryLogs, [
      [1n, 1n],
      [2n, 2n]
    ])
    yield* using(database, (index) => index.addLocations(range(9n, 0, 1000)))
    spoil({ entryLogs, database })
    assert.strictEqual(yield* failureOf({ entryLogs, database }), expected)
    assert.deepStrictEqual(yield* using(database, everything), range(9n, 0, 1000))
    assert.isFalse(Fs.existsSync(`${database}.rebuild`))
  })

describe("a rebuild that fails", () => {
  test("because a log is damaged leaves the old index", (directory) =>
    leavesOld(directory, "EntryLogError Corruption", ({ entryLogs }) => {
      const log = Path.join(entryLogs, "0.log")
      const bytes = Fs.readFileSync(log)
      // Larger than an entry may be, and not beyond the end of the log, which would be a torn tail.
      bytes.writeInt32BE(6_000_000, 1024)
      Fs.writeFileSync(log, Buffer.concat([bytes, Buffer.alloc(8_000_000)]))
    }))

  test("because there are no logs leaves the old index", (directory) =>
    leavesOld(directory, "EntryLogError MissingDirectory", ({ entryLogs }) =>
      Fs.rmSync(entryLogs, { recursive: true })
    ))

  test("because what was written is not what can be read leaves the old index", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      yield* append(entryLogs, [
        [1n, 1n],
        [2n, 2n]
      ])
      yield* using(database, (index) => index.addLocations(range(9n, 0, 1000)))
      const engine = new FailingEngine()
      engine.lose((operation) => operation.type === "put" && operation.key.length === 17 && operation.key[8] === 2)
      const rebuilding = Effect.provide(IndexRebuild.rebuildWithoutEngine({ entryLogs, database }), engine.layer)
      assert.strictEqual((yield* Effect.flip(rebuilding)).reason._tag, "Corruption")
      assert.deepStrictEqual(yield* using(database, everything), range(9n, 0, 1000))
      assert.deepStrictEqual(Fs.readdirSync(directory).toSorted(), ["index", "logs"])
    }))

  test("because it is interrupted leaves the old index", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      yield* append(entryLogs, [[1n, 1n]])
      yield* using(database, (index) => index.addLocations(range(9n, 0, 1000)))
      const begun = yield* Latch.make()
      const onProgress = () => Effect.andThen(begun.open, Effect.never)
      const rebuilding = yield* Effect.forkChild(IndexRebuild.rebuild({ entryLogs, database, onProgress }))
      yield* begun.await
      yield* Fiber.interrupt(rebuilding)
      assert.deepStrictEqual(yield* using(database, everything), range(9n, 0, 1000))
      assert.deepStrictEqual(Fs.readdirSync(directory).toSorted(), ["index", "logs"])
    }))

  test("because its directory is no database leaves that as it is", (directory) =>
    Effect.gen(function* () {
      const entryLogs = Path.join(directory, "logs")
      yield* append(entryLogs, [[1n, 1n]])
      const before = contents(entryLogs)
      assert.strictEqual(yield* failureOf({ entryLogs, database: entryLogs }), "RocksDBError InvalidArgument")
      assert.deepStrictEqual(contents(entryLogs), before)
      assert.deepStrictEqual(Fs.readdirSync(directory), ["logs"])
      assert.strictEqual(yield* failureOf({ entryLogs, database: "" }), "RocksDBError InvalidArgument")
    }))

  test("because its database holds more than an index leaves that as it is", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      yield* append(entryLogs, [[1n, 1n]])
      yield* RocksDB.RocksDB.use((db) => db.put(Buffer.from("precious"), Buffer.from("data"))).pipe(
        Effect.provide(RocksDB.layer({ path: database }))
      )
      const before = contents(database)
      assert.strictEqual(yield* failureOf({ entryLogs, database }), "RocksDBError UnsupportedFormat")
      assert.deepStrictEqual(contents(database), before)
    }))

  it.effect.each(["00", "03", "010000000000000001", "030000000000000001"])(
    "because its database has a key %s but no metadata of an index leaves that as it is",
    (key) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
        yield* append(entryLogs, [[1n, 1n]])
        yield* raw(database, (db) => db.put(Buffer.from(key, "hex"), Buffer.from("data")))
        const before = contents(database)
        assert.strictEqual(yield* failureOf({ entryLogs, database }), "RocksDBError UnsupportedFormat")
        assert.deepStrictEqual(contents(database), before)
      }).pipe(Effect.scoped)
  )

  test("because its database is another program's that looks empty leaves that as it is", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      yield* append(entryLogs, [[1n, 1n]])
      // All that such a one has may be in column families, which an open of the default one does not see.
      yield* raw(database, () => Effect.void)
      for (const name of ["ENGINE", "OWNER.lock"]) Fs.rmSync(Path.join(database, name))
      const before = contents(database)
      assert.strictEqual(yield* failureOf({ entryLogs, database }), "RocksDBError UnsupportedFormat")
      assert.deepStrictEqual(contents(database), before)
    }))
})

describe("an index that is in use", () => {
  test("in this process is Locked to a rebuild, and stays as it is", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      yield* append(entryLogs, [[1n, 1n]])
      yield* using(database, (index) =>
        Effect.gen(function* () {
          yield* index.addLocations(range(9n, 0, 1000))
          assert.strictEqual(yield* failureOf({ entryLogs, database }), "RocksDBError Locked")
          assert.deepStrictEqual(yield* everything(index), range(9n, 0, 1000))
          yield* index.addLocations(range(8n, 0, 10))
        })
      )
      assert.strictEqual(yield* using(database, (index) => index.entryCount), 1010n)
    }))

  test("in another process is Locked to a rebuild, and stays as it is", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      yield* append(entryLogs, [[1n, 1n]])
      yield* using(database, (index) => index.addLocations(range(9n, 0, 10)))
      const child = yield* start("hold", database)
      yield* child.lines(1)
      const before = withoutInfoLogs(contents(database))
      assert.strictEqual(yield* failureOf({ entryLogs, database }), "RocksDBError Locked")
      assert.deepStrictEqual(withoutInfoLogs(contents(database)), before)
      yield* child.kill
      yield* child.ended
      yield* IndexRebuild.rebuild({ entryLogs, database })
      assert.strictEqual(yield* using(database, (index) => index.entryCount), 1n)
    }))

  test("by a rebuild is Locked to all others, also to another rebuild", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      yield* append(entryLogs, [[1n, 1n]])
      yield* using(database, (index) => index.addLocations(range(9n, 0, 10)))
      const found: Array<unknown> = []
      const onProgress = () =>
        Effect.gen(function* () {
          found.push(yield* failureOf({ entryLogs, database }))
          found.push(yield* tagOf(using(database, () => Effect.void)))
          const child = yield* start("hold", database)
          found.push(yield* child.ended)
        }).pipe(Effect.scoped, Effect.orDie)
      yield* IndexRebuild.rebuild({ entryLogs, database, onProgress })
      assert.deepStrictEqual(found, ["RocksDBError Locked", "Locked", 1])
      assert.strictEqual(yield* using(database, (index) => index.entryCount), 1n)
    }))
})

describe("a database that is being rebuilt", () => {
  test("is at no moment missing", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      yield* append(entryLogs, [[1n, 1n]])
      yield* IndexRebuild.rebuild({ entryLogs, database })
      const child = yield* start("rebuild", entryLogs, database, "1")
      yield* child.lines(1)
      const looking = { checks: 0, missing: 0 }
      while (child.printed().length < 20) {
        for (let at = 0; at < 500; at++) {
          looking.checks += 1
          if (!Fs.existsSync(Path.join(database, "CURRENT"))) looking.missing += 1
        }
        yield* TestClock.withLive(Effect.sleep(0))
      }
      assert.strictEqual(looking.missing, 0, `of ${looking.checks} checks`)
    }))
})

describe("a rebuild that is killed", () => {
  test("leaves the old index or the new one, whole, and the next one leaves nothing beside it", (directory) =>
    Effect.gen(function* () {
      const [entryLogs, database] = [Path.join(directory, "logs"), Path.join(directory, "index")]
      const written = yield* append(
        entryLogs,
        Array.from({ length: 5_000 }, (_, at) => [BigInt(at % 50), BigInt(at)] as const)
      )
      const without = (left: number) => latest(written.filter(({ ledgerId }) => ledgerId !== BigInt(left)))
      yield* IndexRebuild.rebuild({ entryLogs, database, includes: (ledgerId) => ledgerId !== 0n })
      let left = 0
      for (const [lines, millis] of [
        [1, 10],
        [2, 0],
        [1, 60],
        [2, 30],
        [1, 120],
        [3, 45],
        [2, 90]
      ] as const) {
        const child = yield* start("rebuild", entryLogs, database, String(left + 1))
        yield* child.lines(lines)
        yield* TestClock.withLive(Effect.sleep(millis))
        yield* child.kill
        assert.isNull(yield* child.ended)
        const begun = Number(
          child
            .printed()
            .findLast((line) => line.startsWith("begin"))
            ?.split(" ")[1]
        )
        const found = yield* using(database, everything)
        // Of the rebuild under way the new index, or the old one.
        left = isEqual(found, without(begun)) ? begun : begun - 1
        assert.deepStrictEqual(found, without(left))
      }
      yield* IndexRebuild.rebuild({ entryLogs, database })
      assert.deepStrictEqual(yield* using(database, everything), latest(written))
      assert.deepStrictEqual(Fs.readdirSync(directory).toSorted(), ["index", "logs"])
    }))
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

/** RocksDB begins a new `LOG` even where an open fails because the database is in use. */
const withoutInfoLogs = (files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).filter(([name]) => !/^LOG(\.old.*)?$/.test(name)))
