/**
 * Records of callers' own: they change with the index, in one atomic write, or
 * not at all, whatever becomes of that write.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "../src/index.ts"
import {
  entry,
  everything,
  FailingEngine,
  type Index,
  isCommit,
  layer,
  range,
  reasonOf,
  start,
  tagOf,
  temporaryDirectory,
  using
} from "./support.ts"

const key = (...bytes: ReadonlyArray<number>): Uint8Array => Uint8Array.of(0x0a, ...bytes)

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const scan = (index: Index, options?: Parameters<Index["records"]["scan"]>[0]) =>
  Effect.map(Stream.runCollect(index.records.scan(options)), (records) =>
    records.map(({ key, value }) => [Array.from(key), new TextDecoder().decode(value)])
  )

const withIndex = (
  body: (
    index: Index,
    engine: FailingEngine,
    path: string,
    syncs: ReadonlyArray<boolean>
  ) => Effect.Effect<void, unknown>,
  options?: EntryLocationIndex.Options
) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    const syncs: Array<boolean> = []
    const engine = new FailingEngine((sync) => syncs.push(sync))
    yield* EntryLocationIndex.EntryLocationIndex.use((index) => body(index, engine, path, syncs)).pipe(
      Effect.provide(layer(path, options, engine.layer))
    )
  }).pipe(Effect.scoped)

describe("a batch", () => {
  it.effect("writes records, adds and deletes in one write, and a reopened index has all of them", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const engine = new FailingEngine()
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          yield* index.addLocations(range(1n, 0, 300))
          const before = engine.writes.length
          const batch = yield* index.makeBatch
          batch.add(LedgerId.make(2n), EntryId.make(0n), Location.make(7n))
          batch.deleteLedger(LedgerId.make(1n))
          batch.add(LedgerId.make(1n), EntryId.make(5n), Location.make(9n))
          batch.put(key(1), text("mark"))
          batch.put(key(2), text("catalog"))
          assert.strictEqual(batch.size, 5)
          yield* batch.commit
          assert.strictEqual(batch.size, 0)
          assert.strictEqual(engine.writes.length, before + 1)
        })
      ).pipe(Effect.provide(layer(path, undefined, engine.layer)))
      yield* using(path, (index) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* everything(index), [entry(1n, 5n, 9n), entry(2n, 0n, 7n)])
          assert.deepStrictEqual(yield* scan(index), [
            [[10, 1], "mark"],
            [[10, 2], "catalog"]
          ])
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("applies what is done to a record in its order, and keeps copies of what it is given", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        const value = text("one")
        batch.put(key(1), value)
        value.fill(0)
        batch.put(key(2), text("gone"))
        batch.put(key(3), text("old"))
        yield* batch.commit
        batch.remove(key(2))
        batch.put(key(5), text("in the range"))
        batch.removeRange({ gte: key(3), lt: key(9) })
        batch.put(key(4), text("after it"))
        batch.removeRange({ gte: key(9), lt: key(3) })
        yield* batch.commit
        assert.deepStrictEqual(yield* scan(index), [
          [[10, 1], "one"],
          [[10, 4], "after it"]
        ])
        assert.deepStrictEqual(yield* index.records.get(key(1)), text("one"))
        assert.isUndefined(yield* index.records.get(key(2)))
        assert.deepStrictEqual(yield* scan(index, { gte: key(2) }), [[[10, 4], "after it"]])
        assert.deepStrictEqual(yield* scan(index, { gte: Uint8Array.of(0), lte: key(1) }), [[[10, 1], "one"]])
      })
    )
  )

  it.effect("of records alone is written, and one of nothing is not", () =>
    withIndex((index, engine) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        yield* batch.commit
        assert.lengthOf(engine.writes, 0)
        batch.put(key(1), text("alone"))
        yield* batch.commit
        assert.lengthOf(engine.writes, 1)
        assert.deepStrictEqual(yield* scan(index), [[[10, 1], "alone"]])
        assert.strictEqual(yield* index.entryCount, 0n)
      })
    )
  )

  it.effect("is synced or not as its commit says, and with whom it shares the write", () =>
    withIndex((index, _, __, syncs) =>
      Effect.gen(function* () {
        const [batch, other] = [yield* index.makeBatch, yield* index.makeBatch]
        const mark = () => batch.put(key(1), text("mark"))
        mark()
        yield* batch.commit
        mark()
        yield* batch.commitWith({ durability: "buffered" })
        mark()
        yield* batch.commitWith({ durability: "sync" })
        assert.deepStrictEqual(syncs, [true, false, true])
        mark()
        other.put(key(2), text("other"))
        yield* Effect.all([batch.commitWith({ durability: "buffered" }), other.commit], { concurrency: 2 })
        assert.strictEqual(syncs.at(-1), true)
        yield* index.sync
      })
    )
  )

  it.effect.each<readonly [what: string, fill: (batch: EntryLocationIndex.Batch) => void, words: string]>([
    ["a key of the index", (batch) => batch.put(Uint8Array.of(3), text("")), "a byte from 10 on, not 3"],
    ["an empty key", (batch) => batch.remove(new Uint8Array()), "not be empty"],
    ["a range of the index", (batch) => batch.removeRange({ gte: Uint8Array.of(0), lt: key() }), "not 0"],
    // @ts-expect-error a value is bytes
    ["a value that is no bytes", (batch) => batch.put(key(), "text"), "must be a Uint8Array"]
  ])("with %s is refused by its commit, with all that is in it", ([, fill, words]) =>
    withIndex((index, engine) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        batch.put(key(1), text("fine"))
        fill(batch)
        const reason = yield* reasonOf(batch.commit)
        assert.strictEqual(reason._tag, "InvalidArgument")
        assert.include(reason.message, words)
        assert.lengthOf(engine.writes, 0)
      })
    )
  )

  it.effect("removes a range that takes up too much in parts alone", () =>
    withIndex((index) =>
      Effect.gen(function* () {
        const batch = yield* index.makeBatch
        for (let nth = 0; nth < 20; nth++) batch.put(key(nth), new Uint8Array(1024 * 1024))
        yield* batch.commit
        const all = yield* index.makeBatch
        all.removeRange({ gte: key(0), lt: key(20) })
        assert.include((yield* reasonOf(all.commit)).message, "Remove it in parts")
        batch.removeRange({ gte: key(0), lt: key(10) })
        yield* batch.commit
        batch.removeRange({ gte: key(10), lt: key(20) })
        yield* batch.commit
        assert.deepStrictEqual(yield* scan(index), [])
      })
    )
  )

  it.effect("answers Closed once the index is, as records do", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const { batch, index } = yield* using(path, (index) => Effect.map(index.makeBatch, (batch) => ({ batch, index })))
      batch.put(key(1), text("late"))
      assert.strictEqual(yield* tagOf(batch.commit), "Closed")
      assert.strictEqual(yield* tagOf(index.records.get(key(1))), "Closed")
      assert.strictEqual(yield* tagOf(Stream.runDrain(index.records.scan())), "Closed")
      assert.strictEqual(yield* tagOf(index.sync), "Closed")
      assert.strictEqual(yield* tagOf(index.moveLocations([])), "Closed")
    }).pipe(Effect.scoped)
  )
})

/** A commit of some of a few records, some entries and a mark, and what becomes of it. */
const Commit = Schema.Struct({
  operations: Schema.Array(
    Schema.Union([
      Schema.TaggedStruct("put", { at: Schema.Literals([0, 1, 2, 3, 4]) }),
      Schema.TaggedStruct("remove", { at: Schema.Literals([0, 1, 2, 3, 4]) }),
      Schema.TaggedStruct("removeRange", { at: Schema.Literals([0, 1, 2, 3, 4]), to: Schema.Literals([1, 3, 5]) })
    ])
  ).check(Schema.isMaxLength(6)),
  entries: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 })),
  deletes: Schema.Boolean,
  fate: Schema.Literals(["done", "done", "refused", "done but failed", "done but failed, and its traces stay"]),
  isReopened: Schema.Boolean
})

