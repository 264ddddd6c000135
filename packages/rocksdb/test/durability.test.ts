import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import * as Fs from "node:fs"
import { setTimeout } from "node:timers/promises"
import { NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { WalSync } from "../src/internal/native/WalSync.ts"
import * as Durability from "@effect-bookie/testing/engines/durability"
import { bytes, put, text } from "@effect-bookie/testing/bytes"
import { Disk } from "@effect-bookie/testing/Disk"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { reasonOf, tagOf } from "@effect-bookie/testing/failure"

Durability.suite("NativeEngine", NativeEngine.layer)

const open = (options?: Partial<RocksDB.Options>) =>
  Effect.flatMap(temporaryDirectory, (path) => Effect.provide(RocksDB.make({ path, ...options }), NativeEngine.layer))

const aMoment = Effect.promise(() => setTimeout(30))

describe("a write of the native engine", () => {
  it.effect("that is 'sync' is on disk when it is acknowledged, and one that is 'buffered' is not yet", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const database = yield* open()
      yield* database.put(bytes("a"), bytes("1"), { durability: "buffered" })
      assert.strictEqual(disk.files, 0)
      assert.lengthOf(disk.unsynced(database.path), 1)
      yield* database.put(bytes("b"), bytes("2"))
      assert.deepStrictEqual(disk.unsynced(database.path), [])
      yield* database.write([put("c=3"), put("d=4")])
      assert.deepStrictEqual(disk.unsynced(database.path), [])
      yield* database.remove(bytes("c"))
      assert.deepStrictEqual(disk.unsynced(database.path), [])
    })
  )

  it.effect("that is 'buffered' is on disk after syncWal, and after the close", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const scope = yield* Scope.make()
      const database = yield* Scope.provide(open({ durability: "buffered" }), scope)
      yield* database.put(bytes("a"), bytes("1"))
      yield* database.syncWal
      assert.deepStrictEqual(disk.unsynced(database.path), [])
      yield* database.put(bytes("b"), bytes("2"))
      assert.lengthOf(disk.unsynced(database.path), 1)
      const before = disk.files
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(disk.files, before + 1)
    })
  )

  it.effect("is acknowledged only after the fdatasync", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const database = yield* open()
      const release = disk.hold()
      const writing = yield* Effect.forkChild(database.put(bytes("a"), bytes("1")))
      while (disk.files === 0) yield* aMoment
      yield* aMoment
      assert.isUndefined(writing.pollUnsafe())
      assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
      release()
      yield* Fiber.join(writing)
    })
  )

  it.effect("shares its fdatasync with the writes beside it", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const database = yield* open()
      const writes = Array.from({ length: 500 }, (_, index) => database.put(bytes(`key${index}`), bytes("1")))
      yield* Effect.all(writes, { concurrency: "unbounded" })
      assert.isAtLeast(disk.files, 1)
      assert.isAtMost(disk.files, 100)
      assert.deepStrictEqual(disk.unsynced(database.path), [])
    })
  )

  it.effect("is on disk wherever the log has gone on to a new file, with the directory entry of that file", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const database = yield* open({ writeBufferSize: "64 KiB" })
      const logs = new Set<string>()
      for (let index = 0; index < 200; index++) {
        const durability = index % 3 === 0 ? "sync" : "buffered"
        yield* database.put(bytes(`key${index}`), new Uint8Array(4000), { durability })
        for (const name of Fs.readdirSync(database.path)) if (name.endsWith(".log")) logs.add(name)
        if (durability === "sync") assert.deepStrictEqual(disk.unsynced(database.path), [])
      }
      assert.isAbove(logs.size, 5)
      assert.isAbove(disk.directories, 3)
    })
  )

  // Windows does not remove a directory whose files are open.
  it.effect.skipIf(process.platform === "win32")("fails if the directory has been removed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const database = yield* Scope.provide(open(), scope)
      yield* database.put(bytes("a"), bytes("1"))
      yield* database.put(bytes("b"), bytes("2"))
      Fs.rmSync(database.path, { recursive: true })
      assert.strictEqual(yield* tagOf(database.put(bytes("c"), bytes("3"))), "IOError")
      yield* Effect.exit(Scope.close(scope, Exit.void))
    })
  )

  it.effect("fails if its fdatasync does, and so does every later one: the kernel may have dropped the bytes", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const scope = yield* Scope.make()
      const path = yield* temporaryDirectory
      const database = yield* Scope.provide(Effect.provide(RocksDB.make({ path }), NativeEngine.layer), scope)
      yield* database.put(bytes("a"), bytes("1"))
      disk.failNext("EIO")
      const reason = yield* reasonOf(database.put(bytes("b"), bytes("2")))
      assert.strictEqual(reason._tag, "IOError")
      assert.include(reason.message, "i/o error")
      assert.strictEqual(yield* tagOf(database.put(bytes("c"), bytes("3"))), "IOError")
      assert.strictEqual(yield* tagOf(database.syncWal), "IOError")
      yield* database.put(bytes("d"), bytes("4"), { durability: "buffered" })
      assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
      const exit = yield* Effect.exit(Scope.close(scope, Exit.void))
      assert.include(String(exit), "i/o error")
      const again = yield* Effect.provide(RocksDB.make({ path }), NativeEngine.layer)
      yield* again.put(bytes("e"), bytes("5"))
      assert.strictEqual(text(yield* again.get(bytes("a"))), "1")
    })
  )
})

