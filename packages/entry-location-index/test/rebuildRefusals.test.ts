/**
 * What a rebuild refuses, and that the old index and everything else is then as
 * it was.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, type Scope } from "effect"
import { EntryLog } from "@effect-bookie/entry-log"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { EntryId, IndexRebuild, LedgerId } from "../src/index.ts"
import { contents, everything, range, temporaryDirectory, using } from "./support.ts"

/** Where the logs and the index of a test are. */
interface Places {
  readonly directory: string
  readonly entryLogs: string
  readonly database: string
}

/** Appends 20 entries of ledger 5 to logs, and answers where each of them begins in the only log. */
const append = (entryLogs: string) =>
  Effect.scoped(
    Effect.flatMap(EntryLog.make({ directory: entryLogs }), (log) =>
      Effect.map(
        log.appendAll(
          Array.from({ length: 20 }, (_, at) => ({
            ledgerId: LedgerId.make(5n),
            entryId: EntryId.make(BigInt(at)),
            payload: new Uint8Array(80)
          }))
        ),
        (locations) => locations.map((location) => Number(location & 0xffff_ffffn) - 4)
      )
    )
  )

const old = range(9n, 0, 1000)

/** A test with logs and an old index beside them. */
const test = (name: string, body: (places: Places) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(name, () =>
    Effect.scoped(
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const places = { directory, entryLogs: Path.join(directory, "logs"), database: Path.join(directory, "index") }
        yield* append(places.entryLogs)
        yield* using(places.database, (index) => index.addLocations(old))
        yield* body(places)
      })
    )
  )

/** The tests that need a mount of their own. */
const testAsRoot: typeof test = (name, body) =>
  process.getuid?.() === 0 && process.platform === "linux" ? test(name, body) : it.skip(name, () => {})

/** The failure of a rebuild. */
const failureOf = (options: IndexRebuild.Options) =>
  Effect.map(Effect.flip(IndexRebuild.rebuild(options)), ({ message, reason }) => ({
    tag: reason._tag,
    message,
    reason
  }))

/** Asserts that a rebuild fails with a reason, whose message names what is wrong, and that the old index is as it was. */
const refuses = Effect.fnUntraced(function* (
  places: Places,
  tag: string,
  message: RegExp | string,
  options: Partial<IndexRebuild.Options> = {}
) {
  const failure = yield* failureOf({ ...places, ...options })
  assert.strictEqual(failure.tag, tag, failure.message)
  if (typeof message === "string") assert.include(failure.message, message)
  else assert.match(failure.message, message)
  assert.deepStrictEqual(yield* using(places.database, everything), old)
})

/** A mount at a path, for the length of the scope. */
const mounted = (path: string, ...options: ReadonlyArray<string>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void ChildProcess.execFileSync("mount", [...options, path])),
    () => Effect.sync(() => void ChildProcess.execFileSync("umount", ["--lazy", path]))
  )

