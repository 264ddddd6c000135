import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Scope, Stream } from "effect"
import * as Fs from "node:fs"
import { setImmediate } from "node:timers/promises"
import { Engine, NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { withFullDisk } from "@effect-bookie/rocksdb/EngineSupport"
import { bytes, text } from "@effect-bookie/testing/bytes"
import { Disk } from "@effect-bookie/testing/Disk"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { reasonOf } from "@effect-bookie/testing/failure"

/** The default engine, where each database that is opened is changed: the first one, the second, and so on. */
const changed = (change: (database: Engine.Database, opens: number) => Engine.Database) =>
  Layer.effect(
    Engine.Engine,
    Effect.map(Engine.Engine, (engine) => {
      let opens = 0
      const open: typeof engine.open = (options) =>
        Effect.suspend(() => {
          opens += 1
          const count = opens
          return Effect.map(engine.open(options), (database) => change(database, count))
        })
      return withFullDisk({ ...engine, open })
    })
  ).pipe(Layer.provide(NativeEngine.layer))

const noSpace = () => Object.assign(new Error("no space left on device"), { code: "ENOSPC" })

/**
 * Refuses one write, and not before a call that is made beside it is about to answer: so that call answers while the
 * write begins to look for room.
 */
const refusal = () => {
  const refused = Promise.withResolvers<never>()
  return {
    refused: refused.promise,
    before: async <A>(call: Promise<A>): Promise<A> => {
      const answer = await call
      refused.reject(noSpace())
      await setImmediate()
      return answer
    }
  }
}

it.live("a write that hears of a full disk when there is room again is not refused", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory })
    yield* database.put(bytes("a"), bytes("1"))
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
  }).pipe(
    Effect.scoped,
    Effect.provide(
      changed((database, opens) => (opens === 1 ? { ...database, write: () => Promise.reject(noSpace()) } : database))
    )
  )
)

it.live("a write that succeeds while another begins to recover from a full disk keeps the streams alive", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory })
    yield* database.put(bytes("a"), bytes("1"))
    yield* database.put(bytes("b"), bytes("2"))
    const reader = yield* Effect.forkChild(
      Stream.runCount(Stream.tap(database.stream(), () => Effect.sleep("100 millis")))
    )
    yield* Effect.sleep("20 millis")
    const both = [database.put(bytes("c"), bytes("3")), database.put(bytes("d"), bytes("4"))]
    yield* Effect.all(both, { concurrency: 2 })
    assert.strictEqual(yield* Fiber.join(reader), 2)
    assert.strictEqual(text(yield* database.get(bytes("c"))), "3")
  }).pipe(
    Effect.scoped,
    Effect.provide(
      changed((database) => {
        const { before, refused } = refusal()
        let writes = 0
        return {
          ...database,
          write: (operations, sync) => {
            writes += 1
            if (writes === 3) return refused
            return writes === 4 ? before(database.write(operations, sync)) : database.write(operations, sync)
          }
        }
      })
    )
  )
)

it.live("a compaction that succeeds while a write begins to recover from a full disk does not keep it from that", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory })
    yield* Effect.all([database.put(bytes("a"), bytes("1")), database.compact()], { concurrency: 2 })
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
  }).pipe(
    Effect.scoped,
    Effect.provide(
      changed((database, opens) => {
        if (opens > 1) return database
        const { before, refused } = refusal()
        let writes = 0
        return {
          ...database,
          write: () => {
            writes += 1
            return writes === 1 ? refused : Promise.reject(noSpace())
          },
          compact: (interval) => before(database.compact(interval))
        }
      })
    )
  )
)

/** The default engine, whose writes RocksDB refuses with a text from when `state.refuses` is set until the next open. */
const latched = (state: { refuses: string; opens: number; readonly openFailures?: Array<Error> }) =>
  Layer.effect(
    Engine.Engine,
    Effect.map(Engine.Engine, (engine) =>
      withFullDisk({
        name: engine.name,
        open: (options) =>
          Effect.suspend(() => {
            const failure = state.openFailures?.shift()
            if (failure !== undefined) return Effect.die(failure)
            state.opens += 1
            let refuses = ""
            return Effect.map(engine.open(options), (database) => ({
              ...database,
              write: (operations, sync) => {
                refuses ||= state.refuses
                return refuses === "" ? database.write(operations, sync) : Promise.reject(refusedWith(refuses))
              }
            }))
          })
      })
    )
  ).pipe(Layer.provide(NativeEngine.layer))

/** As the binding says it. */
const refusedWith = (text: string) => Object.assign(new Error(text), { code: "EIO" })

