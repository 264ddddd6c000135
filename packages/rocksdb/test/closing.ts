/**
 * What must hold when a database closes, on every engine: `suite(name, layer)`.
 * The engine is real; a `Probe` around it writes down the order of things.
 */
import { assert, describe, it, type Vitest } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, type Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { setTimeout } from "node:timers/promises"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { Engine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { bytes, pair, put, text } from "./support/bytes.ts"
import { temporaryDirectory } from "./support/directory.ts"
import { reasonOf, tagOf } from "./support/failure.ts"
import { Probe } from "./support/Probe.ts"
import * as Program from "./support/program.ts"

type It = Vitest.MethodsNonLive<Engine.Engine>

/** Declares the tests of an engine. */
export const suite = (name: string, layer: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError>): void => {
  it.layer(layer)(name, (it) => {
    describe("after close", () => afterClose(it))
    describe("an open", () => halfWay(it))
    describe("operations in flight", () => inFlight(it))
    describe("streams", () => streams(it))
    describe("a step that fails", () => failingSteps(it))
    describe("the deadline", () => deadline(it))
    describe("under load", () => underLoad(it))
  })
}

/** A database that a test closes by hand, watched. */
const openProbed = (options?: Partial<RocksDB.Options>) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const probe = new Probe()
    const scope = yield* Scope.make()
    const database = yield* Scope.provide(probe.open({ path, ...options }), scope)
    return { path, probe, database, close: Effect.exit(Scope.close(scope, Exit.void)) }
  })

/** All entries of a database that is opened for it. */
const entriesAt = (path: string) =>
  Effect.scoped(
    Effect.flatMap(RocksDB.make({ path, createIfMissing: false }), (database) =>
      Effect.map(Stream.runCollect(database.stream()), (entries) => entries.map(pair))
    )
  )

const releases = ["released rocksdb.operations", "released rocksdb.wal", "released rocksdb"]

/** Long enough for what must not happen to happen, were it possible. */
const aMoment = Effect.promise(() => setTimeout(30))

const afterClose = (it: It) => {
  it.effect("every operation answers Closed, and the process lives", () =>
    Effect.gen(function* () {
      const { name } = yield* Engine.Engine
      const child = yield* Program.run("after-close", name, yield* temporaryDirectory)
      assert.deepStrictEqual([child.code, child.signal], [0, null], child.stdout + child.stderr)
      assert.strictEqual(child.stdout.match(/: Closed$/gm)?.length, 3 * 19)
    })
  )

  it.effect("Closed names the operation and the path, and is not retryable", () =>
    Effect.gen(function* () {
      const { close, database, path } = yield* openProbed()
      yield* close
      const error = yield* Effect.flip(database.get(bytes("a")))
      assert.deepInclude(error.reason, { _tag: "Closed", operation: "get", path })
      assert.isFalse(error.isRetryable)
    })
  )

  it.effect("no call reaches the engine any more", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      yield* close
      const length = probe.log.length
      yield* tagOf(database.put(bytes("a"), bytes("1")))
      yield* tagOf(Stream.runDrain(database.stream()))
      yield* tagOf(database.last({ lt: bytes("a") }))
      assert.strictEqual(probe.log.length, length)
    })
  )

  it.effect("what was put last is there after reopening, also if it was only buffered", () =>
    Effect.gen(function* () {
      const { close, database, path } = yield* openProbed()
      yield* database.write([put("a=1"), put("b=2")], { durability: "buffered" })
      assert.isTrue(Exit.isSuccess(yield* close))
      assert.deepStrictEqual(yield* entriesAt(path), ["a=1", "b=2"])
    })
  )

  it.effect("the steps follow one another even in a scope that runs its finalizers at once", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const probe = new Probe()
      const scope = yield* Scope.make("parallel")
      const database = yield* Scope.provide(probe.open({ path }), scope)
      const release = probe.hold("write")
      yield* Effect.forkChild(database.put(bytes("a"), bytes("1")))
      yield* probe.until("begin write")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* aMoment
      release()
      yield* Fiber.join(closing)
      assert.deepStrictEqual(probe.log.slice(probe.log.indexOf("end write")), [
        "end write",
        "released rocksdb.operations",
        "begin syncWal",
        "end syncWal",
        "released rocksdb.wal",
        "begin close",
        "end close",
        "released rocksdb"
      ])
    })
  )
}