describe("a rebuild from logs that", () => {
  const sizes = [6 * 1024 * 1024, 2 ** 30, 2 ** 31 - 1, 1_000_000, 50, -1, 0, 15]
  for (const size of sizes) {
    test(`have a size of ${size} fails with the file and the byte`, (places) =>
      Effect.gen(function* () {
        const log = Path.join(places.entryLogs, "0.log")
        const bytes = Fs.readFileSync(log)
        bytes.writeInt32BE(size, 1024 + 300)
        Fs.writeFileSync(log, bytes)
        yield* refuses(places, "Corruption", /logs\/0\.log: .*byte 1[34]\d\d /)
        assert.isFalse(Fs.existsSync(`${places.database}.rebuild`))
      }))
  }

  test("have lost an entry's top bit of an id fails, and takes the others if it is to salvage", (places) =>
    Effect.gen(function* () {
      const log = Path.join(places.entryLogs, "0.log")
      const bytes = Fs.readFileSync(log)
      bytes.writeUInt8(0x80, 1024 + 304)
      Fs.writeFileSync(log, bytes)
      yield* refuses(places, "Corruption", "salvage: true")

      const summary = yield* IndexRebuild.rebuild({ ...places, salvage: true })
      const { why, ...place } = summary.passedOver[0] ?? assert.fail("nothing was passed over")
      assert.deepStrictEqual(place, { file: log, from: 1324, bytes: 100 })
      assert.include(why, "byte 1324")
      assert.deepInclude(summary, { entries: 19n, scanned: 19, passedOverBytes: 100, lost: 1000n })
      assert.strictEqual(summary.passedOver.length, 1)
      const found = yield* using(places.database, everything)
      assert.deepStrictEqual(
        found.map(({ entryId }) => entryId as bigint),
        Array.from({ length: 20 }, (_, at) => BigInt(at)).filter((at) => at !== 3n)
      )
    }))

  test("are none refuses, also one level too high", (places) =>
    Effect.gen(function* () {
      const empty = Path.join(places.directory, "empty")
      Fs.mkdirSync(empty)
      yield* refuses(places, "NotFound", /not one entry log .*1000 entries.*salvage: true/, { entryLogs: empty })
      yield* refuses(places, "NotFound", "mounted", { entryLogs: places.directory })
      yield* refuses(places, "MissingDirectory", "Check the path", { entryLogs: `${empty}/gone` })
      const summary = yield* IndexRebuild.rebuild({ ...places, entryLogs: empty, salvage: true })
      assert.deepInclude(summary, { entries: 0n, logs: 0, lost: 1000n })
    }))

  test("have no entry refuses", (places) =>
    Effect.gen(function* () {
      Fs.truncateSync(Path.join(places.entryLogs, "0.log"), 1030)
      yield* refuses(places, "NotFound", "not one entry ")
    }))

  test("are none refuses beside an index that cannot be read, and not beside one without entries", (places) =>
    Effect.gen(function* () {
      const empty = Path.join(places.directory, "empty")
      Fs.mkdirSync(empty)
      const emptied = Path.join(places.directory, "emptied")
      yield* using(emptied, (index) => Effect.andThen(index.addLocations(old), index.deleteLedger(LedgerId.make(9n))))
      assert.strictEqual((yield* IndexRebuild.rebuild({ entryLogs: empty, database: emptied })).lost, 0n)

      Fs.writeFileSync(Path.join(places.database, "CURRENT"), "garbage\n")
      const failure = yield* failureOf({ ...places, entryLogs: empty })
      assert.strictEqual(failure.tag, "NotFound")
      assert.include(failure.message, "cannot be read")
      assert.strictEqual(Fs.readFileSync(Path.join(places.database, "CURRENT"), "utf8"), "garbage\n")
    }))
})

describe("a rebuild leaves alone, and does not count, what is no log", () => {
  const names: ReadonlyArray<readonly [string, (path: string) => void]> = [
    ["0000.log", (path) => Fs.writeFileSync(path, "notes")],
    ["A.log", (path) => Fs.writeFileSync(path, "notes")],
    ["ffffffffffffffffffff.log", (path) => Fs.writeFileSync(path, "notes")],
    ["80000000.log", (path) => Fs.writeFileSync(path, "notes")],
    ["gc.log", (path) => Fs.writeFileSync(path, "notes")],
    ["1.log.compacting", (path) => Fs.writeFileSync(path, "notes")],
    ["current.log", (path) => Fs.symlinkSync("/gone/gc.log", path)],
    ["5.log", (path) => Fs.mkdirSync(path)],
    ["6.log", (path) => void ChildProcess.execFileSync("mkfifo", [path])]
  ]
  for (const [name, make] of names) {
    test(name, ({ database, entryLogs }) =>
      Effect.gen(function* () {
        make(Path.join(entryLogs, name))
        const summary = yield* Effect.provide(IndexRebuild.rebuild({ entryLogs, database }), Logger.layer([]))
        assert.deepInclude(summary, { entries: 20n, logs: 1, bytes: 1024 + 2000, lost: 1000n })
      })
    )
  }
})

