/**
 * The release: refuse, wait, sync, close; and what becomes of a failed sync.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import * as Fs from "node:fs"
import { EntryLog, Location } from "../src/index.ts"
import * as Fixtures from "./fixtures.ts"
import { refuse } from "./refusals.ts"
import { bytes, descriptorsIn, entry, reasonOf, tagOf, using } from "./support.ts"

/** Opens a directory in a scope of its own. */
const open = Effect.fnUntraced(function* (options: EntryLog.Options) {
  const scope = yield* Scope.make()
  const log = yield* Scope.provide(EntryLog.make(options), scope)
  return { log, close: Effect.exit(Scope.close(scope, Exit.void)) }
})

/** Puts /dev/null, which cannot be synced, in the place of the log that is being written. Answers how to undo it. */
const breakSync = (directory: string) =>
  Effect.sync(() => {
    const [descriptor, path] = [...descriptorsIn(directory)].find(([, path]) => path.endsWith(".log")) ?? []
    if (descriptor === undefined || path === undefined) throw new Error("no log is open")
    replace(descriptor, "/dev/null")
    return Effect.sync(() => replace(descriptor, path))
  })

/** Closes a descriptor and opens another file under its number; lower ones that are free are taken meanwhile. */
const replace = (descriptor: number, path: string): void => {
  Fs.closeSync(descriptor)
  const lower: Array<number> = []
  for (let opened = Fs.openSync(path, "r+"); opened !== descriptor; opened = Fs.openSync(path, "r+")) {
    assert.isBelow(opened, descriptor)
    lower.push(opened)
  }
  for (const opened of lower) Fs.closeSync(opened)
}

describe("after the release", () => {
  it.effect.each([false, true])("every operation answers Closed (readOnly: %s)", (readOnly) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const { entryId, ledgerId, payload } = entry(1n, 1n, "payload")
      yield* using({ directory }, (log) => log.append(ledgerId, entryId, payload))
      const { close, log } = yield* open({ directory, readOnly })
      yield* close
      assert.strictEqual(yield* tagOf(log.append(ledgerId, entryId, payload)), "Closed")
      assert.strictEqual(yield* tagOf(log.appendAll([])), "Closed")
      assert.strictEqual(yield* tagOf(log.sync), "Closed")
      assert.strictEqual(yield* tagOf(log.read(ledgerId, entryId, Location.fromLog(0, 1028))), "Closed")
      assert.strictEqual(yield* tagOf(Stream.runDrain(log.scan())), "Closed")
      const reason = yield* reasonOf(log.logs)
      assert.strictEqual(reason._tag, "Closed")
      assert.include(reason.message, "scope of its Layer")
    })
  )

  it.effect("the scope opens no directory again", () =>
    Effect.gen(function* () {
      const directory = `${yield* Fixtures.temporaryDirectory}/logs`
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* tagOf(Scope.provide(EntryLog.make({ directory }), scope)), "Closed")
      assert.isFalse(Fs.existsSync(directory))
    })
  )

  it.effect("a scan that is still open fails with Closed, and keeps nothing open", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        log.appendAll(Array.from({ length: 100 }, (_, id) => entry(1n, BigInt(id), bytes(10_000))))
      )
      const { close, log } = yield* open({ directory })
      const pull = yield* Stream.toPull(log.scan())
      assert.isNotEmpty(yield* pull)
      yield* close
      assert.strictEqual(descriptorsIn(directory).size, 0)
      const error = yield* Effect.flip(pull)
      assert.strictEqual(error._tag === "EntryLogError" ? error.reason._tag : error, "Closed")
    })
  )

  it.effect("of a layer, nothing is left open", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* Effect.gen(function* () {
        const log = yield* EntryLog.EntryLog
        yield* log.appendAll([entry(1n, 1n)])
        assert.isAbove(descriptorsIn(directory).size, 0)
      }).pipe(Effect.provide(Layer.fresh(EntryLog.layer({ directory }))))
      assert.strictEqual(descriptorsIn(directory).size, 0)
    })
  )
})

describe("in a scope whose finalizers run at once", () => {
  it.effect("what is in flight is waited for, then synced, and the lock goes last", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const calls: Array<string> = []
      yield* refuse(({ name }) => {
        calls.push(name)
        return undefined
      })
      const scope = yield* Scope.make("parallel")
      const log = yield* Scope.provide(EntryLog.make({ directory }), scope)
      const entries = Array.from({ length: 100 }, (_, id) => entry(1n, BigInt(id), bytes(100_000, id)))
      const [fiber, interrupted] = [log.appendAll(entries), log.appendAll(entries)].map((append) =>
        Effect.runFork(Effect.exit(append))
      )
      if (fiber === undefined || interrupted === undefined) throw new Error("two appends were forked")
      yield* Fiber.interrupt(interrupted)
      assert.include(calls, "open")
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(Scope.close(scope, Exit.void))))
      const locations = yield* Effect.flatten(Fiber.join(fiber))
      assert.strictEqual(locations.length, 100)
      // The log, and then the lock.
      assert.deepStrictEqual(calls.slice(-3), ["fdatasync", "close", "close"])
      assert.strictEqual(yield* using({ directory }, (log) => Stream.runCount(log.scan())), 200)
    })
  )
})