const halfWay = (it: It) => {
  it.effect.each(["rocksdb", "rocksdb.wal", "rocksdb.operations"])(
    "one that fails once %s is acquired leaves nothing open, though its scope lives on",
    (resource) =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        const released: Array<string> = []
        const listener: Lifecycle.Listener = (event) => {
          if (event._tag === "Acquired" && event.resource === resource) return Effect.die("out of luck")
          return Effect.sync(() => event._tag === "Released" && released.push(event.resource))
        }
        const exit = yield* Effect.exit(Effect.provideService(RocksDB.make({ path }), Lifecycle.Lifecycle, listener))
        assert.include(String(exit), "out of luck")
        assert.strictEqual(released.at(-1), "rocksdb")
        yield* RocksDB.make({ path })
      })
  )

  it.effect("one in a scope that is closed answers Closed, and makes nothing", () =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* tagOf(Scope.provide(RocksDB.make({ path }), scope)), "Closed")
      assert.isFalse(Fs.existsSync(path))
    })
  )

  it.effect("one whose scope closes meanwhile answers Closed, and nothing is open once that has closed", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const scope = yield* Scope.make()
      const opening = yield* Effect.forkChild(tagOf(Scope.provide(RocksDB.make({ path }), scope)))
      yield* Effect.yieldNow
      yield* Scope.close(scope, Exit.void)
      yield* RocksDB.make({ path })
      assert.strictEqual(yield* Fiber.join(opening), "Closed")
    })
  )

  it.effect("one that fails in the engine leaves nothing open", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      Fs.writeFileSync(Path.join(path, "CURRENT"), "garbage")
      assert.strictEqual(yield* tagOf(RocksDB.make({ path })), "Corruption")
      Fs.rmSync(Path.join(path, "CURRENT"))
      yield* RocksDB.make({ path })
    })
  )
}

const inFlight = (it: It) => {
  const uses: ReadonlyArray<
    readonly [
      "getMany" | "write" | "next" | "property" | "compact" | "syncWal",
      (database: RocksDB.RocksDB["Service"]) => Effect.Effect<unknown, RocksDBError.RocksDBError>
    ]
  > = [
    ["getMany", (database) => database.get(bytes("a"))],
    ["write", (database) => database.put(bytes("z"), bytes("26"))],
    ["next", (database) => database.last({ lte: bytes("b") })],
    ["next", (database) => Stream.runDrain(database.stream())],
    ["property", (database) => database.property("rocksdb.stats")],
    ["compact", (database) => database.compact()],
    ["syncWal", (database) => database.syncWal]
  ]

  it.effect.each(uses)("%s, whose fiber was interrupted, is waited for", ([call, use]) =>
    Effect.gen(function* () {
      const { close, database, path, probe } = yield* openProbed()
      yield* database.write([put("a=1"), put("b=2")])
      const from = probe.log.length
      const release = probe.hold(call)
      const fiber = yield* Effect.forkChild(use(database))
      yield* probe.until(`begin ${call}`)
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      const closing = yield* Effect.forkChild(close)
      yield* aMoment
      assert.strictEqual(yield* tagOf(database.get(bytes("a"))), "Closed")
      assert.notInclude(probe.log.slice(from), `end ${call}`)
      assert.notInclude(probe.log, "released rocksdb.operations")
      release()
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(closing)))
      const after = probe.log.slice(from)
      assert.isBelow(after.indexOf(`end ${call}`), after.indexOf("released rocksdb.operations"))
      assert.deepStrictEqual(
        after.filter((line) => line.startsWith("released")),
        releases
      )
      assert.isBelow(after.indexOf("released rocksdb.wal"), after.indexOf("begin close"))
      const left = yield* entriesAt(path)
      assert.deepStrictEqual(left, call === "write" ? ["a=1", "b=2", "z=26"] : ["a=1", "b=2"])
    })
  )

  it.effect("a fiber that is not interrupted gets the answer of its operation, although the close has begun", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      yield* database.put(bytes("a"), bytes("1"))
      const release = probe.hold("getMany")
      const reading = yield* Effect.forkChild(database.get(bytes("a")))
      yield* probe.until("begin getMany")
      const closing = yield* Effect.forkChild(close)
      yield* aMoment
      release()
      assert.strictEqual(text(yield* Fiber.join(reading)), "1")
      yield* Fiber.join(closing)
    })
  )

  it.effect("of two operations of one kind the slower one is waited for", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      const releases = [probe.hold("getMany")]
      yield* Effect.forkChild(database.get(bytes("a")))
      yield* probe.until("begin getMany")
      yield* aMoment
      releases.push(probe.hold("getMany"))
      yield* Effect.forkChild(database.get(bytes("b")))
      yield* aMoment
      const closing = yield* Effect.forkChild(close)
      releases[0]?.()
      yield* probe.until("end getMany")
      yield* aMoment
      assert.isUndefined(closing.pollUnsafe())
      releases[1]?.()
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(closing)))
      assert.deepStrictEqual(probe.only("getMany", "rocksdb.operations").slice(-3), [
        "end getMany",
        "end getMany",
        "released rocksdb.operations"
      ])
    })
  )

  it.effect("an operation in flight that fails does not disturb the close", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      const release = probe.hold("compact")
      probe.fail("compact", "out of luck")
      const compacting = yield* Effect.forkChild(Effect.flip(database.compact()))
      yield* probe.until("begin compact")
      const closing = yield* Effect.forkChild(close)
      yield* aMoment
      release()
      assert.include((yield* Fiber.join(compacting)).message, "out of luck")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(closing)))
    })
  )
}