describe("a rebuild beside a link that has the name of a log and leads nowhere", () => {
  test("says so before the work, and passes it over where that is asked for", ({ database, entryLogs }) =>
    Effect.gen(function* () {
      Fs.symlinkSync("/gone/2.log", Path.join(entryLogs, "2.log"))
      let told = 0
      const onProgress = () => Effect.sync(() => void (told += 1))
      const error = yield* Effect.flip(IndexRebuild.rebuild({ entryLogs, database, onProgress }))
      assert.strictEqual(error.reason._tag, "NotFound")
      assert.include(error.message, `${Path.join(entryLogs, "2.log")} is a symbolic link to /gone/2.log`)
      assert.strictEqual(told, 0)
      const { entries, passedOver } = yield* IndexRebuild.rebuild({ entryLogs, database, salvage: true })
      assert.strictEqual(entries, 20n)
      assert.deepStrictEqual(
        passedOver.map(({ file }) => file),
        [Path.join(entryLogs, "2.log")]
      )
    }))
})

describe("a rebuild counts what the old index had and the new one has not", () => {
  test("by entries, in the journal, in pages, and in ledgers that are not included", ({ database, entryLogs }) =>
    Effect.gen(function* () {
      // Of those 20 are in the logs, whatever their location.
      yield* using(database, (index) =>
        Effect.gen(function* () {
          yield* index.deleteLedger(LedgerId.make(9n))
          yield* index.addLocations([...range(5n, 0, 600), ...range(6n, 0, 3)])
          yield* index.compact
          yield* index.addLocations([...range(5n, 600, 610), ...range(7n, 0, 1)])
        })
      )
      const summary = yield* IndexRebuild.rebuild({ entryLogs, database, includes: (ledgerId) => ledgerId !== 6n })
      assert.deepInclude(summary, { entries: 20n, lost: 590n + 3n + 1n })
      assert.strictEqual((yield* IndexRebuild.rebuild({ entryLogs, database })).lost, 0n)
      assert.strictEqual((yield* IndexRebuild.rebuild({ entryLogs, database, includes: () => false })).lost, 20n)
    }))

  test("not of one that cannot be read, and none of none", ({ database, directory, entryLogs }) =>
    Effect.gen(function* () {
      Fs.writeFileSync(Path.join(database, "CURRENT"), "garbage\n")
      assert.strictEqual((yield* IndexRebuild.rebuild({ entryLogs, database })).lost, undefined)
      assert.strictEqual((yield* IndexRebuild.rebuild({ entryLogs, database: `${directory}/new` })).lost, 0n)
    }))
})

describe("a rebuild does not touch, and refuses, what has the name of its workspace", () => {
  const things: ReadonlyArray<readonly [string, (path: string) => void]> = [
    ["a file", (path) => Fs.writeFileSync(path, "words")],
    ["a link to a directory", (path) => Fs.symlinkSync(`${Path.dirname(path)}/logs`, path)],
    ["a link that leads nowhere", (path) => Fs.symlinkSync("/gone", path)],
    ["a link to an empty directory", linkToEmpty],
    ["a directory with a file", (path) => writeIn(path, { "chapter1.txt": "words" })],
    ["a copy of an index", (path) => Fs.cpSync(Path.join(Path.dirname(path), "index"), path, { recursive: true })],
    ["a directory with an index and no lock", (path) => writeIn(path, { "index/CURRENT": "MANIFEST-000001\n" })],
    ["a directory with a lock and more", (path) => writeIn(path, { lock: "", "chapter1.txt": "words" })],
    [
      "a directory with a lock that says something else",
      (path) => writeIn(path, { lock: "mine", "index/CURRENT": "" })
    ],
    ["a lock beside an index that is none", (path) => writeIn(path, { lock: "", "index/chapter1.txt": "words" })],
    ["a lock that is a link", lockThatIsLink]
  ]
  for (const [what, make] of things) {
    test(what, (places) =>
      Effect.gen(function* () {
        const path = `${places.database}.rebuild`
        make(path)
        const before = listing(places.directory)
        yield* refuses(places, "InvalidArgument", path)
        assert.deepStrictEqual(withoutInfoLogs(listing(places.directory)), withoutInfoLogs(before))
      })
    )
  }
})

