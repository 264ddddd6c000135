/**
 * A log that cannot be written: what callers are told, and what is there then.
 */
import { assert, describe, it } from "@effect/vitest"
import { EntryId, LedgerStorageError } from "@effect-bookie/ledger-storage"
import * as Lifecycle from "@effect-bookie/lifecycle/Lifecycle"
import { Cause, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { bytes, ledger, tagOf, text } from "./support.ts"
import { noSpace, type Watched, watched } from "./watched.ts"

const textsOf = (storage: Watched["storage"], id: number) =>
  Effect.map(Stream.runCollect(storage.entries(ledger(id))), (entries) =>
    entries.map(({ entryId, payload }) => `${entryId}=${text(payload)}`)
  )

const forkAppend = (storage: Watched["storage"], value: string) =>
  Effect.forkChild(storage.append(ledger(0), bytes(value)), { startImmediately: true })

const died = (exit: Exit.Exit<unknown, unknown>): boolean => Exit.isFailure(exit) && Cause.hasDies(exit.cause)

describe("an append that the log refuses", () => {
  it.effect("leaves nothing behind, and its ids are given again", () =>
    Effect.gen(function* () {
      const { calls, fail, storage } = yield* watched()
      yield* storage.createLedger()
      yield* storage.append(ledger(0), bytes("a"))
      fail("append", "error")
      calls.length = 0
      assert.strictEqual(yield* tagOf(storage.append(ledger(0), bytes("lost"))), "NoSpace")
      assert.strictEqual(yield* tagOf(storage.appendAll(ledger(0), [bytes("lost"), bytes("lost")])), "NoSpace")
      assert.deepStrictEqual(calls, ["append", "append"])
      fail("append", undefined)
      assert.deepStrictEqual(yield* textsOf(storage, 0), ["0=a"])
      assert.strictEqual<unknown>(yield* storage.append(ledger(0), bytes("b")), 1n)
      assert.deepStrictEqual(yield* textsOf(storage, 0), ["0=a", "1=b"])
      assert.strictEqual((yield* storage.ledger(ledger(0)))?.length, 2)
    })
  )

  it.effect("takes back what the group did to ledgers, too", () =>
    Effect.gen(function* () {
      const { fail, storage } = yield* watched()
      yield* storage.createLedger()
      yield* storage.createLedger()
      fail("append", "error")
      const tags = yield* Effect.all(
        [
          tagOf(storage.fence(ledger(0))),
          tagOf(storage.deleteLedger(ledger(1))),
          tagOf(storage.createLedger({ ledgerId: ledger(5) })),
          tagOf(storage.createLedger())
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(tags, ["NoSpace", "NoSpace", "NoSpace", "NoSpace"])
      fail("append", undefined)
      assert.strictEqual<unknown>(yield* storage.append(ledger(0), bytes("a")), 0n)
      assert.strictEqual<unknown>(yield* storage.append(ledger(1), bytes("b")), 0n)
      assert.strictEqual<unknown>((yield* storage.createLedger()).ledgerId, 2n)
      yield* storage.createLedger({ ledgerId: ledger(5) })
    })
  )

  it.effect("refuses with it what depends on it, and with their own reasons what does not", () =>
    Effect.gen(function* () {
      const { fail, storage } = yield* watched()
      yield* storage.createLedger()
      yield* storage.createLedger()
      yield* storage.fence(ledger(1))
      fail("append", "error")
      const tags = yield* Effect.all(
        [
          tagOf(storage.deleteLedger(ledger(0))),
          tagOf(storage.append(ledger(0), bytes("after the delete"))),
          tagOf(storage.append(ledger(1), bytes("fenced before"))),
          tagOf(storage.append(ledger(9), bytes("never existed"))),
          tagOf(storage.createLedger({ ledgerId: ledger(7) })),
          tagOf(storage.createLedger({ ledgerId: ledger(7) })),
          tagOf(storage.createLedger({ ledgerId: ledger(1) }))
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(tags, ["NoSpace", "NoSpace", "Fenced", "NoLedger", "NoSpace", "NoSpace", "LedgerExists"])
    })
  )

  it.effect("in the middle of a long appendAll leaves what came before", () =>
    Effect.gen(function* () {
      const { fail, gate, groups, storage } = yield* watched()
      yield* storage.createLedger()
      const payloads = Array.from({ length: 40 }, () => new Uint8Array(500_000))
      yield* gate.close
      const call = yield* Effect.forkChild(tagOf(storage.appendAll(ledger(0), payloads)), { startImmediately: true })
      // Lets the first group through: append, sync, commit.
      for (let calls = 0; calls < 3; calls += 1) {
        for (let turn = 0; turn < 3; turn += 1) yield* Effect.yieldNow
        if (calls < 2) yield* gate.release
      }
      fail("append", "error")
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(call), "NoSpace")
      fail("append", undefined)
      const before = (yield* storage.ledger(ledger(0)))?.entries ?? -1
      assert.isTrue(before > 0 && before < 40)
      assert.strictEqual(groups.length, 2)
      assert.strictEqual<unknown>(yield* storage.append(ledger(0), bytes("next")), BigInt(before))
    })
  )
})

describe("a group that was appended and cannot be finished", () => {
  for (const call of ["sync", "commit"] as const) {
    it.effect(`turns up before anything else is written: ${call}`, () =>
      Effect.gen(function* () {
        const { calls, fail, groups, storage } = yield* watched()
        yield* storage.createLedger()
        yield* storage.append(ledger(0), bytes("a"))
        fail(call, "error")
        assert.strictEqual(yield* tagOf(storage.append(ledger(0), bytes("b"))), "NoSpace")
        assert.deepStrictEqual(yield* textsOf(storage, 0), ["0=a"])
        calls.length = 0
        assert.strictEqual(yield* tagOf(storage.append(ledger(0), bytes("not appended"))), "NoSpace")
        assert.deepStrictEqual(calls, [call])
        fail(call, undefined)
        assert.strictEqual<unknown>(yield* storage.append(ledger(0), bytes("c")), 2n)
        assert.deepStrictEqual(yield* textsOf(storage, 0), ["0=a", "1=b", "2=c"])
        assert.strictEqual(groups.length, 4)
      })
    )
  }

  it.effect("is synced once, if only its commit has failed", () =>
    Effect.gen(function* () {
      const { calls, fail, storage } = yield* watched()
      yield* storage.createLedger()
      fail("commit", "error")
      yield* tagOf(storage.append(ledger(0), bytes("a")))
      fail("commit", undefined)
      calls.length = 0
      yield* storage.append(ledger(0), bytes("b"))
      assert.deepStrictEqual(calls, ["commit", "append", "sync", "commit"])
    })
  )

  it.effect("creates its ledgers when it turns up, for those who come then", () =>
    Effect.gen(function* () {
      const { fail, storage } = yield* watched({ maxIdleLedgers: 0 })
      fail("commit", "error")
      assert.strictEqual(yield* tagOf(storage.createLedger({ ledgerId: ledger(0) })), "NoSpace")
      assert.isUndefined(yield* storage.ledger(ledger(0)))
      fail("commit", undefined)
      assert.strictEqual<unknown>(yield* storage.append(ledger(0), bytes("a")), 0n)
    })
  )

  it.effect("is what readers who come meanwhile do not see, and see then", () =>
    Effect.gen(function* () {
      const { fail, storage } = yield* watched({ maxIdleLedgers: 0, recentEntries: 0 })
      yield* storage.createLedger()
      yield* storage.append(ledger(0), bytes("a"))
      fail("commit", "error")
      yield* tagOf(storage.append(ledger(0), bytes("b")))
      assert.deepStrictEqual(yield* textsOf(storage, 0), ["0=a"])
      const tail = yield* Effect.forkChild(Stream.runCollect(Stream.take(storage.tail(ledger(0)), 3)), {
        startImmediately: true
      })
      fail("commit", undefined)
      yield* storage.append(ledger(0), bytes("c"))
      const seen = yield* Fiber.join(tail)
      assert.deepStrictEqual(
        seen.map(({ payload }) => text(payload)),
        ["a", "b", "c"]
      )
    })
  )

  it.effect("is finished at the release, when that works by then", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { commits, fail, storage } = yield* Scope.provide(watched(), scope)
      yield* storage.createLedger()
      fail("commit", "error")
      yield* tagOf(storage.append(ledger(0), bytes("a")))
      fail("commit", undefined)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(
        commits.map(([change]) => change?._tag),
        ["Created", "Appended"]
      )
    })
  )

  it.effect("makes the release a failure, and does not keep it from ending, if it still cannot be finished", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const events: Array<string> = []
      const { fail, storage } = yield* Scope.provide(watched(), scope).pipe(
        Effect.provideService(Lifecycle.Lifecycle, ({ _tag }) => Effect.sync(() => events.push(_tag)))
      )
      yield* storage.createLedger()
      fail("commit", "error")
      yield* tagOf(storage.append(ledger(0), bytes("a")))
      assert.isTrue(died(yield* Effect.exit(Scope.close(scope, Exit.void))))
      assert.strictEqual(yield* tagOf(storage.append(ledger(0), bytes("b"))), "Closed")
      assert.deepStrictEqual(events, ["Acquired", "Released"])
    })
  )
})