const streams = (it: It) => {
  const thousand = Array.from({ length: 1000 }, (_, index) => put(`a${String(index).padStart(4, "0")}=1`))

  it.effect("one left open is ended before the close, and its reader fails with Closed", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      yield* database.write(thousand)
      const begun = yield* Latch.make()
      const goOn = yield* Latch.make()
      const seen: Array<string> = []
      const reader = yield* database.stream().pipe(
        Stream.runForEach((entry) => {
          seen.push(pair(entry))
          return seen.length === 1 ? Effect.andThen(begun.open, goOn.await) : Effect.void
        }),
        Effect.forkChild
      )
      yield* begun.await
      assert.isTrue(Exit.isSuccess(yield* close))
      assert.deepStrictEqual(probe.only("end", "rocksdb.operations", "close").slice(-5), [
        "begin end",
        "end end",
        "released rocksdb.operations",
        "begin close",
        "end close"
      ])
      yield* goOn.open
      assert.strictEqual(yield* tagOf(Fiber.join(reader)), "Closed")
      assert.isAbove(seen.length, 0)
      assert.isBelow(seen.length, 1000)
    })
  )

  it.effect("one whose reader never comes back does not keep the database from closing", () =>
    Effect.gen(function* () {
      const { close, database } = yield* openProbed()
      yield* database.write(thousand)
      const begun = yield* Latch.make()
      yield* database.stream().pipe(
        Stream.runForEach(() => Effect.andThen(begun.open, Effect.never)),
        Effect.forkChild
      )
      yield* begun.await
      assert.isTrue(Exit.isSuccess(yield* close))
    })
  )

  it.effect("one that is being read when the close begins is ended after that read, and its reader fails", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      yield* database.write(thousand)
      const release = probe.hold("next")
      let seen = 0
      const reader = yield* database.stream().pipe(
        Stream.runForEach(() => Effect.sync(() => (seen += 1))),
        Effect.forkChild
      )
      yield* probe.until("begin next")
      const closing = yield* Effect.forkChild(close)
      yield* aMoment
      assert.notInclude(probe.log, "begin end")
      release()
      assert.strictEqual((yield* reasonOf(Fiber.join(reader)))._tag, "Closed")
      assert.strictEqual(seen, 0)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(closing)))
      assert.deepStrictEqual(probe.only("next", "end"), ["begin next", "end next", "begin end", "end end"])
    })
  )

  it.effect("one that was made before the close and is run after it fails with Closed", () =>
    Effect.gen(function* () {
      const { close, database } = yield* openProbed()
      const stream = database.stream()
      yield* close
      assert.strictEqual(yield* tagOf(Stream.runDrain(stream)), "Closed")
    })
  )

  it.effect("one that has been read to its end, or that failed, is ended once", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      yield* database.write(thousand)
      yield* Stream.runDrain(database.stream())
      probe.fail("next", "out of luck")
      assert.strictEqual(yield* tagOf(Stream.runDrain(database.stream())), "IOError")
      yield* close
      assert.strictEqual(probe.log.filter((line) => line === "begin end").length, 2)
    })
  )

  it.effect("many are ended together", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      yield* database.write(thousand)
      const goOn = yield* Latch.make()
      const readers = yield* Effect.forEach(Array.from({ length: 20 }), () =>
        Effect.gen(function* () {
          const begun = yield* Latch.make()
          const reader = yield* database.stream().pipe(
            Stream.runForEach(() => Effect.andThen(begun.open, goOn.await)),
            Effect.forkChild
          )
          yield* begun.await
          return reader
        })
      )
      assert.isTrue(Exit.isSuccess(yield* close))
      assert.strictEqual(probe.log.filter((line) => line === "end end").length, 20)
      yield* goOn.open
      for (const reader of readers) assert.strictEqual(yield* tagOf(Fiber.join(reader)), "Closed")
    })
  )
}

