/**
 * What the operating system refuses for a moment comes back: the operation that
 * met it fails alone, says by its code what was refused, leaves nothing half
 * written, and works when it is tried again. A sync that failed is the
 * exception, and final.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import { unreadableCauses } from "@effect-bookie/testing/hostile"
import * as Fs from "node:fs"
import { EntryLog, EntryLogError, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { type Call, refuse } from "./refusals.ts"
import { bytes, entry, startLimited, using } from "./support.ts"

describe("a call that is refused once", () => {
  it.effect("fails nothing but its own operation, whichever it is, unless it is a sync", () =>
    Effect.gen(function* () {
      const { calls } = yield* history(() => undefined)
      assert.includeMembers(
        calls.map(({ name }) => name),
        ["open", "close", "fsync", "fdatasync", "fstat", "stat", "read", "write", "promises.writeFile"]
      )
      for (const { name, number } of calls) {
        const [code, isRetryable] = number % 2 === 0 ? (["EMFILE", true] as const) : (["EIO", false] as const)
        const context = `call ${number}, ${name}: ${code}`
        const found = yield* history((call) => (call.number === number ? code : undefined))
        const phase = found.calls[number]?.phase
        const isFinal = (name === "fdatasync" || name === "fsync") && phase !== "open"

        assert.isAtMost(found.failures.length, 1, context)
        for (const { reason } of found.failures) {
          assert.strictEqual(reason._tag === "IOError" ? reason.code : reason._tag, code, context)
          assert.include(reason.message, code, context)
        }
        const [failure] = found.failures
        assert.strictEqual(found.failedAgain, isFinal ? failure : undefined, context)
        if (failure !== undefined) assert.strictEqual(failure.isRetryable, isRetryable && !isFinal, context)
        assert.strictEqual(Exit.isFailure(found.closed), isFinal, context)
        assert.includeDeepMembers([...found.scanned], [...found.appended], context)
        assert.deepStrictEqual(found.foreign, [], context)
      }
    })
  )
})

describe("a code of the operating system", () => {
  it.effect.each<readonly [code: string, tag: EntryLogError.Reason["_tag"], isRetryable: boolean, advice: string]>([
    ["EMFILE", "IOError", true, "ulimit -n"],
    ["ENFILE", "IOError", true, "fs.file-max"],
    ["EAGAIN", "IOError", true, "try again"],
    ["EINTR", "IOError", true, "try again"],
    ["EBUSY", "IOError", true, "try again"],
    ["ENOMEM", "IOError", true, "memory"],
    ["ENOSPC", "NoSpace", true, "Free some room"],
    ["EDQUOT", "NoSpace", true, "Free some room"],
    // What libuv has no name for arrives by its number.
    ["Unknown system error -122", "NoSpace", true, "Free some room"],
    ["EIO", "IOError", false, "device"],
    ["EACCES", "IOError", false, "Let this user"],
    ["EROFS", "IOError", false, "read-only"],
    ["EFBIG", "IOError", false, "maxLogSize"],
    ["ENOENT", "IOError", false, "still there"],
    ["EXDEV", "IOError", false, "Check the disk"]
  ])("%s makes an append fail with %s, which may pass: %s", ([code, tag, isRetryable, advice]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* log.appendAll([entry(1n, 0n)])
          const error = yield* Effect.flip(
            Effect.scoped(
              Effect.andThen(
                refuse(({ name }) => (name === "write" ? code : undefined)),
                log.appendAll([entry(1n, 1n, bytes(100))])
              )
            )
          )
          assert.strictEqual(error.reason._tag, tag)
          if (error.reason._tag === "IOError") assert.strictEqual(error.reason.code, code)
          assert.strictEqual(error.isRetryable, isRetryable)
          assert.include(error.message, advice)
          yield* log.appendAll([entry(1n, 1n, bytes(100))])
          assert.strictEqual(yield* Stream.runCount(log.scan()), 2)
        })
      )
    })
  )
})

describe("what is no error of the operating system", () => {
  it.each<readonly [what: string, cause: unknown, words: string]>([
    ["a text", "it broke", "it broke"],
    ["nothing", undefined, "undefined"],
    ["an object whose code cannot be read", unreadable("code"), "Object"],
    ["an object whose tag cannot be read", unreadable("_tag"), "Object"]
  ])("is an IOError all the same, be it %s", (_, cause, words) => {
    const error = EntryLogError.fromSystem(cause, { operation: "append", path: "/logs" })
    assert.strictEqual(error.reason._tag, "IOError")
    assert.include(error.message, words)
  })
})

describe("a write that is refused, and cannot be cut off,", () => {
  it.effect("leaves the log, and what comes next goes to another", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const before = yield* log.appendAll([entry(1n, 0n, bytes(100))])
          const refusing = refuse(({ name }) => (name === "write" || name === "ftruncate" ? "EAGAIN" : undefined))
          const append = log.appendAll([entry(1n, 1n, bytes(1000))])
          const error = yield* Effect.flip(Effect.scoped(Effect.andThen(refusing, append)))
          assert.isTrue(error.isRetryable)
          const after = yield* append
          assert.deepStrictEqual([...before, ...after], [Location.fromLog(0, 1028), Location.fromLog(1, 1028)])
          yield* log.sync
          assert.deepStrictEqual(
            (yield* Stream.runCollect(log.scan())).map(({ location }) => location),
            [...before, ...after]
          )
        })
      )
    })
  )
})

describe("an entry that is larger than a log may be, and whose write is refused,", () => {
  it.effect("leaves a log without entries, which the next one goes to, however large", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 2048 }, (log) =>
        Effect.gen(function* () {
          const append = log.appendAll([entry(1n, 0n, bytes(3000))])
          let writes = 0
          // The first one is that of the header.
          const refusing = refuse(({ name }) => (name === "write" && ++writes > 1 ? "ENOSPC" : undefined))
          const error = yield* Effect.flip(Effect.scoped(Effect.andThen(refusing, append)))
          assert.strictEqual(error.reason._tag, "NoSpace")
          assert.deepStrictEqual(
            (yield* log.logs).map(({ ledgers, size }) => [size, ledgers.size]),
            [[1024, 0]]
          )
          assert.deepStrictEqual(yield* append, [Location.fromLog(0, 1028)])
          assert.deepStrictEqual(yield* append, [Location.fromLog(1, 1028)])
        })
      )
    })
  )
})

describe("a process without descriptors", () => {
  it.effect("is told so by whatever needs one, and everything works once there are some", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const child = yield* startLimited("-n 100", "descriptors", directory)
      assert.strictEqual(yield* child.ended, 0)
      const told = child.printed().map((line) => line.split(" "))
      assert.deepStrictEqual(
        told.filter(([left]) => left === "0").map((words) => words.slice(1).join(" ")),
        [
          ...["open", "append", "read", "rollover", "scan", "logs"].map((operation) => `${operation} EMFILE true`),
          "sync done",
          "release done"
        ]
      )
      for (const [, , outcome] of told) assert.include(["EMFILE", "done"], outcome)
      assert.deepStrictEqual(new Set(told.filter(([left]) => left === "4").map((words) => words[2])), new Set(["done"]))
    })
  )
})

/** Appends that create logs, fill them, roll them over and outgrow them. */
const batches = [
  [entry(1n, 0n, bytes(50)), entry(2n, 0n, bytes(60))],
  [entry(1n, 1n, bytes(900)), entry(1n, 2n, bytes(900)), entry(2n, 1n)],
  [entry(1n, 3n, bytes(5000)), entry(2n, 2n, bytes(10))]
]