type Commit = typeof Commit.Type

class Model {
  readonly records = new Map<number, string>()
  entries = 0

  apply({ deletes, entries, operations }: Commit, nth: number): void {
    for (const operation of operations) {
      if (operation._tag === "put") this.records.set(operation.at, `${nth}`)
      if (operation._tag === "remove") this.records.delete(operation.at)
      if (operation._tag !== "removeRange") continue
      for (let at = operation.at; at < operation.to; at++) this.records.delete(at)
    }
    this.entries = (deletes ? 0 : this.entries) + entries
    this.records.set(9, `${nth}`)
  }
}

const gather = (
  batch: EntryLocationIndex.Batch,
  { deletes, entries, operations }: Commit,
  nth: number,
  from: number
) => {
  for (const operation of operations) {
    if (operation._tag === "put") batch.put(key(operation.at), text(`${nth}`))
    if (operation._tag === "remove") batch.remove(key(operation.at))
    if (operation._tag === "removeRange") batch.removeRange({ gte: key(operation.at), lt: key(operation.to) })
  }
  if (deletes) batch.deleteLedger(LedgerId.make(1n))
  for (const one of range(1n, deletes ? 0 : from, (deletes ? 0 : from) + entries)) {
    batch.add(one.ledgerId, one.entryId, one.location)
  }
  batch.put(key(9), text(`${nth}`))
}

