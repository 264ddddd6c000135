/**
 * One writer a directory, in this process and in any other.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { EntryLog } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { startCommand } from "@effect-bookie/testing/process"
import { bytes, descriptorsIn, entry, reasonOf, start, tagOf, using } from "./support.ts"

describe("a second writer", () => {
  it.effect("in the same process is refused at once, and told what to do", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const log = yield* EntryLog.make({ directory })
      const reason = yield* reasonOf(Effect.scoped(EntryLog.make({ directory })))
      assert.strictEqual(reason._tag, "Locked")
      assert.include(reason.message, "readOnly")
      yield* log.appendAll([entry(1n, 1n)])
      assert.strictEqual(yield* tagOf(Effect.scoped(EntryLog.make({ directory }))), "Locked")
    })
  )

  it.effect("by another path to the same directory is refused", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const link = Path.join(yield* Fixtures.temporaryDirectory, "link")
      Fs.symlinkSync(directory, link)
      yield* EntryLog.make({ directory })
      // The second one is as of another mount: no link that could be resolved.
      for (const other of [link, `/proc/self/root${directory}`]) {
        assert.strictEqual(yield* tagOf(Effect.scoped(EntryLog.make({ directory: other }))), "Locked")
      }
    })
  )

  it.effect("is welcome once the first one is closed", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      for (let round = 0; round < 3; round += 1) {
        yield* using({ directory }, (log) => log.appendAll([entry(1n, BigInt(round))]))
      }
      assert.strictEqual(yield* using({ directory }, (log) => Stream.runCount(log.scan())), 3)
    })
  )

  it.effect("is refused while another process writes, and welcome once that is killed", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const child = yield* start("hold", directory)
      yield* child.lines(1)
      assert.strictEqual(yield* tagOf(Effect.scoped(EntryLog.make({ directory }))), "Locked")
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.map(Stream.runCount(log.scan()), (count) => assert.strictEqual(count, 1))
      )
      yield* child.kill
      yield* child.ended
      yield* using({ directory }, (log) => log.appendAll([entry(1n, 2n)]))
    })
  )

  it.effect("in another process is refused while this one writes", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* EntryLog.make({ directory })
      const child = yield* start("locked", directory)
      assert.strictEqual(yield* child.ended, 0)
      assert.deepStrictEqual(child.printed(), ["Locked"])
    })
  )
})

describe("the lock", () => {
  it.effect("is held although the directory is copied meanwhile", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const copy = Path.join(yield* Fixtures.temporaryDirectory, "copy")
      const log = yield* EntryLog.make({ directory })
      yield* log.appendAll([entry(1n, 1n)])
      Fs.cpSync(directory, copy, { recursive: true })
      for (const name of Fs.readdirSync(directory)) Fs.readFileSync(Path.join(directory, name))
      Fs.closeSync(Fs.openSync(Path.join(directory, "entry-log.lock"), "r+"))
      const child = yield* start("locked", directory)
      assert.strictEqual(yield* child.ended, 0)
      assert.deepStrictEqual(child.printed(), ["Locked"])
      assert.strictEqual(yield* tagOf(Effect.scoped(EntryLog.make({ directory }))), "Locked")
      // The copy is a directory of its own.
      yield* using({ directory: copy }, (log) => log.appendAll([entry(1n, 2n)]))
    })
  )

  it.effect("is one of the file that stands at its path when it is taken", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const path = Path.join(directory, "entry-log.lock")
      const replaced: Array<number> = []
      yield* withTryLock((tryLock) => (descriptor) => {
        const isLocked = tryLock(descriptor)
        // Whoever cleans up comes between the first lock and the look at its file, and between the second.
        if (replaced.length < 2) {
          Fs.rmSync(path)
          if (replaced.length === 1) Fs.writeFileSync(path, "")
          replaced.push(descriptor)
        }
        return isLocked
      })
      yield* EntryLog.make({ directory })
      assert.strictEqual(replaced.length, 2)
      assert.strictEqual(descriptorsIn(directory).size, 1)
      assert.strictEqual(yield* tagOf(Effect.scoped(EntryLog.make({ directory }))), "Locked")
    })
  )

  it.effect("is given up where its file is replaced again and again", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* withTryLock((tryLock) => (descriptor) => {
        Fs.rmSync(Path.join(directory, "entry-log.lock"))
        return tryLock(descriptor)
      })
      const reason = yield* reasonOf(EntryLog.make({ directory }))
      assert.strictEqual(reason._tag, "IOError")
      assert.include(reason.message, "entry-log.lock")
      assert.strictEqual(descriptorsIn(directory).size, 0)
    })
  )

  it.effect("whose file has gone keeps its owner from creating another log", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const log = yield* EntryLog.make({ directory, maxLogSize: 1100 })
      yield* log.appendAll([entry(1n, 1n, bytes(20))])
      Fs.rmSync(Path.join(directory, "entry-log.lock"))
      yield* log.appendAll([entry(1n, 2n, bytes(10))])
      const error = yield* Effect.flip(log.appendAll([entry(1n, 3n, bytes(20))]))
      assert.strictEqual(error.reason._tag, "IOError")
      assert.strictEqual(error.reason.operation, "appendAll")
      assert.match(error.message, /^appendAll: the directory at /)
      assert.isFalse(error.isRetryable)
      assert.include(error.message, "removed or replaced")
      yield* log.sync
      assert.deepStrictEqual(Fs.readdirSync(directory).toSorted(), ["0.log", "lastId"])
      assert.strictEqual(yield* Stream.runCount(log.scan()), 2)
    })
  )

  it.effect.each([
    ["ENOLCK", "LockUnavailable"],
    // What libuv has no name for arrives by its number, on Linux this one.
    ["Unknown system error -37", "LockUnavailable"],
    ["ENOTSUP", "LockUnavailable"],
    ["EOPNOTSUPP", "LockUnavailable"],
    ["ENOSYS", "LockUnavailable"],
    ["EINVAL", "LockUnavailable"],
    ["EACCES", "Locked"],
    ["EIO", "IOError"],
    ["ENOMEM", "IOError"]
  ] as const)("that a file system refuses with %s makes the open fail with %s", ([code, tag]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* withTryLock(() => () => {
        throw Object.assign(new Error("refused"), { code })
      })
      const reason = yield* reasonOf(EntryLog.make({ directory }))
      assert.strictEqual(reason._tag, tag)
      assert.strictEqual(descriptorsIn(directory).size, 0)
      if (tag !== "LockUnavailable") return
      for (const words of [directory, "no locks", "readOnly"]) assert.include(reason.message, words)
      yield* EntryLog.make({ directory, readOnly: true })
    })
  )
})

describe("native code", () => {
  it.effect("that is not found for want of descriptors is found later", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const loading = withExtensions(() => ({
        get: () => {
          throw new Error("Cannot read package config /package.json: too many open files.")
        }
      }))
      const error = yield* Effect.flip(Effect.scoped(Effect.andThen(loading, EntryLog.make({ directory }))))
      assert.strictEqual(error.reason._tag === "IOError" ? error.reason.code : error.reason._tag, "EMFILE")
      assert.isTrue(error.isRetryable)
      yield* EntryLog.make({ directory })
    })
  )
})

describe("a Node that loads no native code", () => {
  it.effect("has the ids and reads logs, and is told why it cannot write", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) => log.appendAll([entry(1n, 1n, "by another Node")]))
      const program = Path.join(import.meta.dirname, "programs", "withoutAddons.ts")
      const child = yield* startCommand(process.execPath, ["--no-addons", program, directory], import.meta.dirname)
      assert.strictEqual(yield* child.ended, 0)
      const [ids, count, payload, refusal, message = ""] = child.printed()
      assert.deepStrictEqual(
        [ids, count, payload, refusal],
        ["1n 2n 12884901892n", "1", "by another Node", "LockUnavailable false false"]
      )
      for (const words of ["fs-native-extensions", process.version, "readOnly"]) assert.include(message, words)
    })
  )
})

describe("the lock file", () => {
  it.effect("stays, and locks nobody out", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, () => Effect.void)
      assert.isTrue(Fs.existsSync(Path.join(directory, "entry-log.lock")))
      yield* using({ directory }, () => Effect.void)
    })
  )
})

type TryLock = (descriptor: number) => boolean

/** While the scope is open, has another function take the locks. */
const withTryLock = (replacement: (tryLock: TryLock) => TryLock) =>
  withExtensions(({ tryLock }) => ({ value: replacement(tryLock) }))

/** While the scope is open, loads the function that takes the locks in another way. */
const withExtensions = (replacement: (extensions: { readonly tryLock: TryLock }) => PropertyDescriptor) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const extensions: { readonly tryLock: TryLock } = createRequire(import.meta.url)("fs-native-extensions")
      const { tryLock } = extensions
      const define = (property: PropertyDescriptor) =>
        void Object.defineProperty(extensions, "tryLock", { ...property, configurable: true, enumerable: true })
      define(replacement(extensions))
      return () => define({ value: tryLock, writable: true })
    }),
    (restore) => Effect.sync(restore)
  )