describe("a storage without room for more", () => {
  it.effect("refuses appends and creations, and goes on to fence and delete", () =>
    Effect.gen(function* () {
      const opened = yield* watched()
      const { storage } = opened
      yield* storage.createLedger()
      yield* storage.createLedger()
      yield* storage.append(ledger(0), bytes("a"))
      opened.refusal = noSpace
      assert.strictEqual(yield* tagOf(storage.append(ledger(0), bytes("b"))), "NoSpace")
      assert.strictEqual(yield* tagOf(storage.createLedger()), "NoSpace")
      assert.strictEqual((yield* storage.fence(ledger(0))).entries, 1)
      yield* storage.deleteLedger(ledger(1))
      opened.refusal = undefined
      assert.strictEqual<unknown>((yield* storage.createLedger()).ledgerId, 2n)
    })
  )
})

describe("a defect of the log", () => {
  for (const call of ["append", "sync", "commit"] as const) {
    it.effect(`ends all writing, since nobody knows what was written: ${call}`, () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { calls, fail, storage } = yield* Scope.provide(watched(), scope)
        yield* storage.createLedger()
        yield* storage.append(ledger(0), bytes("a"))
        fail(call, "defect")
        const first = yield* Effect.exit(storage.append(ledger(0), bytes("b")))
        fail(call, undefined)
        calls.length = 0
        const second = yield* Effect.exit(storage.append(ledger(0), bytes("c")))
        const third = yield* Effect.exit(storage.deleteLedger(ledger(0)))
        assert.deepStrictEqual([died(first), died(second), died(third)], [true, true, true])
        assert.deepStrictEqual(calls, [])
        assert.deepStrictEqual(yield* textsOf(storage, 0), ["0=a"])
        assert.isTrue(died(yield* Effect.exit(Scope.close(scope, Exit.void))))
      })
    )
  }
})