const failingSteps = (it: It) => {
  it.effect("a WAL that cannot be synced makes the exit a failure, and the database is closed all the same", () =>
    Effect.gen(function* () {
      const { close, database, path, probe } = yield* openProbed()
      yield* database.put(bytes("a"), bytes("1"))
      probe.fail("syncWal", "the disk is gone")
      const exit = yield* close
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "the disk is gone")
      assert.include(String(exit), path)
      assert.deepStrictEqual(probe.log.slice(-7), [
        "released rocksdb.operations",
        "begin syncWal",
        "end syncWal",
        "released rocksdb.wal",
        "begin close",
        "end close",
        "released rocksdb"
      ])
      assert.strictEqual(yield* tagOf(database.get(bytes("a"))), "Closed")
      assert.deepStrictEqual(yield* entriesAt(path), ["a=1"])
    })
  )

  it.effect("a directory that was removed under it makes the exit a failure, and the path can be opened again", () =>
    Effect.gen(function* () {
      const { close, database, path, probe } = yield* openProbed()
      yield* database.put(bytes("a"), bytes("1"))
      Fs.rmSync(path, { recursive: true })
      const exit = yield* close
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "sync the write-ahead log")
      assert.deepStrictEqual(probe.log.slice(-3), ["begin close", "end close", "released rocksdb"])
      const reopened = Effect.flatMap(RocksDB.make({ path }), (database) =>
        Effect.andThen(database.put(bytes("b"), bytes("2")), database.get(bytes("a")))
      )
      assert.isUndefined(yield* Effect.scoped(reopened))
      assert.deepStrictEqual(yield* entriesAt(path), ["b=2"])
    })
  )

  it.effect("a handle that reports a failure makes the exit a failure, and it is released", () =>
    Effect.gen(function* () {
      const { close, path, probe } = yield* openProbed()
      probe.fail("close", "out of luck")
      const exit = yield* close
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "out of luck")
      assert.strictEqual(probe.log.at(-1), "released rocksdb")
      assert.deepStrictEqual(yield* entriesAt(path), [])
    })
  )

  it.effect("two steps that fail are both in the exit", () =>
    Effect.gen(function* () {
      const { close, probe } = yield* openProbed()
      probe.fail("syncWal", "first misfortune")
      probe.fail("close", "second misfortune")
      const exit = yield* close
      assert.include(String(exit), "first misfortune")
      assert.include(String(exit), "second misfortune")
    })
  )

  it.effect("a stream whose iterator fails to end does not keep the database from closing", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      yield* database.put(bytes("a"), bytes("1"))
      const begun = yield* Latch.make()
      yield* database.stream().pipe(
        Stream.runForEach(() => Effect.andThen(begun.open, Effect.never)),
        Effect.forkChild
      )
      yield* begun.await
      probe.fail("end", "out of luck")
      yield* close
      assert.deepStrictEqual(
        probe.log.filter((line) => line.startsWith("released")),
        releases
      )
    })
  )

  it.effect("a read-only database syncs nothing", () =>
    Effect.gen(function* () {
      const { close, path } = yield* openProbed()
      yield* close
      const probe = new Probe()
      yield* Effect.scoped(Effect.asVoid(probe.open({ path, readOnly: true })))
      assert.notInclude(probe.log, "begin syncWal")
      assert.deepStrictEqual(
        probe.log.filter((line) => line.startsWith("released")),
        releases
      )
    })
  )
}

