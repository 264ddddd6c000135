/**
 * Transactions at once: each sees what came before it, all share writes, and
 * what is acknowledged is on disk.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Scope } from "effect"
import { NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { Transactions, type View } from "../src/internal/Transactions.ts"
import { Numbers } from "../src/internal/Numbers.ts"
import { begun, bytes, FailingEngine, keysOf, Probe, tagOf, temporaryDirectory, until } from "./support.ts"

/** A watched database, and a writer of it. */
const opened = Effect.gen(function* () {
  const path = yield* temporaryDirectory
  const probe = new Probe()
  const scope = yield* Scope.make()
  const database = yield* probe.open({ path }).pipe(Scope.provide(scope), Effect.provide(NativeEngine.layer))
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  return { path, probe, database, transactions: new Transactions(database) }
})

const numberAt = (view: View, key: string): number => {
  const value = view.get(bytes(key))
  return value === undefined ? 0 : Number(new TextDecoder().decode(value))
}

const increment = (view: View): number => {
  const next = numberAt(view, "counter") + 1
  view.put(bytes("counter"), bytes(String(next)))
  return next
}

const stored = (database: RocksDB.RocksDB["Service"], key: string) =>
  Effect.map(database.get(bytes(key)), (value) => value && new TextDecoder().decode(value))

const sum = (view: View) => {
  view.getMany([bytes("counter"), bytes("removed")])
  return numberAt(view, "counter") + numberAt(view, "removed")
}