describe("an open that does not succeed", () => {
  it.effect("half-way leaves nothing open, and succeeds in the same scope once what was wrong is gone", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      Fs.mkdirSync(`${directory}/lastId`)
      assert.strictEqual(yield* tagOf(EntryLog.make({ directory })), "IOError")
      assert.strictEqual(descriptorsIn(directory).size, 0)
      Fs.rmdirSync(`${directory}/lastId`)
      const log = yield* EntryLog.make({ directory })
      yield* log.appendAll([entry(1n, 1n)])
    })
  )

  it.effect("because it was interrupted, wherever it was, leaves nothing open", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, () => Effect.void)
      const opened = Effect.scoped(Effect.asVoid(Layer.build(Layer.fresh(EntryLog.layer({ directory })))))
      let interruptions = 0
      while (true) {
        const opening = yield* Effect.forkChild(opened)
        const exit = yield* Effect.scoped(
          Effect.andThen(
            refuse(({ number }) => {
              if (number === interruptions) opening.interruptUnsafe()
              return undefined
            }),
            Fiber.await(opening)
          )
        )
        assert.strictEqual(descriptorsIn(directory).size, 0)
        if (Exit.isSuccess(exit)) break
        interruptions += 1
      }
      assert.isAbove(interruptions, 5)
      yield* using({ directory }, (log) => log.appendAll([entry(1n, 1n)]))
    })
  )

  it.effect("leaves no directory of those that it has created and not brought to disk", () =>
    Effect.gen(function* () {
      const root = yield* Fixtures.temporaryDirectory
      const directory = `${root}/a/b/c`
      yield* Effect.scoped(
        Effect.andThen(
          refuse(({ name }) => (name === "fsync" ? "EIO" : undefined)),
          Effect.map(tagOf(EntryLog.make({ directory })), (tag) => assert.strictEqual(tag, "IOError"))
        )
      )
      assert.deepStrictEqual(Fs.readdirSync(root), [])
      yield* using({ directory }, (log) => log.appendAll([entry(1n, 1n)]))
    })
  )
})

describe("an operation whose fiber was interrupted", () => {
  it.effect("lets its fiber go, and is waited for by the release", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const entries = Array.from({ length: 400 }, (_, id) => entry(1n, BigInt(id), bytes(100_000, id)))
      const { close, log } = yield* open({ directory })
      const fiber = yield* Effect.forkChild(log.appendAll(entries), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      const written = Fs.existsSync(`${directory}/0.log`) ? Fs.statSync(`${directory}/0.log`).size : 0
      assert.isBelow(written, 400 * 100_000)
      assert.isTrue(Exit.isSuccess(yield* close))
      const scanned = yield* using({ directory, readOnly: true }, (log) => Stream.runCollect(log.scan()))
      assert.deepStrictEqual(
        scanned.map(({ entryId, payload }) => [entryId, payload.length, payload[7]]),
        entries.map(({ entryId, payload }) => [entryId, payload.length, payload[7]])
      )
    })
  )
})

describe("a sync that fails", () => {
  it.effect("fails every later sync and append with the same error, although the disk works again", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const { close, log } = yield* open({ directory })
      yield* log.appendAll([entry(1n, 1n)])
      const mend = yield* breakSync(directory)
      const error = yield* Effect.flip(log.sync)
      yield* mend
      assert.strictEqual(error.reason._tag, "IOError")
      assert.strictEqual(yield* Effect.flip(log.sync), error)
      assert.strictEqual(yield* Effect.flip(log.appendAll([entry(1n, 2n)])), error)
      yield* close
    })
  )

  it.effect("makes the exit a failure, and everything is closed all the same", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const { close, log } = yield* open({ directory })
      yield* log.appendAll([entry(1n, 1n)])
      yield* breakSync(directory)
      assert.isTrue(Exit.isFailure(yield* close))
      assert.strictEqual(descriptorsIn(directory).size, 0)
      assert.strictEqual(yield* tagOf(log.sync), "Closed")
      // The lock has gone too.
      yield* using({ directory }, (log) => log.appendAll([entry(1n, 1n)]))
    })
  )

  it.effect("as a log is rolled over fails the append, and creates no other log", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const { close, log } = yield* open({ directory, maxLogSize: 1100 })
      yield* log.appendAll([entry(1n, 1n, bytes(50))])
      yield* breakSync(directory)
      const error = yield* Effect.flip(log.appendAll([entry(1n, 2n, bytes(50))]))
      assert.strictEqual(error.reason._tag, "IOError")
      assert.strictEqual(yield* Effect.flip(log.sync), error)
      assert.isFalse(Fs.existsSync(`${directory}/1.log`))
      yield* close
    })
  )
})

describe("a sync", () => {
  it.effect("of nothing, and again, succeeds", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* log.sync
          yield* log.appendAll([entry(1n, 1n)])
          yield* log.sync
          yield* Effect.all([log.sync, log.sync, log.appendAll([entry(1n, 2n)]), log.sync], {
            concurrency: "unbounded"
          })
          yield* log.sync
        })
      )
    })
  )
})