describe("WalSync", () => {
  it.effect("who comes while a sync runs waits for the next one, and shares it", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const wal = new WalSync(yield* directoryWith("000004.log"))
      const releaseFirst = disk.hold()
      const first = wal.sync()
      while (disk.files === 0) yield* aMoment
      const later = [wal.sync(), wal.sync(), wal.sync()]
      const releaseSecond = disk.hold()
      const states = later.map(settled)
      releaseFirst()
      yield* Effect.promise(() => first)
      yield* aMoment
      assert.deepStrictEqual(
        states.map((state) => state.settled),
        [false, false, false]
      )
      releaseSecond()
      yield* Effect.promise(() => Promise.all(later))
      assert.strictEqual(disk.files, 2)
      yield* Effect.promise(() => wal.close())
    })
  )

  it.effect("a sync that was to come after one that failed fails, too", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const wal = new WalSync(yield* directoryWith("000004.log"))
      const release = disk.hold()
      disk.failNext("EIO")
      const syncs = [wal.sync(), wal.sync()]
      release()
      const outcomes = yield* Effect.promise(() => Promise.allSettled(syncs))
      assert.deepStrictEqual(
        outcomes.map(({ status }) => status),
        ["rejected", "rejected"]
      )
      yield* Effect.promise(() => wal.close())
    })
  )

  it.effect("files that are no log are left alone, and older logs are synced once", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const wal = new WalSync(yield* directoryWith("000004.log", "000007.log", "LOG", "000005.sst", "10.log.old"))
      yield* Effect.promise(() => wal.sync())
      assert.strictEqual(disk.files, 2)
      yield* Effect.promise(() => wal.sync())
      assert.strictEqual(disk.files, 3)
      yield* Effect.promise(() => wal.close())
    })
  )

  it.effect("a new log is looked for only where the version of the tree is another one, or unknown", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const directory = yield* directoryWith("000004.log")
      let version: string | undefined = "1"
      const wal = new WalSync(directory, async () => version)
      yield* Effect.promise(() => wal.sync())
      assert.deepStrictEqual(disk.unsynced(directory), [])
      Fs.writeFileSync(`${directory}/000007.log`, "bytes")
      Fs.appendFileSync(`${directory}/000004.log`, "bytes")
      yield* Effect.promise(() => wal.sync())
      assert.deepStrictEqual(disk.unsynced(directory), ["000007.log"])
      version = "2"
      yield* Effect.promise(() => wal.sync())
      assert.deepStrictEqual(disk.unsynced(directory), [])
      assert.strictEqual(disk.directories, 2)
      Fs.writeFileSync(`${directory}/000009.log`, "bytes")
      version = undefined
      yield* Effect.promise(() => wal.sync())
      assert.deepStrictEqual(disk.unsynced(directory), [])
      yield* Effect.promise(() => wal.close())
    })
  )

  it.effect("a log that begins while the directory is listed is found by the next sync", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const directory = yield* directoryWith("000004.log")
      let version = "1"
      const wal = new WalSync(directory, async () => version)
      const release = disk.hold()
      const syncing = wal.sync()
      while (disk.files === 0) yield* aMoment
      Fs.writeFileSync(`${directory}/000007.log`, "bytes")
      version = "2"
      release()
      yield* Effect.promise(() => syncing)
      assert.deepStrictEqual(disk.unsynced(directory), ["000007.log"])
      yield* Effect.promise(() => wal.sync())
      assert.deepStrictEqual(disk.unsynced(directory), [])
      yield* Effect.promise(() => wal.close())
    })
  )

  it.effect("the directory is synced after it could not be for once", () =>
    Effect.gen(function* () {
      const disk = yield* Disk.watch
      const directory = yield* directoryWith("000004.log")
      const wal = new WalSync(directory)
      disk.failNextOpen(directory, "EMFILE")
      const failed = yield* Effect.exit(Effect.promise(() => wal.sync()))
      assert.include(String(failed), "EMFILE")
      assert.strictEqual(disk.directories, 0)
      yield* Effect.promise(() => wal.sync())
      assert.strictEqual(disk.directories, 1)
      yield* Effect.promise(() => wal.sync())
      assert.strictEqual(disk.directories, 1)
      yield* Effect.promise(() => wal.close())
    })
  )

  // Only Linux lists the open files of a process in /proc.
  it.effect.skipIf(process.platform !== "linux")("a log that RocksDB has removed is let go", () =>
    Effect.gen(function* () {
      const directory = yield* directoryWith("000004.log", "000007.log")
      const wal = new WalSync(directory)
      yield* Effect.promise(() => wal.sync())
      Fs.rmSync(`${directory}/000004.log`)
      Fs.rmSync(`${directory}/000007.log`)
      Fs.writeFileSync(`${directory}/000009.log`, "bytes")
      yield* Effect.promise(() => wal.sync())
      assert.deepStrictEqual(openLogs(directory), [`${directory}/000009.log`])
      yield* Effect.promise(() => wal.close())
      assert.deepStrictEqual(openLogs(directory), [])
    })
  )
})

const directoryWith = (...names: ReadonlyArray<string>) =>
  Effect.tap(temporaryDirectory, (directory) =>
    Effect.sync(() => {
      for (const name of names) Fs.writeFileSync(`${directory}/${name}`, "bytes")
    })
  )

const settled = (promise: Promise<void>) => {
  const state = { settled: false }
  promise.then(
    () => (state.settled = true),
    () => (state.settled = true)
  )
  return state
}

/** The log files of a directory that this process has open, where Linux tells. */
const openLogs = (directory: string): ReadonlyArray<string> =>
  Fs.readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const path = Fs.readlinkSync(`/proc/self/fd/${descriptor}`)
      return path.startsWith(directory) ? [path] : []
    } catch {
      return []
    }
  })