describe("transactions at once", () => {
  it.effect("lose nothing of each other, and share reads and writes", () =>
    Effect.gen(function* () {
      const { database, probe, transactions } = yield* opened
      const values = yield* Effect.forEach(Array.from({ length: 500 }), () => transactions.run("add", increment), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        values,
        Array.from({ length: 500 }, (_, at) => at + 1)
      )
      assert.strictEqual(yield* stored(database, "counter"), "500")
      assert.isAtMost(begun(probe, "write"), 5)
      assert.isAtMost(begun(probe, "getMany"), 5)
    }).pipe(Effect.scoped)
  )

  it.effect("see what is not written yet, and wait for it before they answer", () =>
    Effect.gen(function* () {
      const { probe, transactions } = yield* opened
      const release = probe.hold("write")
      const first = yield* Effect.forkChild(transactions.run("put", (view) => view.put(bytes("k"), bytes("v"))))
      yield* probe.until("begin write")
      let seen: Uint8Array | undefined
      const second = yield* Effect.forkChild(transactions.run("get", (view) => (seen = view.get(bytes("k")))))
      const third = yield* Effect.forkChild(transactions.run("nothing", () => "done"))
      assert.strictEqual(yield* Fiber.join(third), "done")
      assert.deepStrictEqual(seen, bytes("v"))
      assert.isUndefined(second.pollUnsafe())
      release()
      yield* Fiber.join(first)
      yield* Fiber.join(second)
    }).pipe(Effect.scoped)
  )

  it.effect("see what was written while their own reads were under way", () =>
    Effect.gen(function* () {
      const { probe, transactions } = yield* opened
      yield* transactions.run("put", (view) => view.put(bytes("removed"), bytes("1")))
      const release = probe.hold("getMany")
      const reading = yield* Effect.forkChild(transactions.run("sum", sum))
      yield* probe.until("begin getMany")
      yield* transactions.run("put", (view) => view.put(bytes("counter"), bytes("5")))
      yield* transactions.run("clear", (view) => view.removeRange({ gte: bytes("r"), lt: bytes("s") }))
      release()
      assert.strictEqual(yield* Fiber.join(reading), 5)
    }).pipe(Effect.scoped)
  )

  it.effect("see the latest of several writes of a key of which only the first is written", () =>
    Effect.gen(function* () {
      const engine = new FailingEngine()
      const database = yield* RocksDB.make({ path: yield* temporaryDirectory }).pipe(Effect.provide(engine.layer))
      const transactions = new Transactions(database)
      const put = (value: string) => transactions.run("put", (view) => view.put(bytes("counter"), bytes(value)))
      const release = engine.hold(([operation]) => operation?.type === "put" && operation.value[0] === bytes("2")[0])
      const first = yield* Effect.forkChild(put("1"))
      yield* Effect.yieldNow
      while (engine.writes.length === 0) yield* Effect.yieldNow
      const second = yield* Effect.forkChild(put("2"))
      yield* Fiber.join(first)
      yield* until(() => engine.held === 1)
      let seen: number | undefined
      const reading = yield* Effect.forkChild(transactions.run("get", (view) => (seen = numberAt(view, "counter"))))
      yield* until(() => seen !== undefined)
      release()
      assert.strictEqual(yield* Fiber.join(reading), 2)
      yield* Fiber.join(second)
    }).pipe(Effect.scoped)
  )

  const Step = Schema.Struct({
    kind: Schema.Literals(["increment", "put", "remove", "removeRange", "sum"]),
    key: Schema.Literals(["a", "b", "c"]),
    before: Schema.Literals(["nothing", "yield", "written"])
  })

  it.effect.prop("each see what the ones before it did, in one order of all", [Schema.Array(Step)], ([steps]) =>
    Effect.gen(function* () {
      const { database, transactions } = yield* opened
      const model = new Map<string, number>()
      const running: Array<Fiber.Fiber<void, unknown>> = []
      for (const { before, key, kind } of steps) {
        if (before === "yield") yield* Effect.yieldNow
        if (before === "written") yield* Effect.forEach(running, Fiber.await)
        const step = transactions.run(kind, (view) => {
          const all = view.getMany(["a", "b", "c"].map(bytes)).map((value) => value && Buffer.from(value).toString())
          const expected = ["a", "b", "c"].map((name) => model.get(name)).map((value) => value?.toString())
          assert.deepStrictEqual(all, expected)
          switch (kind) {
            case "increment":
              model.set(key, (model.get(key) ?? 0) + 1)
              return view.put(bytes(key), bytes(String(numberAt(view, key) + 1)))
            case "put":
              model.set(key, 7)
              return view.put(bytes(key), bytes("7"))
            case "remove":
              model.delete(key)
              return view.remove(bytes(key))
            case "removeRange":
              model.delete("a")
              model.delete("b")
              return view.removeRange({ gte: bytes("a"), lt: bytes("c") })
            case "sum":
              return
          }
        })
        running.push(yield* Effect.forkChild(step))
      }
      yield* Effect.forEach(running, Fiber.join)
      for (const key of ["a", "b", "c"]) assert.strictEqual(yield* stored(database, key), model.get(key)?.toString())
    }).pipe(Effect.scoped)
  )

  it.effect("wait in their callers, and have not run, while much waits to be written", () =>
    Effect.gen(function* () {
      const { database, probe, transactions } = yield* opened
      const release = probe.hold("write")
      const value = new Uint8Array(4 * 1024 * 1024)
      let ran = 0
      const writers = yield* Effect.forEach(Array.from({ length: 40 }).keys(), (at) =>
        Effect.forkChild(
          transactions.run("put", (view) => {
            ran += 1
            view.put(bytes(`k${at}`), value)
          })
        )
      )
      yield* probe.until("begin write")
      assert.strictEqual(ran, 16)
      release()
      yield* Effect.forEach(writers, Fiber.join)
      assert.strictEqual((yield* keysOf(database)).length, 40)
    }).pipe(Effect.scoped)
  )
})

