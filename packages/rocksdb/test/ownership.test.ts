import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { Worker } from "node:worker_threads"
import { DirectoryLock, NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import * as Ownership from "@effect-bookie/testing/engines/ownership"
import { Disk } from "@effect-bookie/testing/Disk"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { reasonOf, tagOf } from "@effect-bookie/testing/failure"
import * as Program from "@effect-bookie/testing/engines/program"

Ownership.suite("NativeEngine", NativeEngine.layer)

const isLocked = (path: string) =>
  Effect.map(tagOf(Effect.scoped(DirectoryLock.acquire(path))), (tag) => tag === "Locked")

describe("DirectoryLock", () => {
  it.effect("is kept from the threads of the process", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* DirectoryLock.acquire(path)
      const program = Program.fileOf("open")
      const thread = new Worker(program, { argv: [NativeEngine.name, path], stdout: true })
      const printed = yield* Effect.promise(async () => {
        let text = ""
        for await (const chunk of thread.stdout) text += String(chunk)
        return text
      })
      assert.strictEqual(printed, "Locked\n")
    })
  )

  it.effect("ends with its scope", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* Effect.scoped(Effect.andThen(DirectoryLock.acquire(path), Effect.map(isLocked(path), assert.isTrue)))
      yield* Effect.scoped(DirectoryLock.acquire(path))
    })
  )

  it.effect("goes with the directory where that is renamed, and says so", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const [path, renamed] = [Path.join(parent, "database"), Path.join(parent, "renamed")]
      Fs.mkdirSync(path)
      const lock = yield* DirectoryLock.acquire(path)
      yield* lock.check
      Fs.renameSync(path, renamed)
      assert.isTrue(yield* isLocked(renamed))
      assert.strictEqual(yield* tagOf(lock.check), "IOError")
      Fs.mkdirSync(path)
      yield* Effect.scoped(DirectoryLock.acquire(path))
      assert.strictEqual(yield* tagOf(lock.check), "IOError")
    })
  )

  it.effect("of a directory that is not there is MissingDatabase, and creates nothing", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const path = Path.join(parent, "missing")
      const reason = yield* reasonOf(Effect.scoped(DirectoryLock.acquire(path)))
      assert.deepInclude(reason, { _tag: "MissingDatabase", operation: "lock", path })
      assert.deepStrictEqual(Fs.readdirSync(parent), [])
    })
  )

  it.effect.each(["", "a\0b"])("of the path %j is refused", (path) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* tagOf(Effect.scoped(DirectoryLock.acquire(path))), "InvalidArgument")
    })
  )

  it.effect("is one of the file at the path, also where that is replaced between the open and the lock", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const file = Path.join(path, DirectoryLock.fileName)
      const disk = yield* Disk.watch
      disk.afterNextOpen(file, () => {
        Fs.rmSync(file)
        Fs.writeFileSync(file, "")
      })
      yield* DirectoryLock.acquire(path)
      assert.isTrue(yield* isLocked(path))
    })
  )

  it.effect.each(["ENOTSUP", "ENOSYS", "EINVAL", "Unknown system error -37"])(
    "a file system that answers %s has no locks, which is said with what to do",
    (code) =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        const native = createRequire(import.meta.url)("fs-native-extensions")
        const { tryLock } = native
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            native.tryLock = () => {
              throw Object.assign(new Error("refused"), { code })
            }
          }),
          () => Effect.sync(() => (native.tryLock = tryLock))
        )
        const database = Effect.provide(RocksDB.make({ path }), NativeEngine.layer)
        const reason = yield* reasonOf(database)
        assert.deepInclude(reason, { _tag: "IOError", code: code.endsWith("-37") ? "ENOLCK" : code })
        assert.match(reason.message, /no locks.*Put the database on a file system that has/)
        native.tryLock = tryLock
        yield* database
      })
  )

  it.effect("is EngineUnavailable where Node may not load addons, and importing it is no failure", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* Program.runWithFlags(["--no-addons"], "lock", yield* temporaryDirectory)
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /^EngineUnavailable lock: .*"fs-native-extensions".*cannot be loaded/)
    })
  )
})
