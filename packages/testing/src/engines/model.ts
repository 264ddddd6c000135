/**
 * The model that a database is compared with: a sorted map in memory, and
 * random histories of what can be done to both.
 */
import { assert } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import type { Engine, RocksDB, RocksDBError } from "@effect-bookie/rocksdb"

type Database = RocksDB.RocksDB["Service"]

/** A short key of few bytes, so that keys collide, nest and lie at both ends of the order. */
const Key = Schema.Array(Schema.Literals([0, 1, 127, 128, 255])).check(Schema.isMinLength(1), Schema.isMaxLength(3))

const Value = Schema.Array(Schema.Literals([0, 1, 255])).check(Schema.isMaxLength(3))

const Write = Schema.Union([
  Schema.TaggedStruct("put", { key: Key, value: Value }),
  Schema.TaggedStruct("remove", { key: Key }),
  Schema.TaggedStruct("removeRange", { gte: Key, lt: Key })
])

const Range = Schema.Struct({
  gt: Schema.optionalKey(Key),
  gte: Schema.optionalKey(Key),
  lt: Schema.optionalKey(Key),
  lte: Schema.optionalKey(Key)
})

/** One thing to do, to the database and to the model. */
export const Step = Schema.Union([
  Schema.TaggedStruct("write", {
    operations: Schema.Array(Write).check(Schema.isMaxLength(6)),
    durability: Schema.Literals(["sync", "buffered"])
  }),
  Schema.TaggedStruct("getMany", { keys: Schema.Array(Key).check(Schema.isMaxLength(4)) }),
  Schema.TaggedStruct("read", {
    range: Range,
    reverse: Schema.Boolean,
    limit: Schema.Literals([0, 1, 2, 1000])
  }),
  Schema.TaggedStruct("edges", { range: Range }),
  Schema.TaggedStruct("compact", { range: Range }),
  Schema.TaggedStruct("reopen", {})
])

type Step = typeof Step.Type
type Key = typeof Key.Type

/** Does the steps to a database and to the model, and compares after each. */
export const run = (
  steps: ReadonlyArray<Step>,
  use: (
    f: (database: Database) => Effect.Effect<void, RocksDBError.RocksDBError>
  ) => Effect.Effect<void, RocksDBError.RocksDBError, Engine.Engine>
): Effect.Effect<void, RocksDBError.RocksDBError, Engine.Engine> =>
  Effect.gen(function* () {
    const model = new SortedMap()
    for (const session of sessions(steps)) {
      yield* use((database) =>
        Effect.andThen(
          compareAll(database, model),
          Effect.forEach(session, (step) => apply(step, database, model), { discard: true })
        )
      )
    }
    yield* use((database) => compareAll(database, model))
  })

/** The steps between one opening and the next. */
const sessions = (steps: ReadonlyArray<Step>): ReadonlyArray<ReadonlyArray<Step>> => {
  const sessions: Array<Array<Step>> = [[]]
  for (const step of steps) {
    if (step._tag === "reopen") sessions.push([])
    else sessions.at(-1)?.push(step)
  }
  return sessions
}

class SortedMap {
  /** By the key's bytes in hexadecimal, which sort as the bytes do. */
  readonly #values = new Map<string, string>()

  write(operation: typeof Write.Type): void {
    switch (operation._tag) {
      case "put":
        this.#values.set(hex(operation.key), hex(operation.value))
        break
      case "remove":
        this.#values.delete(hex(operation.key))
        break
      case "removeRange":
        for (const key of this.#values.keys()) {
          if (key >= hex(operation.gte) && key < hex(operation.lt)) this.#values.delete(key)
        }
    }
  }

  get(key: Key): string | undefined {
    return this.#values.get(hex(key))
  }

  entries({ gt, gte, lt, lte }: typeof Range.Type): Array<readonly [string, string]> {
    return Array.from(this.#values)
      .filter(
        ([key]) =>
          (gt === undefined || key > hex(gt)) &&
          (gte === undefined || key >= hex(gte)) &&
          (lt === undefined || key < hex(lt)) &&
          (lte === undefined || key <= hex(lte))
      )
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
  }
}

const apply = (step: Step, database: Database, model: SortedMap): Effect.Effect<void, RocksDBError.RocksDBError> =>
  Effect.gen(function* () {
    switch (step._tag) {
      case "write": {
        yield* database.write(step.operations.map(toOperation), { durability: step.durability })
        for (const operation of step.operations) model.write(operation)
        return yield* compareAll(database, model)
      }
      case "getMany": {
        const values = yield* database.getMany(step.keys.map(toBytes))
        return assert.deepStrictEqual(
          values.map((value) => value && hex(value)),
          step.keys.map((key) => model.get(key))
        )
      }
      case "read": {
        const found = yield* Stream.runCollect(
          database.stream(toRange(step.range), { reverse: step.reverse, limit: step.limit })
        )
        const entries = model.entries(step.range)
        const expected = step.reverse ? entries.toReversed() : entries
        return assert.deepStrictEqual(found.map(toHex), expected.slice(0, step.limit))
      }
      case "edges": {
        const range = toRange(step.range)
        const found = [yield* database.first(range), yield* database.last(range)]
        const entries = model.entries(step.range)
        return assert.deepStrictEqual(
          found.map((entry) => entry && toHex(entry)),
          [entries.at(0), entries.at(-1)]
        )
      }
      case "compact":
        return yield* Effect.andThen(database.compact(toRange(step.range)), compareAll(database, model))
      case "reopen":
        return
    }
  })

const compareAll = (database: Database, model: SortedMap): Effect.Effect<void, RocksDBError.RocksDBError> =>
  Effect.map(Stream.runCollect(database.stream()), (found) =>
    assert.deepStrictEqual(found.map(toHex), model.entries({}))
  )

const toOperation = (operation: typeof Write.Type): RocksDB.Operation => {
  switch (operation._tag) {
    case "put":
      return { type: "put", key: toBytes(operation.key), value: toBytes(operation.value) }
    case "remove":
      return { type: "remove", key: toBytes(operation.key) }
    case "removeRange":
      return { type: "removeRange", gte: toBytes(operation.gte), lt: toBytes(operation.lt) }
  }
}

const toRange = (range: typeof Range.Type): RocksDB.Range =>
  Object.fromEntries(Object.entries(range).map(([side, key]) => [side, toBytes(key)]))

const toHex = ({ key, value }: RocksDB.Entry): readonly [string, string] => [hex(key), hex(value)]

const toBytes = (key: ReadonlyArray<number>): Uint8Array => Uint8Array.from(key)

const hex = (bytes: ArrayLike<number>): string => Buffer.from(Array.from(bytes)).toString("hex")