describe("a batch that fails", () => {
  it.effect("fails those that came after it, leaves nothing of them, and keeps nobody from going on", () =>
    Effect.gen(function* () {
      const engine = new FailingEngine()
      const database = yield* RocksDB.make({ path: yield* temporaryDirectory }).pipe(Effect.provide(engine.layer))
      const transactions = new Transactions(database)
      yield* transactions.run("add", increment)
      let told = 0
      transactions.onRollback(() => (told += 1))
      const release = engine.hold(() => true)
      // Twice: a database tries a write anew that the operating system has refused once.
      engine.refuse(2, "IO error: While pwrite: Input/output error")
      const first = yield* Effect.forkChild(transactions.run("add", increment))
      yield* until(() => engine.held === 1)
      const second = yield* Effect.forkChild(transactions.run("add", increment))
      const other = yield* Effect.forkChild(transactions.run("put", (view) => view.put(bytes("k"), bytes("v"))))
      yield* Effect.yieldNow
      release()
      assert.strictEqual(yield* tagOf(Fiber.join(first)), "IOError")
      assert.strictEqual(yield* tagOf(Fiber.join(second)), "IOError")
      assert.strictEqual(yield* tagOf(Fiber.join(other)), "IOError")
      assert.strictEqual(told, 1)
      assert.deepStrictEqual(yield* keysOf(database), ["counter"])
      assert.strictEqual(yield* transactions.run("add", increment), 2)
    }).pipe(Effect.scoped)
  )

  it.effect("makes the reads anew that were under way", () =>
    Effect.gen(function* () {
      const { database, probe, transactions } = yield* opened
      const release = probe.hold("getMany")
      const reading = yield* Effect.forkChild(transactions.run("get", (view) => numberAt(view, "counter")))
      yield* probe.until("begin getMany")
      // It is on disk all the same, as after a sync that has failed.
      probe.fail("write", "IO error: While fdatasync")
      const put = transactions.run("put", (view) => view.put(bytes("counter"), bytes("5")))
      assert.strictEqual(yield* tagOf(put), "IOError")
      release()
      assert.strictEqual(yield* Fiber.join(reading), 5)
      assert.strictEqual(yield* stored(database, "counter"), "5")
    }).pipe(Effect.scoped)
  )

  it.effect("is none that one refused transaction makes of others", () =>
    Effect.gen(function* () {
      const { database, transactions } = yield* opened
      const long = new Uint8Array(8 * 1024 * 1024 + 1)
      const good = yield* Effect.forkChild(transactions.run("put", (view) => view.put(bytes("k"), bytes("v"))))
      assert.strictEqual(yield* tagOf(transactions.run("put", (view) => view.put(long, bytes("v")))), "InvalidArgument")
      assert.strictEqual(yield* tagOf(transactions.run("get", (view) => void view.get(long))), "InvalidArgument")
      yield* Fiber.join(good)
      assert.strictEqual(yield* stored(database, "k"), "v")
    }).pipe(Effect.scoped)
  )

  it.effect("by a body that throws, is a defect of its caller alone", () =>
    Effect.gen(function* () {
      const { database, transactions } = yield* opened
      const exit = yield* Effect.exit(
        transactions.run("put", (view) => {
          view.put(bytes("k"), bytes("v"))
          throw new TypeError("a bug")
        })
      )
      assert.deepStrictEqual(exit, Exit.die(new TypeError("a bug")))
      assert.deepStrictEqual(yield* keysOf(database), [])
    }).pipe(Effect.scoped)
  )
})

describe("an interrupted caller", () => {
  it.effect("leaves, and its write is made all the same", () =>
    Effect.gen(function* () {
      const { database, probe, transactions } = yield* opened
      const release = probe.hold("write")
      const writer = yield* Effect.forkChild(transactions.run("put", (view) => view.put(bytes("k"), bytes("v"))))
      yield* probe.until("begin write")
      yield* Fiber.interrupt(writer)
      release()
      yield* transactions.settled
      assert.strictEqual(yield* stored(database, "k"), "v")
    }).pipe(Effect.scoped)
  )
})

describe("on close", () => {
  it.effect("what is under way is waited for, and what comes later is refused", () =>
    Effect.gen(function* () {
      const { database, probe, transactions } = yield* opened
      const release = probe.hold("getMany")
      const adding = yield* Effect.forkChild(transactions.run("add", increment))
      yield* probe.until("begin getMany")
      const closing = yield* Effect.forkChild(transactions.close)
      yield* Effect.yieldNow
      assert.strictEqual(yield* tagOf(transactions.run("add", increment)), "Closed")
      assert.isUndefined(closing.pollUnsafe())
      release()
      assert.strictEqual(yield* Fiber.join(adding), 1)
      yield* Fiber.join(closing)
      assert.strictEqual(yield* stored(database, "counter"), "1")
    }).pipe(Effect.scoped)
  )
})

describe("numbers", () => {
  it.effect("go up, and are not given again after a restart that saved nothing else", () =>
    Effect.gen(function* () {
      const { database, transactions } = yield* opened
      const key = bytes("numbers")
      const take = (numbers: Numbers) => transactions.run("take", (view) => numbers.take(view))
      const numbers = new Numbers(key, undefined)
      assert.deepStrictEqual([yield* take(numbers), yield* take(numbers), yield* take(numbers)], [1, 2, 3])
      const next = yield* take(new Numbers(key, yield* database.get(key)))
      assert.isAbove(next, 3)
      assert.isAbove(yield* take(new Numbers(key, yield* database.get(key))), next)
    }).pipe(Effect.scoped)
  )
})