it.live.each([
  "While open a file for appending: /db/000008.log: Too many open files",
  "While open a file for random read: /db/000008.sst: Too many open files in system",
  "While fsync: /db/MANIFEST-000005: Input/output error",
  "While rename a file to /db/CURRENT: /db/000005.dbtmp: Input/output error",
  "While appending to file: /db/000008.log: Resource temporarily unavailable",
  "While open a file for appending: /db/000008.log: Interrupted system call",
  "While fdatasync: /db/000009.sst: Connection timed out",
  "While open a file for appending: /db/000008.log: Cannot allocate memory",
  "While open a file for appending: /db/000008.log: Read-only file system"
])("a write that RocksDB refuses for good is written once that is over: %s", (refuses) =>
  Effect.gen(function* () {
    const state = { refuses: "", opens: 0 }
    const database = yield* Effect.provide(RocksDB.make({ path: yield* temporaryDirectory }), latched(state))
    yield* database.put(bytes("a"), bytes("1"))
    state.refuses = refuses
    assert.strictEqual((yield* reasonOf(database.put(bytes("b"), bytes("2"))))._tag, "IOError")
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
    state.refuses = ""
    yield* database.put(bytes("b"), bytes("2"))
    assert.deepStrictEqual((yield* database.getMany([bytes("a"), bytes("b")])).map(text), ["1", "2"])
  }).pipe(Effect.scoped)
)

it.live.each([
  "While fdatasync: /db/000008.log: Input/output error",
  "While fsync: /db/000008.log: No space left on device"
])("a sync of the log that has failed stays failed until the user opens the database anew: %s", (refuses) =>
  Effect.gen(function* () {
    const state = { refuses: "", opens: 0 }
    const path = yield* temporaryDirectory
    const scope = yield* Scope.make()
    const database = yield* RocksDB.make({ path }).pipe(Effect.provide(latched(state)), Scope.provide(scope))
    yield* database.put(bytes("a"), bytes("1"))
    state.refuses = refuses
    const error = yield* Effect.flip(database.put(bytes("b"), bytes("2")))
    assert.strictEqual(error.reason._tag, "IOError")
    assert.isFalse(error.isRetryable)
    assert.include(error.message, "open the database anew")
    state.refuses = ""
    assert.strictEqual((yield* reasonOf(database.put(bytes("b"), bytes("2"))))._tag, "IOError")
    assert.strictEqual(state.opens, 1)
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
    yield* Scope.close(scope, Exit.void)
    const again = yield* Effect.provide(RocksDB.make({ path }), latched(state))
    yield* again.put(bytes("b"), bytes("2"))
  }).pipe(Effect.scoped)
)

it.live("after a failed fdatasync the directory is not opened anew for anything else either", () =>
  Effect.gen(function* () {
    const disk = yield* Disk.watch
    const state = { refuses: "", opens: 0 }
    const scope = yield* Scope.make()
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory }).pipe(
      Effect.provide(latched(state)),
      Scope.provide(scope)
    )
    disk.failNext("EIO")
    const failure = yield* reasonOf(database.put(bytes("a"), bytes("1")))
    state.refuses = "While appending to file: /db/000004.log: No space left on device"
    const later = yield* reasonOf(database.put(bytes("b"), bytes("2"), { durability: "buffered" }))
    assert.deepStrictEqual(
      [failure, later].map(({ _tag }) => _tag),
      ["IOError", "IOError"]
    )
    assert.include(later.message, "could not be brought to disk")
    assert.strictEqual(state.opens, 1)
    yield* Effect.exit(Scope.close(scope, Exit.void))
  }).pipe(Effect.scoped)
)

it.live("where the directory cannot even be opened for reading, the next operation tries again", () =>
  Effect.gen(function* () {
    const openFailures: Array<Error> = []
    const state = { refuses: "", opens: 0, openFailures }
    const database = yield* Effect.provide(RocksDB.make({ path: yield* temporaryDirectory }), latched(state))
    yield* database.put(bytes("a"), bytes("1"))
    const shortage = refusedWith("While open a file for random read: /db/CURRENT: Too many open files")
    openFailures.push(shortage, shortage, shortage, shortage)
    state.refuses = "While appending to file: /db/000008.log: Input/output error"
    assert.deepInclude(yield* reasonOf(database.put(bytes("b"), bytes("2"))), { _tag: "IOError", code: "EMFILE" })
    state.refuses = ""
    assert.deepInclude(yield* reasonOf(database.get(bytes("a"))), { _tag: "IOError", code: "EMFILE" })
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
    yield* database.put(bytes("b"), bytes("2"))
  }).pipe(Effect.scoped)
)