describe("a ledger that cannot be looked up", () => {
  const damaged = LedgerStorageError.corruption("it is damaged", { operation: "ledger", storage: "memory" })

  it.effect("fails its own callers, and can be deleted", () =>
    Effect.gen(function* () {
      let broken = false
      const { storage } = yield* watched({ maxIdleLedgers: 0 }, (backend) => ({
        ...backend,
        ledger: (ledgerId) => (broken && ledgerId === 0n ? Effect.fail(damaged) : backend.ledger(ledgerId))
      }))
      yield* storage.createLedger()
      yield* storage.createLedger()
      broken = true
      const ends = yield* Effect.all(
        [
          tagOf(storage.append(ledger(0), bytes("a"))),
          storage.append(ledger(1), bytes("b")),
          tagOf(storage.fence(ledger(0)))
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual<unknown>(ends, ["Corruption", 0n, "Corruption"])
      yield* storage.deleteLedgers([ledger(0), ledger(1)])
      broken = false
      assert.isUndefined(yield* storage.ledger(ledger(0)))
      assert.isUndefined(yield* storage.ledger(ledger(1)))
    })
  )

  it.effect("fails with the name of the operation that looked it up", () =>
    Effect.gen(function* () {
      const { storage } = yield* watched({ maxIdleLedgers: 0 }, (backend) => ({
        ...backend,
        ledger: () => Effect.fail(damaged),
        readMany: () => Effect.fail(damaged)
      }))
      const operations = {
        append: storage.append(ledger(0), bytes("a")),
        appendAll: storage.appendAll(ledger(0), [bytes("a")]),
        ledger: storage.ledger(ledger(0)),
        read: storage.read(ledger(0), EntryId.make(0)),
        entries: Stream.runDrain(storage.entries(ledger(0))),
        tail: Stream.runDrain(storage.tail(ledger(0)))
      }
      for (const [name, operation] of Object.entries(operations)) {
        const { reason } = yield* Effect.flip<unknown, LedgerStorageError.LedgerStorageError, never>(operation)
        assert.strictEqual(reason._tag, "Corruption")
        assert.strictEqual(reason.operation, name)
        assert.isTrue(reason.message.startsWith(`${name}: it is damaged`), reason.message)
      }
    })
  )

  it.effect("because the disk does not answer is not deleted", () =>
    Effect.gen(function* () {
      const { storage } = yield* watched({ maxIdleLedgers: 0 }, (backend) => ({
        ...backend,
        ledger: (ledgerId) =>
          ledgerId === 0n
            ? Effect.fail(LedgerStorageError.fromSystem(new Error("EIO"), { operation: "ledger", storage: "memory" }))
            : backend.ledger(ledgerId)
      }))
      yield* storage.createLedger()
      yield* storage.createLedger()
      assert.strictEqual(yield* tagOf(storage.deleteLedgers([ledger(1), ledger(0)])), "IOError")
      assert.isDefined(yield* storage.ledger(ledger(1)))
    })
  )
})

describe("a log that takes its time", () => {
  it.effect("lets no more bytes in flight than allowed, and the others wait in their order", () =>
    Effect.gen(function* () {
      const { gate, storage } = yield* watched({ maxBytesInFlight: 5000 })
      yield* storage.createLedger()
      yield* gate.close
      const fibers = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => `${index}`.padStart(1000, " ")),
        (value) => forkAppend(storage, value)
      )
      assert.isAtMost(storage.statistics.bytesInFlight, 5000)
      assert.isAtLeast(storage.statistics.bytesInFlight, 3000)
      assert.isAtLeast(storage.statistics.waiting, 15)
      yield* gate.open
      const given = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual<unknown>(
        given,
        given.map((_, index) => BigInt(index))
      )
      assert.strictEqual(storage.statistics.bytesInFlight, 0)
      assert.strictEqual(storage.statistics.waiting, 0)
    })
  )

  it.effect("does not write what was interrupted while it waited to be let in", () =>
    Effect.gen(function* () {
      const { gate, storage } = yield* watched({ maxBytesInFlight: 1000 })
      yield* storage.createLedger()
      yield* gate.close
      const inside = yield* forkAppend(storage, "a".repeat(900))
      const leaving = yield* forkAppend(storage, "b".repeat(900))
      const behind = yield* forkAppend(storage, "c".repeat(900))
      yield* Fiber.interrupt(leaving)
      yield* gate.open
      assert.deepStrictEqual<unknown>([yield* Fiber.join(inside), yield* Fiber.join(behind)], [0n, 1n])
      assert.deepStrictEqual(
        (yield* textsOf(storage, 0)).map((entry) => entry.slice(0, 3)),
        ["0=a", "1=c"]
      )
    })
  )

  it.effect("writes what was interrupted after that", () =>
    Effect.gen(function* () {
      const { gate, storage } = yield* watched()
      yield* storage.createLedger()
      yield* gate.close
      const leaving = yield* forkAppend(storage, "a")
      yield* Fiber.interrupt(leaving)
      yield* gate.open
      assert.strictEqual<unknown>(yield* storage.append(ledger(0), bytes("b")), 1n)
      assert.deepStrictEqual(yield* textsOf(storage, 0), ["0=a", "1=b"])
    })
  )

  it.effect("has taken the payload by the time the call waits, so that it may be used again", () =>
    Effect.gen(function* () {
      const { gate, storage } = yield* watched()
      yield* storage.createLedger()
      yield* gate.close
      const payload = bytes("a")
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (const value of ["a", "b", "c"]) {
        payload.set(bytes(value))
        fibers.push(yield* Effect.forkChild(storage.append(ledger(0), payload), { startImmediately: true }))
      }
      payload.fill(0)
      yield* gate.open
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(yield* textsOf(storage, 0), ["0=a", "1=b", "2=c"])
    })
  )

  it.effect("refuses a payload that was transferred away while it waited to be let in", () =>
    Effect.gen(function* () {
      const { gate, storage } = yield* watched({ maxBytesInFlight: 1000 })
      yield* storage.createLedger()
      yield* gate.close
      const inside = yield* forkAppend(storage, "a".repeat(900))
      const payload = new Uint8Array(900)
      const waiting = yield* Effect.forkChild(tagOf(storage.append(ledger(0), payload)), { startImmediately: true })
      const behind = yield* forkAppend(storage, "c")
      structuredClone(payload.buffer, { transfer: [payload.buffer] })
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(waiting), "InvalidArgument")
      assert.deepStrictEqual<unknown>([yield* Fiber.join(inside), yield* Fiber.join(behind)], [0n, 1n])
    })
  )

  it.effect("at the release answers Closed to those who wait to be let in, and writes the others", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { gate, groups, storage } = yield* Scope.provide(watched({ maxBytesInFlight: 1000 }), scope)
      yield* storage.createLedger()
      yield* gate.close
      const inside = yield* forkAppend(storage, "a".repeat(900))
      const waiting = yield* Effect.forkChild(tagOf(storage.append(ledger(0), new Uint8Array(900))), {
        startImmediately: true
      })
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      assert.strictEqual(yield* Fiber.join(waiting), "Closed")
      assert.isUndefined(closing.pollUnsafe(), "it waits for what is in flight")
      yield* gate.open
      yield* Fiber.join(closing)
      assert.strictEqual<unknown>(yield* Fiber.join(inside), 0n)
      assert.strictEqual(groups.length, 2)
    })
  )

  it.effect("wakes no follower before the append has been acknowledged", () =>
    Effect.gen(function* () {
      const { fail, storage } = yield* watched()
      yield* storage.createLedger()
      let seen = 0
      const tail = yield* Effect.forkChild(
        Stream.runForEach(storage.tail(ledger(0)), () => Effect.sync(() => (seen += 1))),
        { startImmediately: true }
      )
      fail("sync", "error")
      yield* tagOf(storage.append(ledger(0), bytes("a")))
      for (let turn = 0; turn < 5; turn += 1) yield* Effect.yieldNow
      assert.strictEqual(seen, 0)
      yield* Fiber.interrupt(tail)
      fail("sync", undefined)
    })
  )
})