describe("a rebuild uses again what a killed one has left", () => {
  const marker = "the lock of a rebuild of effect-bookie\n"
  const leftovers: ReadonlyArray<readonly [string, Record<string, string>]> = [
    ["a directory alone", {}],
    ["its lock", { lock: marker }],
    ["a lock that was not written yet", { lock: "" }],
    ["a lock that was written in part", { lock: marker.slice(0, 10) }],
    ["a database", { lock: marker, "index/CURRENT": "x", "index/000012.sst": "y", "index/OWNER.lock": "" }],
    ["the old index, with whatever was in it", { lock: marker, "index/notes.txt": "x" }],
    ["a database of an earlier version, which wrote nothing in its lock", { lock: "", "index/000004.log": "x" }],
    ["what tries whether directories can be exchanged", { lock: marker, "index/LOG": "", "probe/x": "" }]
  ]
  for (const [what, files] of leftovers) {
    test(what, ({ database, directory, entryLogs }) =>
      Effect.gen(function* () {
        Fs.mkdirSync(`${database}.rebuild`)
        writeIn(`${database}.rebuild`, files)
        yield* IndexRebuild.rebuild({ entryLogs, database })
        assert.deepStrictEqual(Fs.readdirSync(directory).toSorted(), ["index", "logs"])
      })
    )
  }
})

describe("a rebuild refuses a database that", () => {
  test("is a file", (places) =>
    Effect.gen(function* () {
      const database = Path.join(places.directory, "file")
      Fs.writeFileSync(database, "words")
      yield* refuses(places, "InvalidArgument", "no directory", { database })
      assert.strictEqual(Fs.readFileSync(database, "utf8"), "words")
    }))

  test("is a link that leads nowhere, or a root", (places) =>
    Effect.gen(function* () {
      const database = Path.join(places.directory, "link")
      Fs.symlinkSync("/gone/index", database)
      yield* refuses(places, "InvalidArgument", "leads nowhere", { database })
      yield* refuses(places, "InvalidArgument", "root", { database: "/" })
    }))

  test("has something in it that would go with it", (places) =>
    Effect.gen(function* () {
      const notes = Path.join(places.database, "notes.txt")
      Fs.writeFileSync(notes, "words")
      yield* refuses(places, "InvalidArgument", "notes.txt")
      assert.strictEqual(Fs.readFileSync(notes, "utf8"), "words")
    }))

  test("has the entry logs in it, or beside its files", (places) =>
    Effect.gen(function* () {
      const inside = Path.join(places.database, "logs")
      Fs.renameSync(places.entryLogs, inside)
      yield* refuses(places, "InvalidArgument", "entry logs are in", { entryLogs: inside })
      Fs.renameSync(Path.join(inside, "0.log"), Path.join(places.database, "0.log"))
      yield* Effect.asVoid(failureOf({ ...places, entryLogs: places.database }))
      assert.isTrue(Fs.existsSync(Path.join(places.database, "0.log")))
    }))

  test("is BookKeeper's own index, which stays as it is to the byte", (places) =>
    Effect.gen(function* () {
      for (const ledgerId of [7n, 1n << 40n, 1n << 57n, 2n << 56n]) {
        const database = yield* bookKeepers(ledgerId)
        const before = contents(database)
        yield* refuses(places, "UnsupportedFormat", /BookKeeper/, { database })
        assert.deepStrictEqual(contents(database), before)
      }
    }))

  test("cannot be read, and is not marked as this project's", (places) =>
    Effect.gen(function* () {
      const database = yield* bookKeepers(7n)
      Fs.writeFileSync(Path.join(database, "CURRENT"), "garbage\n")
      const before = contents(database)
      yield* refuses(places, "UnsupportedFormat", "nothing says that it is an index", { database })
      assert.deepStrictEqual(contents(database), before)
    }))

  test("cannot be read, and is this engine's, but nothing says that there was an index, unless the caller does", (places) =>
    Effect.gen(function* () {
      const database = Path.join(places.directory, "other")
      yield* RocksDB.RocksDB.use((other) => other.put(Uint8Array.of(0x20), Uint8Array.of(1))).pipe(
        Effect.provide(RocksDB.layer({ path: database }))
      )
      Fs.writeFileSync(Path.join(database, "CURRENT"), "garbage\n")
      const before = contents(database)
      yield* refuses(places, "UnsupportedFormat", "overwrite: true", { database })
      const after = contents(database)
      assert.deepStrictEqual({ ...after, "OWNER.lock": undefined }, { ...before, "OWNER.lock": undefined })
      const summary = yield* IndexRebuild.rebuild({ entryLogs: places.entryLogs, database, overwrite: true })
      assert.deepInclude(summary, { entries: 20n, lost: undefined })
      // From now on the index says so itself.
      Fs.writeFileSync(Path.join(database, "CURRENT"), "garbage\n")
      assert.strictEqual((yield* IndexRebuild.rebuild({ entryLogs: places.entryLogs, database })).entries, 20n)
    }))

  test("another engine wrote", (places) =>
    Effect.gen(function* () {
      const marker = Path.join(places.database, "ENGINE")
      const ours = Fs.readFileSync(marker)
      Fs.writeFileSync(marker, "rocksdb\n")
      assert.strictEqual((yield* failureOf(places)).tag, "UnsupportedFormat")
      Fs.writeFileSync(marker, ours)
      assert.deepStrictEqual(yield* using(places.database, everything), old)
    }))

  test("somebody makes while the new one is built", ({ directory, entryLogs }) =>
    Effect.gen(function* () {
      const database = Path.join(directory, "new")
      const onProgress = () => Effect.orDie(using(database, (index) => index.addLocations(old)))
      assert.strictEqual((yield* failureOf({ entryLogs, database, onProgress })).tag, "Locked")
      assert.deepStrictEqual(yield* using(database, everything), old)
      assert.isFalse(Fs.existsSync(`${database}.rebuild`))
    }))

  testAsRoot("is a mount point, before the work", (places) =>
    Effect.gen(function* () {
      const told: Array<unknown> = []
      const onProgress = (progress: unknown) => Effect.sync(() => void told.push(progress))
      for (const options of [
        ["-t", "tmpfs", "tmpfs"],
        ["--bind", places.database]
      ]) {
        const database = Path.join(places.directory, `mounted${options.length}`)
        Fs.mkdirSync(database)
        yield* mounted(database, ...options)
        yield* refuses(places, "InvalidArgument", "mount point", { database, onProgress })
      }
      assert.deepStrictEqual(told, [])
    })
  )
})