it.live("a directory that somebody has put in the place of the open one is not opened instead of it", () =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const state = { refuses: "", opens: 0 }
    const scope = yield* Scope.make()
    const database = yield* RocksDB.make({ path }).pipe(Effect.provide(latched(state)), Scope.provide(scope))
    yield* database.put(bytes("a"), bytes("1"))
    Fs.renameSync(path, `${path}.moved`)
    Fs.mkdirSync(path)
    state.refuses = "While open a file for appending: /db/000008.log: Too many open files"
    const { message } = yield* reasonOf(database.put(bytes("b"), bytes("2")))
    assert.include(message, "has been removed or replaced")
    assert.strictEqual(state.opens, 1)
    assert.deepStrictEqual(Fs.readdirSync(path), [])
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
    yield* Effect.exit(Scope.close(scope, Exit.void))
    Fs.rmSync(`${path}.moved`, { recursive: true })
  }).pipe(Effect.scoped)
)

/** The default engine, whose first database compacts for as long as the latch is shut and refuses the writes meanwhile. */
const compacting = (latch: Latch.Latch) =>
  changed((database, opens) =>
    opens > 1
      ? database
      : {
          ...database,
          write: () => Promise.reject(noSpace()),
          compact: (interval) => Effect.runPromise(latch.await).then(() => database.compact(interval))
        }
  )

const filled = Effect.gen(function* () {
  const path = yield* temporaryDirectory
  const operations = Array.from({ length: 1000 }, (_, index) => ({
    type: "put" as const,
    key: bytes(`key${index}`),
    value: bytes("1")
  }))
  yield* Effect.scoped(
    Effect.flatMap(Effect.provide(RocksDB.make({ path }), NativeEngine.layer), (database) => database.write(operations))
  )
  return path
})

it.live("reads and streams go on while a write waits for a compaction, to open the directory anew", () =>
  Effect.gen(function* () {
    const latch = yield* Latch.make()
    const database = yield* Effect.provide(RocksDB.make({ path: yield* filled }), compacting(latch))
    const compaction = yield* Effect.forkChild(database.compact())
    const goOn = yield* Latch.make()
    const begun = yield* Latch.make()
    const stream = yield* database.stream().pipe(
      Stream.tap(() => Effect.andThen(begun.open, goOn.await)),
      Stream.runCount,
      Effect.forkChild
    )
    yield* begun.await
    const writing = yield* Effect.forkChild(database.put(bytes("b"), bytes("2")))
    // Time enough for the write to be refused, and to begin to wait.
    yield* Effect.sleep("100 millis")
    assert.strictEqual(text(yield* database.get(bytes("key1"))), "1")
    assert.strictEqual(yield* Stream.runCount(database.stream()), 1000)
    assert.isDefined(yield* database.last())
    assert.isDefined(yield* database.property("rocksdb.stats"))
    yield* database.syncWal
    yield* goOn.open
    assert.strictEqual(yield* Fiber.join(stream), 1000)
    assert.isUndefined(writing.pollUnsafe())
    yield* latch.open
    yield* Fiber.join(compaction)
    yield* Fiber.join(writing)
    assert.strictEqual(text(yield* database.get(bytes("b"))), "2")
  }).pipe(Effect.scoped)
)

it.live("a stream that is open when the directory is opened anew fails, and one that begins then does not", () =>
  Effect.gen(function* () {
    const latch = yield* Latch.make()
    const database = yield* Effect.provide(RocksDB.make({ path: yield* filled }), compacting(latch))
    const goOn = yield* Latch.make()
    const begun = yield* Latch.make()
    const stream = yield* database.stream().pipe(
      Stream.tap(() => Effect.andThen(begun.open, goOn.await)),
      Stream.runCount,
      Effect.forkChild
    )
    yield* begun.await
    yield* database.put(bytes("b"), bytes("2"))
    yield* goOn.open
    assert.strictEqual((yield* reasonOf(Fiber.join(stream)))._tag, "NoSpace")
    assert.strictEqual(yield* Stream.runCount(database.stream()), 1001)
  }).pipe(Effect.scoped)
)

it.live("a close that comes while a write waits for a compaction waits for both, and the write is there", () =>
  Effect.gen(function* () {
    const latch = yield* Latch.make()
    const path = yield* filled
    const scope = yield* Scope.make()
    const database = yield* RocksDB.make({ path }).pipe(Effect.provide(compacting(latch)), Scope.provide(scope))
    yield* Effect.forkChild(database.compact())
    const writing = yield* Effect.forkChild(database.put(bytes("b"), bytes("2")))
    yield* Effect.sleep("100 millis")
    const closing = yield* Effect.forkChild(Effect.exit(Scope.close(scope, Exit.void)))
    while (!database.isClosed()) yield* Effect.yieldNow
    yield* latch.open
    yield* Fiber.join(writing)
    assert.isTrue(Exit.isSuccess(yield* Fiber.join(closing)))
    const again = yield* Effect.provide(RocksDB.make({ path }), NativeEngine.layer)
    assert.strictEqual(text(yield* again.get(bytes("b"))), "2")
  }).pipe(Effect.scoped)
)