const assertEqual = (index: Index, model: Model) =>
  Effect.gen(function* () {
    assert.deepStrictEqual(
      yield* scan(index),
      [...model.records].toSorted(([left], [right]) => left - right).map(([at, value]) => [[10, at], value])
    )
    assert.deepStrictEqual(yield* everything(index), range(1n, 0, model.entries))
    assert.strictEqual(yield* index.entryCount, BigInt(model.entries))
  })

const history = Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>, options: EntryLocationIndex.Options) {
  const path = yield* temporaryDirectory
  const model = new Model()
  const pending = [...commits.entries()]
  const engine = new FailingEngine()
  while (pending.length > 0) {
    yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
      Effect.gen(function* () {
        yield* assertEqual(index, model)
        for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
          const [nth, commit] = next
          const staysBehind = commit.fate === "done but failed, and its traces stay"
          if (commit.fate !== "done") {
            let isFirst = true
            engine.refuse(staysBehind ? 2 : 1, "IO error: it broke", {
              isMeant: (operations) => isCommit(operations) || operations.some(({ type }) => type !== "removeRange"),
              isDone: () => commit.fate !== "refused" && isFirst && !(isFirst = false)
            })
          }
          const batch = yield* index.makeBatch
          gather(batch, commit, nth, model.entries)
          const exit = yield* Effect.exit(batch.commit)
          engine.accept()
          if (Exit.isSuccess(exit)) model.apply(commit, nth)
          // What has stayed goes with the next commit.
          if (staysBehind) {
            yield* index.addLocations([entry(9n, 0n, 0n)])
            yield* index.deleteLedger(LedgerId.make(9n))
          }
          yield* assertEqual(index, model)
          if (commit.isReopened) break
        }
      })
    ).pipe(Effect.provide(layer(path, options, engine.layer)))
  }
  yield* using(path, (index) => assertEqual(index, model))
}, Effect.scoped)

describe("random commits of records and entries, of which some fail,", () => {
  for (const memtableSize of ["128 MiB", 0] as const) {
    it.effect.prop(
      `leave both as the others left them, with memtables of ${memtableSize}`,
      { commits: Schema.Array(Commit).check(Schema.isMaxLength(10)) },
      ({ commits }) => history(commits, { durability: "buffered", memtableSize }),
      { arbitrary: { runs: 40 } }
    )
  }
})

describe("a process that is killed", () => {
  it.effect.each([134_217_728, 20_000, 0])(
    "leaves a mark that is of the same commit as the entries, with memtables of %i",
    (memtableSize) =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        let acknowledged = 0
        for (const [lines, millis] of [
          [1, 0],
          [50, 3],
          [20, 1]
        ] as const) {
          const child = yield* start("marks", path, String(memtableSize))
          yield* child.lines(lines)
          yield* TestClock.withLive(Effect.sleep(millis))
          yield* child.kill
          assert.isNull(yield* child.ended)
          acknowledged = Math.max(acknowledged, Number(child.printed().at(-1)))
          const mark = yield* using(path, (index) =>
            Effect.gen(function* () {
              const mark = Number(new TextDecoder().decode(yield* index.records.get(key(0))))
              assert.deepStrictEqual(yield* everything(index), range(1n, 0, mark * 10))
              return mark
            })
          )
          assert.isAtLeast(mark, acknowledged)
        }
      }).pipe(Effect.scoped)
  )
})