describe("a rebuild finds the database by", () => {
  test("a path with a slash at its end, or a relative one", ({ database, directory, entryLogs }) =>
    Effect.gen(function* () {
      yield* IndexRebuild.rebuild({ entryLogs, database: `${database}///` })
      const relative = Path.relative(process.cwd(), database)
      const summary = yield* IndexRebuild.rebuild({
        entryLogs: Path.relative(process.cwd(), entryLogs),
        database: relative
      })
      assert.strictEqual(summary.lost, 0n)
      assert.deepStrictEqual(Fs.readdirSync(directory).toSorted(), ["index", "logs"])
    }))
})

describe("a rebuild gives the new index", () => {
  test("to those who may use the old one", ({ database, entryLogs }) =>
    Effect.gen(function* () {
      Fs.chmodSync(database, 0o700)
      if (process.getuid?.() === 0) Fs.chownSync(database, 65_534, 65_534)
      const { mode, uid } = Fs.statSync(database)
      yield* IndexRebuild.rebuild({ entryLogs, database })
      const after = Fs.statSync(database)
      assert.deepStrictEqual([after.mode, after.uid], [mode, uid])
      for (const name of Fs.readdirSync(database)) assert.strictEqual(Fs.statSync(Path.join(database, name)).uid, uid)
    }))
})