it.live("a close past whose deadline a write waits for a compaction comes back, and has synced the log", () =>
  Effect.gen(function* () {
    const latch = yield* Latch.make()
    const path = yield* filled
    const scope = yield* Scope.make()
    const database = yield* RocksDB.make({ path, shutdownDeadline: "100 millis" }).pipe(
      Effect.provide(compacting(latch)),
      Scope.provide(scope)
    )
    yield* Effect.forkChild(database.compact())
    const writing = yield* Effect.forkChild(database.put(bytes("b"), bytes("2")))
    yield* Effect.sleep("100 millis")
    const exit = yield* Effect.exit(Scope.close(scope, Exit.void))
    assert.include(String(exit), "compact, put")
    assert.notInclude(String(exit), "sync the write-ahead log")
    yield* latch.open
    yield* Fiber.join(writing)
  }).pipe(Effect.scoped)
)

/** The properties of a database whose flush has failed without a word, while it goes on taking writes, as Level's does. */
const stuck: Record<string, string> = {
  "rocksdb.background-errors": "1",
  "rocksdb.num-immutable-mem-table": "1",
  "rocksdb.cur-size-active-mem-table": String(2 ** 30)
}

it.live("a write behind a failed flush is written, also while others succeed that need no room in memory", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* temporaryDirectory, writeBufferSize: "1 MiB" })
    yield* database.put(bytes("a"), bytes("1"))
    const small = Effect.forEach(
      Array.from({ length: 50 }, (_, at) => bytes(`b${at}`)),
      (key) => database.put(key, bytes("2")),
      { discard: true }
    )
    yield* Effect.all([small, small, database.put(bytes("large"), new Uint8Array(2 ** 20))], { concurrency: 3 })
    assert.strictEqual(yield* Stream.runCount(database.stream()), 52)
  }).pipe(
    Effect.scoped,
    Effect.provide(
      changed((database, opens) => {
        let writes = 0
        return {
          ...database,
          write: (operations, sync) => {
            writes += 1
            return database.write(operations, sync)
          },
          property: (name) =>
            opens === 1 && writes > 0 && stuck[name] !== undefined
              ? Promise.resolve(stuck[name])
              : database.property(name)
        }
      })
    )
  )
)

it.live("a stream whose snapshot goes because a flush has failed without a word says that it can be read again", () =>
  Effect.gen(function* () {
    const database = yield* RocksDB.make({ path: yield* filled, writeBufferSize: "1 MiB" })
    const begun = yield* Latch.make()
    const goOn = yield* Latch.make()
    const stream = yield* database.stream().pipe(
      Stream.tap(() => Effect.andThen(begun.open, goOn.await)),
      Stream.runDrain,
      Effect.forkChild
    )
    yield* begun.await
    yield* database.put(bytes("large"), new Uint8Array(2 ** 20))
    yield* goOn.open
    const error = yield* Effect.flip(Fiber.join(stream))
    assert.isTrue(error.isRetryable, error.message)
    assert.strictEqual(yield* Stream.runCount(database.stream()), 1001)
  }).pipe(
    Effect.scoped,
    Effect.provide(
      changed((database, opens) =>
        opens === 1 ? { ...database, property: (name) => Promise.resolve(stuck[name] ?? "0") } : database
      )
    )
  )
)

it.live("a write behind a failed flush says what keeps it from being written, and is written once that is over", () =>
  Effect.gen(function* () {
    const disk = yield* Disk.watch
    const path = yield* temporaryDirectory
    let looks = 0
    const engine = changed((database, opens) =>
      opens > 1
        ? database
        : {
            ...database,
            property: (name) => Promise.resolve(stuck[name] ?? "0"),
            isRecovering: async () => {
              looks += 1
              // The descriptors run out again while it waits to open the directory anew.
              if (looks === 1) disk.failNextOpen(`${path}/CURRENT`, "EMFILE")
              return looks === 1
            }
          }
    )
    const database = yield* Effect.provide(RocksDB.make({ path }), engine)
    const error = yield* Effect.flip(database.put(bytes("a"), bytes("1")))
    assert.deepInclude(error.reason, { _tag: "IOError", code: "EMFILE" })
    assert.isTrue(error.isRetryable)
    yield* database.put(bytes("a"), bytes("1"))
    assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
  }).pipe(Effect.scoped)
)