const deadline = (it: It) => {
  it.effect("past it, the exit is a failure that says what was waited for, and the handle waits on", () =>
    Effect.gen(function* () {
      const { close, database, path, probe } = yield* openProbed({ shutdownDeadline: "5 seconds" })
      yield* database.put(bytes("a"), bytes("1"))
      const release = probe.hold("compact")
      yield* Effect.forkChild(database.compact())
      yield* Effect.forkChild(database.compact())
      yield* probe.until("begin compact")
      const closing = yield* Effect.forkChild(close)
      yield* aMoment
      yield* TestClock.adjust("4999 millis")
      yield* aMoment
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const exit = yield* Fiber.join(closing)
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "compact (2)")
      assert.include(String(exit), path)
      assert.include(String(exit), "5s")
      assert.deepStrictEqual(probe.log.slice(-4), [
        "released rocksdb.operations",
        "begin syncWal",
        "end syncWal",
        "released rocksdb.wal"
      ])
      assert.strictEqual(yield* tagOf(entriesAt(path)), "Locked")
      assert.strictEqual(yield* tagOf(database.get(bytes("a"))), "Closed")

      release()
      yield* probe.until("released rocksdb")
      assert.deepStrictEqual(probe.log.slice(-5), [
        "end compact",
        "end compact",
        "begin close",
        "end close",
        "released rocksdb"
      ])
      assert.deepStrictEqual(yield* entriesAt(path), ["a=1"])
    })
  )

  it.effect("it is a minute unless the options say otherwise", () =>
    Effect.gen(function* () {
      const { close, database, probe } = yield* openProbed()
      const release = probe.hold("compact")
      yield* Effect.forkChild(database.compact())
      yield* probe.until("begin compact")
      const closing = yield* Effect.forkChild(close)
      yield* aMoment
      yield* TestClock.adjust("59 seconds")
      yield* aMoment
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(closing)))
      release()
      yield* probe.until("released rocksdb")
    })
  )
}

const underLoad = (it: It) => {
  it.effect("every operation succeeds or answers Closed, and what was acknowledged is there", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 5; round++) {
        const { close, database, path, probe } = yield* openProbed({ writeBufferSize: "256 KiB" })
        const acknowledged = new Map<string, string>()
        const fibers = yield* Effect.forEach(load(database, acknowledged), (worker) =>
          Effect.forkChild(Effect.flip(Effect.forever(worker)))
        )
        while (acknowledged.size < 30) yield* aMoment
        assert.isTrue(Exit.isSuccess(yield* close))
        for (const fiber of fibers) assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "Closed")
        const closing = probe.log.lastIndexOf("begin close")
        assert.deepStrictEqual(probe.log.slice(closing), ["begin close", "end close", "released rocksdb"])
        const left = new Map((yield* entriesAt(path)).map((entry) => [entry.slice(0, 6), entry.slice(7)]))
        for (const [key, value] of acknowledged) assert.strictEqual(left.get(key), value)
      }
    })
  )
}

/** Writers of keys of their own, and readers of each kind. */
const load = (
  database: RocksDB.RocksDB["Service"],
  acknowledged: Map<string, string>
): ReadonlyArray<Effect.Effect<unknown, RocksDBError.RocksDBError>> => {
  const writer = (name: string, durability: RocksDB.Durability) => {
    let count = 0
    return Effect.suspend(() => {
      count += 1
      const key = `${name}${String(count).padStart(5, "0")}`
      const value = "v".repeat(count % 1000)
      return Effect.tap(database.put(bytes(key), bytes(value), { durability }), () =>
        Effect.sync(() => acknowledged.set(key, value))
      )
    })
  }
  return [
    writer("a", "sync"),
    writer("b", "sync"),
    writer("c", "buffered"),
    database.get(bytes("a00001")),
    database.getMany([bytes("a00001"), bytes("b00001")]),
    database.last({ lt: bytes("b") }),
    Stream.runDrain(database.stream()),
    Stream.runDrain(database.stream({ lte: bytes("b") }, { reverse: true, limit: 10 })),
    Effect.scoped(Stream.toPull(database.stream()).pipe(Effect.andThen(database.first()))),
    database.property("rocksdb.estimate-num-keys"),
    database.compact(),
    database.syncWal
  ]
}