describe("a disk with less room than the smallest index takes", () => {
  testAsRoot("is told of before the work, with numbers", (places) =>
    Effect.gen(function* () {
      const disk = Path.join(places.directory, "disk")
      Fs.mkdirSync(disk)
      yield* mounted(disk, "-t", "tmpfs", "-o", "size=4m", "tmpfs")
      const database = Path.join(disk, "index")
      Fs.writeFileSync(Path.join(disk, "filler"), new Uint8Array(3_400_000))
      const failure = yield* failureOf({ entryLogs: places.entryLogs, database })
      assert.strictEqual(failure.tag, "NoSpace")
      assert.match(failure.message, /\d+ bytes free at .*\/index\.rebuild, .*about 20 entries.* at least 10486\d\d /)
      assert.deepStrictEqual(Fs.readdirSync(disk), ["filler"])
    })
  )
})

describe("options that cannot be meant", () => {
  const wrong: ReadonlyArray<readonly [string, unknown]> = [
    ["nothing", undefined],
    ["no object", "logs"],
    ["a database that is no path", { entryLogs: "logs", database: 5 }],
    ["a database without a name", { entryLogs: "logs", database: "" }],
    ["logs that are no path", { entryLogs: undefined, database: "index" }],
    ["includes that is no function", { entryLogs: "logs", database: "index", includes: [1n] }],
    ["onProgress that is no function", { entryLogs: "logs", database: "index", onProgress: true }],
    ["salvage that is no boolean", { entryLogs: "logs", database: "index", salvage: "yes" }],
    ["overwrite that is no boolean", { entryLogs: "logs", database: "index", overwrite: 1 }]
  ]
  it.effect.each([...wrong])("are an InvalidArgument: %s", ([, options]) =>
    Effect.gen(function* () {
      // @ts-expect-error as JavaScript may pass it
      const { reason } = yield* Effect.flip(IndexRebuild.rebuild(options))
      assert.strictEqual(reason._tag, "InvalidArgument")
    })
  )
})

describe("includes that answers a promise", () => {
  test("is an InvalidArgument, and not taken for true", (places) =>
    // @ts-expect-error as JavaScript may pass it
    refuses(places, "InvalidArgument", "includes must answer true or false", { includes: async () => false }))
})

/** A database with records as BookKeeper's index has them, as another program has left it. */
const bookKeepers = (ledgerId: bigint) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    yield* RocksDB.RocksDB.use((database) =>
      Effect.forEach([0n, 1n, 2n], (entryId) => {
        const key = Buffer.alloc(16)
        key.writeBigInt64BE(ledgerId, 0)
        key.writeBigInt64BE(entryId, 8)
        return database.put(key, Buffer.alloc(8, 1))
      })
    ).pipe(Effect.provide(RocksDB.layer({ path })))
    Fs.rmSync(Path.join(path, "ENGINE"))
    Fs.rmSync(Path.join(path, "OWNER.lock"))
    return path
  })

function linkToEmpty(path: string): void {
  Fs.mkdirSync(`${path}.elsewhere`)
  Fs.symlinkSync(`${path}.elsewhere`, path)
}

function lockThatIsLink(path: string): void {
  Fs.mkdirSync(path)
  Fs.writeFileSync(`${path}.elsewhere`, "")
  Fs.symlinkSync(`${path}.elsewhere`, Path.join(path, "lock"))
}

function writeIn(directory: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    Fs.mkdirSync(Path.dirname(Path.join(directory, name)), { recursive: true })
    Fs.writeFileSync(Path.join(directory, name), text)
  }
}

/** Everything below a directory: its name, its kind, and what is in it if it is a small file. */
const listing = (directory: string): ReadonlyArray<string> =>
  Fs.readdirSync(directory, { withFileTypes: true, recursive: true })
    .map((entry) => {
      const path = Path.join(entry.parentPath, entry.name)
      if (entry.isSymbolicLink()) return `${path} -> ${Fs.readlinkSync(path)}`
      return entry.isFile() ? `${path}: ${Fs.readFileSync(path, "utf8").slice(0, 40)}` : path
    })
    .toSorted()

/** What an open for reading leaves: nothing but these. */
const withoutInfoLogs = (lines: ReadonlyArray<string>) => lines.filter((line) => !/\/index\//.test(line))
