/**
 * What shares a write: groups, their frames, and their syncs.
 */
import { assert, describe, it } from "@effect/vitest"
import { type LedgerStorage } from "@effect-bookie/ledger-storage"
import { DateTime, Effect, Fiber, Schema, Stream } from "effect"
import * as EntryFrame from "../src/internal/format/EntryFrame.ts"
import * as LedgerRecord from "../src/internal/format/LedgerRecord.ts"
import { blob, bodiesOf, bytes, ledger, tagOf, text } from "./support.ts"
import { watched } from "./watched.ts"

/** A body as `ledger/entry=text`, or the tag of a record. */
const said = (body: Uint8Array): string => {
  const record = LedgerRecord.decode(body)
  if (!("problem" in record)) return record._tag
  const decoded = EntryFrame.decode(body)
  if ("problem" in decoded) throw new Error(decoded.problem)
  return `${decoded.ledgerId}/${decoded.entryId}=${text(decoded.payload)}`
}

const saidOf = (groups: ReadonlyArray<Uint8Array>): ReadonlyArray<ReadonlyArray<string>> =>
  groups.map((frames) => bodiesOf(frames).map(said))

/** Some turns, after which nobody has anything to write. */
const idle = Effect.replicateEffect(Effect.yieldNow, 5)

describe("groups", () => {
  it.effect("calls at the same time share a write, a sync and a commit", () =>
    Effect.gen(function* () {
      const { calls, groups, storage } = yield* watched()
      const { ledgerId } = yield* storage.createLedger()
      calls.length = 0
      yield* idle
      yield* Effect.forEach(["a", "b", "c"], (value) => storage.append(ledgerId, bytes(value)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(calls, ["append", "sync", "commit"])
      assert.deepStrictEqual(saidOf(groups), [["LedgerCreated"], ["0/0=a", "0/1=b", "0/2=c"]])
    })
  )

  it.effect("calls that come while a group is written share the next one", () =>
    Effect.gen(function* () {
      const { gate, groups, storage } = yield* watched()
      const { ledgerId } = yield* storage.createLedger()
      yield* gate.close
      const append = (value: string) =>
        Effect.forkChild(storage.append(ledgerId, bytes(value)), { startImmediately: true })
      const first = yield* append("a")
      for (let turn = 0; turn < 3; turn += 1) yield* Effect.yieldNow
      const others = yield* Effect.forEach(["b", "c", "d"], append)
      yield* gate.open
      yield* Effect.forEach([first, ...others], Fiber.join)
      assert.deepStrictEqual(saidOf(groups).slice(1), [["0/0=a"], ["0/1=b", "0/2=c", "0/3=d"]])
    })
  )

  it.effect("what happens to ledgers stands between the entries, in the order of the calls", () =>
    Effect.gen(function* () {
      const { groups, storage } = yield* watched()
      yield* storage.createLedger()
      yield* Effect.all(
        [
          storage.append(ledger(0), bytes("a")),
          storage.createLedger({ ledgerId: ledger(7), metadata: bytes("m") }),
          storage.append(ledger(7), bytes("b")),
          storage.fence(ledger(0)),
          storage.append(ledger(7), bytes("c")),
          storage.deleteLedgers([ledger(7), ledger(99), ledger(7)])
        ],
        { concurrency: "unbounded" }
      )
      const [, group] = saidOf(groups)
      assert.deepStrictEqual(group, ["0/0=a", "LedgerCreated", "7/0=b", "LedgerFenced", "7/1=c", "LedgersDeleted"])
      const records = groups.flatMap(bodiesOf).map(LedgerRecord.decode)
      assert.deepInclude(records, { _tag: "LedgersDeleted", ledgerIds: [ledger(7)] })
      assert.deepInclude(records, { _tag: "LedgerFenced", ledgerId: ledger(0) })
    })
  )

  it.effect("the record of a ledger says when it was created and with what", () =>
    Effect.gen(function* () {
      const { groups, storage } = yield* watched()
      const { createdAt, ledgerId } = yield* storage.createLedger({ metadata: blob(1000) })
      assert.deepStrictEqual(groups.flatMap(bodiesOf).map(LedgerRecord.decode), [
        { _tag: "LedgerCreated", ledgerId, createdAt: DateTime.toEpochMillis(createdAt), metadata: blob(1000) }
      ])
    })
  )

  it.effect("a call that is refused leaves no trace in the log, and those behind it move up", () =>
    Effect.gen(function* () {
      const { groups, storage } = yield* watched()
      yield* storage.createLedger()
      yield* storage.createLedger()
      yield* storage.fence(ledger(1))
      const ends = yield* Effect.all(
        [
          tagOf(storage.append(ledger(9), blob(1000))),
          storage.append(ledger(0), bytes("a")),
          tagOf(storage.createLedger({ ledgerId: ledger(1), metadata: blob(500) })),
          tagOf(storage.appendAll(ledger(1), [blob(100), blob(300)])),
          storage.appendAll(ledger(0), [bytes("b"), bytes("c")]),
          storage.fence(ledger(1)),
          storage.deleteLedger(ledger(50)),
          storage.append(ledger(0), bytes("d"))
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([ends[0], ends[2], ends[3]], ["NoLedger", "LedgerExists", "Fenced"])
      assert.deepStrictEqual(saidOf(groups).at(-1), ["0/0=a", "0/1=b", "0/2=c", "0/3=d"])
    })
  )

  it.effect("a group of nothing but refusals writes nothing", () =>
    Effect.gen(function* () {
      const { calls, storage } = yield* watched()
      yield* tagOf(storage.append(ledger(9), bytes("a")))
      yield* storage.deleteLedger(ledger(9))
      assert.deepStrictEqual(calls, [])
    })
  )

  it.effect("what comes after a fence or a delete in one group is refused", () =>
    Effect.gen(function* () {
      const { storage } = yield* watched()
      yield* storage.createLedger()
      yield* storage.createLedger()
      const ends = yield* Effect.all(
        [
          storage.append(ledger(0), bytes("a")),
          storage.fence(ledger(0)),
          tagOf(storage.append(ledger(0), bytes("b"))),
          storage.append(ledger(1), bytes("c")),
          storage.deleteLedger(ledger(1)),
          tagOf(storage.append(ledger(1), bytes("d"))),
          tagOf(storage.fence(ledger(1))),
          tagOf(storage.createLedger({ ledgerId: ledger(1) }))
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual<unknown>(
        [ends[0], ends[2], ends[3], ends[5], ends[6], ends[7]],
        [0n, "Fenced", 0n, "NoLedger", "NoLedger", "LedgerExists"]
      )
      assert.strictEqual(ends[1].entries, 1)
    })
  )

  it.effect("a group of buffered appends is not synced, one with anything else is", () =>
    Effect.gen(function* () {
      const { calls, storage, synced } = yield* watched()
      yield* storage.createLedger()
      const append = (durability: LedgerStorage.Durability) => storage.append(ledger(0), bytes("a"), { durability })
      calls.length = 0
      yield* Effect.all([append("buffered"), append("buffered")], { concurrency: "unbounded" })
      assert.deepStrictEqual(calls, ["append", "commit"])
      calls.length = 0
      yield* Effect.all([append("buffered"), append("sync")], { concurrency: "unbounded" })
      assert.deepStrictEqual(calls, ["append", "sync", "commit"])
      calls.length = 0
      yield* Effect.all([append("buffered"), storage.fence(ledger(0))], { concurrency: "unbounded" })
      assert.deepStrictEqual(calls, ["append", "sync", "commit"])
      assert.deepStrictEqual(synced, [true, false, true, true])
    })
  )

  it.effect("the durability of the storage holds where an append does not say", () =>
    Effect.gen(function* () {
      const { calls, storage } = yield* watched({ durability: "buffered" })
      yield* storage.createLedger()
      assert.deepStrictEqual(calls.splice(0), ["append", "sync", "commit"])
      yield* storage.append(ledger(0), bytes("a"))
      assert.deepStrictEqual(calls.splice(0), ["append", "commit"])
      yield* storage.appendAll(ledger(0), [bytes("a")], { durability: "sync" })
      assert.deepStrictEqual(calls.splice(0), ["append", "sync", "commit"])
    })
  )

  it.effect("a call with much to write is cut into groups, and answered once", () =>
    Effect.gen(function* () {
      const { groups, storage } = yield* watched()
      yield* storage.createLedger()
      const payloads = Array.from({ length: 30 }, (_, seed) => blob(500_000, seed))
      const range = yield* storage.appendAll(ledger(0), payloads)
      assert.deepStrictEqual<unknown>(range, { from: 0n, to: 29n })
      assert.isAbove(groups.length, 2)
      assert.isTrue(groups.every((frames) => frames.length <= 4 * 1024 * 1024))
      const entries = groups.slice(1).flatMap(bodiesOf).map(EntryFrame.decode)
      assert.deepStrictEqual<unknown>(
        entries.map((decoded) => ("problem" in decoded ? decoded.problem : decoded.entryId)),
        payloads.map((_, index) => BigInt(index))
      )
      const many = yield* storage.appendAll(
        ledger(0),
        Array.from({ length: 20_000 }, () => new Uint8Array(0))
      )
      assert.strictEqual(many.to - many.from, 19_999n)
    })
  )

  it.effect("an entry that is larger than a group is a group of its own", () =>
    Effect.gen(function* () {
      const { groups, storage } = yield* watched()
      yield* storage.createLedger()
      const large = blob(5 * 1024 * 1024)
      yield* Effect.all(
        [
          storage.append(ledger(0), bytes("a")),
          storage.append(ledger(0), large),
          storage.append(ledger(0), bytes("b"))
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        groups.slice(1).map((frames) => bodiesOf(frames).length),
        [1, 1, 1]
      )
      const entries = yield* Stream.runCollect(storage.entries(ledger(0)))
      assert.isTrue(Buffer.compare(entries[1]?.payload ?? bytes(""), large) === 0)
    })
  )
})

const Step = Schema.Union([
  Schema.TaggedStruct("create", {}),
  Schema.TaggedStruct("append", { which: Schema.Literals([0, 1, 2, 3]), count: Schema.Literals([1, 1, 2, 5]) }),
  Schema.TaggedStruct("fence", { which: Schema.Literals([0, 1, 2, 3]) }),
  Schema.TaggedStruct("delete", { which: Schema.Literals([0, 1, 2, 3]) })
])

/** What a log says of each ledger, by reading nothing else. */
const replay = (groups: ReadonlyArray<Uint8Array>) => {
  const ledgers = new Map<bigint, { payloads: Array<string>; fenced: boolean }>()
  for (const body of groups.flatMap(bodiesOf)) {
    const record = LedgerRecord.decode(body)
    if ("problem" in record) {
      const decoded = EntryFrame.decode(body)
      if ("problem" in decoded) throw new Error(decoded.problem)
      const found = ledgers.get(decoded.ledgerId)
      assert.isDefined(found)
      assert.isFalse(found.fenced)
      assert.strictEqual(decoded.entryId, BigInt(found.payloads.length))
      found.payloads.push(text(decoded.payload))
      assert.strictEqual(decoded.length, BigInt(found.payloads.join("").length))
    } else if (record._tag === "LedgerCreated") {
      ledgers.set(record.ledgerId, { payloads: [], fenced: false })
    } else if (record._tag === "LedgerFenced") {
      const found = ledgers.get(record.ledgerId)
      assert.isDefined(found)
      found.fenced = true
    } else if (record._tag === "LedgersDeleted") {
      for (const ledgerId of record.ledgerIds) assert.isTrue(ledgers.delete(ledgerId))
    }
  }
  return ledgers
}

describe("the log", () => {
  it.effect.prop(
    "says all that readers are told, and nothing else",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(40)), atOnce: Schema.Literals([1, 3, 40]) },
    ({ atOnce, steps }) =>
      Effect.gen(function* () {
        const { groups, storage } = yield* watched()
        let seed = 0
        const apply = (step: typeof Step.Type): Effect.Effect<unknown> => {
          seed += 1
          switch (step._tag) {
            case "create":
              return Effect.exit(storage.createLedger())
            case "append": {
              const payloads = Array.from({ length: step.count }, (_, index) => bytes(`${seed}:${index};`))
              return Effect.exit(storage.appendAll(ledger(step.which), payloads))
            }
            case "fence":
              return Effect.exit(storage.fence(ledger(step.which)))
            case "delete":
              return Effect.exit(storage.deleteLedger(ledger(step.which)))
          }
        }
        yield* Effect.forEach(steps, apply, { concurrency: atOnce, discard: true })
        const told = yield* Effect.forEach(yield* Stream.runCollect(storage.ledgers), ({ fenced, ledgerId }) =>
          Effect.map(Stream.runCollect(storage.entries(ledgerId)), (entries) => {
            const payloads = entries.map(({ payload }) => text(payload))
            return [ledgerId, { payloads, fenced }] as const
          })
        )
        assert.deepStrictEqual(replay(groups), new Map<bigint, (typeof told)[number][1]>(told))
      }),
    { arbitrary: { runs: 200 } }
  )
})
