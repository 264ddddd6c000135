/**
 * Random histories against a model in memory, which knows the format: where
 * each entry must stand, when a log is rolled over, and how large it then is.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { type EntryLog, type LedgerId, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { bytes, entry, tagOf, using } from "./support.ts"

const Id = Schema.Literals([0n, 1n, 255n, 256n, 2n ** 32n, 2n ** 63n - 1n])

const Append = Schema.Struct({
  ledgerId: Id,
  entryId: Id,
  size: Schema.Literals([0, 1, 15, 40, 200, 900, 1004, 1005, 3000])
})

const Step = Schema.Union([
  Schema.TaggedStruct("append", { append: Append }),
  Schema.TaggedStruct("appendAll", { appends: Schema.Array(Append).check(Schema.isMaxLength(12)) }),
  Schema.TaggedStruct("appendAtOnce", { appends: Schema.Array(Append).check(Schema.isMaxLength(12)) }),
  Schema.TaggedStruct("sync", {}),
  Schema.TaggedStruct("read", { index: Schema.Natural }),
  Schema.TaggedStruct("compare", {}),
  Schema.TaggedStruct("reopen", {})
])

type Step = typeof Step.Type
type Append = typeof Append.Type
type Log = EntryLog.EntryLog["Service"]

/** Small enough to be rolled over every few entries, and for some of them to be larger. */
const maxLogSize = 2048

class Model {
  readonly entries: Array<EntryLog.LocatedEntry> = []
  readonly logs: Array<{ id: number; size: number; sealed: boolean; ledgers: Map<LedgerId.LedgerId, number> }> = []
  #continues = false
  #seed = 0

  /** The entry to append, with a payload of its own. */
  next({ entryId, ledgerId, size }: Append): EntryLog.Entry {
    this.#seed += 1
    return entry(ledgerId, entryId, bytes(size, this.#seed))
  }

  append(added: EntryLog.Entry): Location.Location {
    const size = 20 + added.payload.length
    const log = this.#logFor(size)
    const location = Location.fromLog(log.id, log.size + 4)
    log.size += size
    log.ledgers.set(added.ledgerId, (log.ledgers.get(added.ledgerId) ?? 0) + size)
    this.entries.push({ ...added, location })
    return location
  }

  reopen(): void {
    this.#continues = false
  }

  #logFor(size: number) {
    const last = this.logs.at(-1)
    if (last !== undefined && this.#continues) {
      if (last.size + size <= maxLogSize) return last
      last.sealed = true
      last.size += 24 + 16 * last.ledgers.size
    }
    const log = { id: this.logs.length, size: 1024, sealed: false, ledgers: new Map<LedgerId.LedgerId, number>() }
    this.logs.push(log)
    this.#continues = true
    return log
  }
}

describe("random histories", () => {
  it.effect.prop(
    "every entry stands where the format puts it and is read and scanned as it was appended",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(25)) },
    ({ steps }) =>
      Effect.gen(function* () {
        const directory = yield* Fixtures.temporaryDirectory
        const model = new Model()
        for (const session of sessions(steps)) {
          model.reopen()
          yield* using({ directory, maxLogSize }, (log) =>
            Effect.andThen(
              compare(log, model),
              Effect.forEach(session, (step) => apply(step, log, model), { discard: true })
            )
          )
        }
        yield* using({ directory, readOnly: true }, (log) => compare(log, model))
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 200 } }
  )
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

const apply = Effect.fnUntraced(function* (step: Step, log: Log, model: Model) {
  switch (step._tag) {
    case "append": {
      const { entryId, ledgerId, payload } = model.next(step.append)
      const location = yield* log.append(ledgerId, entryId, payload)
      assert.strictEqual(location, model.append({ ledgerId, entryId, payload }))
      return
    }
    case "appendAll": {
      const entries = step.appends.map((append) => model.next(append))
      const locations = yield* log.appendAll(entries)
      assert.deepStrictEqual(
        locations,
        entries.map((added) => model.append(added))
      )
      return
    }
    case "appendAtOnce": {
      const entries = step.appends.map((append) => model.next(append))
      const locations = yield* Effect.forEach(
        entries,
        ({ entryId, ledgerId, payload }) => log.append(ledgerId, entryId, payload),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        locations,
        entries.map((added) => model.append(added))
      )
      return
    }
    case "sync":
      return yield* log.sync
    case "read":
      return yield* readOne(log, model, step.index)
    case "compare":
      return yield* compare(log, model)
  }
})

/** Reads an entry, and asks for others at its place. */
const readOne = Effect.fnUntraced(function* (log: Log, model: Model, index: number) {
  const expected = model.entries[index % model.entries.length]
  if (expected === undefined) return
  const { entryId, ledgerId, location, payload } = expected
  assert.deepStrictEqual(yield* log.read(ledgerId, entryId, location), payload)
  const other = entry(ledgerId ^ 2n, entryId ^ 2n)
  assert.strictEqual(yield* tagOf(log.read(other.ledgerId, entryId, location)), "WrongEntry")
  assert.strictEqual(yield* tagOf(log.read(ledgerId, other.entryId, location)), "WrongEntry")
})

const compare = Effect.fnUntraced(function* (log: Log, model: Model) {
  assert.deepStrictEqual(yield* Stream.runCollect(log.scan()), model.entries)
  assert.deepStrictEqual(yield* log.logs, model.logs)
  for (const { entryId, ledgerId, location, payload } of model.entries) {
    assert.deepStrictEqual(yield* log.read(ledgerId, entryId, location), payload)
  }
})