/** A call, and whether it was made to open the directory, to use it or to close it. */
interface MadeCall extends Call {
  readonly phase: "open" | "use" | "close"
}

/**
 * Opens a directory, does everything that can be done with it, and closes it. What fails is tried once more; if that
 * fails too, nothing else is done.
 */
const history = (codeOf: (call: Call) => string | undefined) =>
  Effect.gen(function* () {
    const directory = `${yield* Fixtures.temporaryDirectory}/above/logs`
    const calls: Array<MadeCall> = []
    const failures: Array<EntryLogError.EntryLogError> = []
    const appended: Array<EntryLog.LocatedEntry> = []
    let phase: MadeCall["phase"] = "open"

    const attempt = <A>(effect: Effect.Effect<A, EntryLogError.EntryLogError>) =>
      Effect.catch(effect, (error) => {
        failures.push(error)
        return effect
      })
    const use = Effect.fnUntraced(function* (log: EntryLog.EntryLog["Service"]) {
      for (const entries of batches) {
        appended.push(...located(entries, yield* attempt(log.appendAll(entries))))
        for (const { entryId, ledgerId, location, payload } of appended) {
          assert.deepStrictEqual(yield* attempt(log.read(ledgerId, entryId, location)), payload)
        }
        yield* attempt(log.sync)
        assert.strictEqual((yield* attempt(log.logs)).at(-1)?.sealed, false)
        assert.includeDeepMembers([...(yield* attempt(Stream.runCollect(log.scan())))], [...appended])
      }
    })

    const { closed, failedAgain } = yield* Effect.scoped(
      Effect.gen(function* () {
        yield* refuse((call) => {
          calls.push({ ...call, phase })
          return codeOf(call)
        })
        const scope = yield* Scope.make()
        const log = yield* attempt(Scope.provide(EntryLog.make({ directory, maxLogSize: 2048 }), scope))
        phase = "use"
        const failedAgain = yield* Effect.match(use(log), {
          onFailure: (error) => error,
          onSuccess: () => undefined
        })
        phase = "close"
        return { failedAgain, closed: yield* Effect.exit(Scope.close(scope, Exit.void)) }
      })
    )
    const scanned = yield* using({ directory }, (log) => Stream.runCollect(log.scan()))
    const foreign = Fs.readdirSync(directory).filter((name) => !/^([\da-f]+\.log|lastId|entry-log\.lock)$/.test(name))
    return { calls, failures, appended, failedAgain, closed, scanned, foreign }
  }).pipe(Effect.scoped)

const located = (
  entries: ReadonlyArray<EntryLog.Entry>,
  locations: ReadonlyArray<EntryLog.LocatedEntry["location"]>
): ReadonlyArray<EntryLog.LocatedEntry> =>
  locations.flatMap((location, index) => {
    const added = entries[index]
    return added === undefined ? [] : [{ ...added, location }]
  })

function unreadable(property: string): object {
  return Object.defineProperty({}, property, { get: fail })
}

function fail(): never {
  throw new Error("not for you")
}

const untouchable = unreadableCauses("EntryLogError")

describe("what is thrown and cannot be read", () => {
  it("is an IOError, and is never thrown on", () => {
    for (const cause of untouchable) {
      const { reason } = EntryLogError.fromSystem(cause, { operation: "append", path: "/logs" })
      assert.strictEqual(reason._tag, "IOError")
    }
  })
})
