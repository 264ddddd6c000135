/**
 * Random histories against a plain model in memory: after every step the index
 * has the same entries, by every way to ask for them, and counts them exactly.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { EntryId, EntryLocationIndex, LedgerId, type Location } from "../src/index.ts"
import { entry, everything, id, type Index, layer, maxId, temporaryDirectory } from "./support.ts"

const ledgerIds = [0n, 1n, 2n, 255n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, maxId - 1n, maxId]

/** Both ends of the range, the borders of pages, and where numbers and bigints part. */
const entryIds = [
  [0n, 1n, 2n, 3n, 254n, 255n, 256n, 257n, 511n, 512n, 1_000n],
  [2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 255n, 2n ** 32n + 256n],
  [2n ** 53n - 257n, 2n ** 53n - 256n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 53n + 256n],
  [2n ** 61n - 1n, 2n ** 61n, 2n ** 62n + 256n, 2n ** 62n + 512n, maxId - 256n, maxId - 255n, maxId - 1n, maxId]
].flat()

const Entry = Schema.Struct({
  ledgerId: Schema.Literals(ledgerIds),
  entryId: Schema.Literals(entryIds),
  location: Schema.Literals([0n, 1n, 1028n, 2n ** 32n + 1028n, 2n ** 32n + 2_000n, 2n ** 53n + 1n, maxId])
})

const Entries = Schema.Array(Entry).check(Schema.isMaxLength(12))

const Ledgers = Schema.Array(Schema.Literals(ledgerIds)).check(Schema.isMaxLength(3))

const Step = Schema.Union([
  Schema.TaggedStruct("add", { entries: Entries }),
  Schema.TaggedStruct("addOne", { entry: Entry }),
  Schema.TaggedStruct("addRun", {
    ledgerId: Schema.Literals(ledgerIds),
    from: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 600 })),
    count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 300 }))
  }),
  Schema.TaggedStruct("update", { entries: Entries }),
  Schema.TaggedStruct("batch", { entries: Entries }),
  Schema.TaggedStruct("atOnce", { entries: Entries, ledgers: Ledgers }),
  Schema.TaggedStruct("delete", { ledgers: Ledgers }),
  Schema.TaggedStruct("scan", {
    ledgerId: Schema.Literals(ledgerIds),
    from: Schema.Literals(entryIds),
    to: Schema.Literals(entryIds)
  }),
  Schema.TaggedStruct("compact", {}),
  Schema.TaggedStruct("reopen", {})
])

type Step = typeof Step.Type
type Entry = typeof Entry.Type

class Model {
  readonly ledgers = new Map<bigint, Map<bigint, bigint>>()

  add(entries: ReadonlyArray<Entry>): void {
    for (const { entryId, ledgerId, location } of entries) {
      const ledger = this.ledgers.get(ledgerId) ?? new Map<bigint, bigint>()
      ledger.set(entryId, location)
      this.ledgers.set(ledgerId, ledger)
    }
  }

  delete(ledgers: ReadonlyArray<bigint>): void {
    for (const ledgerId of ledgers) this.ledgers.delete(ledgerId)
  }

  get(ledgerId: bigint, entryId: bigint): bigint | undefined {
    return this.ledgers.get(ledgerId)?.get(entryId)
  }

  last(ledgerId: bigint): bigint | undefined {
    return ascending(this.ledgers.get(ledgerId)?.keys() ?? []).at(-1)
  }

  scan(ledgerId: bigint, from: bigint, to: bigint): ReadonlyArray<Entry> {
    const ledger = this.ledgers.get(ledgerId) ?? new Map<bigint, bigint>()
    return ascending(ledger.keys())
      .filter((entryId) => entryId >= from && entryId <= to)
      .map((entryId) => ({ ledgerId, entryId, location: ledger.get(entryId) ?? -1n }))
  }

  get everything(): ReadonlyArray<Entry> {
    return ascending(this.ledgers.keys()).flatMap((ledgerId) => this.scan(ledgerId, 0n, maxId))
  }
}

const ascending = (ids: Iterable<bigint>): ReadonlyArray<bigint> =>
  [...ids].toSorted((left, right) => (left < right ? -1 : left > right ? 1 : 0))

const branded = ({ entryId, ledgerId, location }: Entry) => entry(ledgerId, entryId, location)

const run = (index: Index, model: Model, step: Step) =>
  Effect.gen(function* () {
    switch (step._tag) {
      case "add":
        yield* index.addLocations(step.entries.map(branded))
        return model.add(step.entries)
      case "addOne": {
        const { entryId, ledgerId, location } = branded(step.entry)
        yield* index.addLocation(ledgerId, entryId, location)
        return model.add([step.entry])
      }
      case "addRun": {
        const entries = Array.from({ length: step.count }, (_, at) => ({
          ledgerId: step.ledgerId,
          entryId: BigInt(step.from + at),
          location: BigInt(1024 + (step.from + at) * 1000)
        }))
        yield* index.addLocations(entries.map(branded))
        return model.add(entries as ReadonlyArray<Entry>)
      }
      case "update":
        yield* index.updateLocations(step.entries.map(branded))
        return model.add(step.entries)
      case "batch": {
        const batch = yield* index.makeBatch
        for (const { entryId, ledgerId, location } of step.entries.map(branded)) batch.add(ledgerId, entryId, location)
        yield* batch.commit
        return model.add(step.entries)
      }
      case "atOnce":
        // They are committed in the order in which they were asked for.
        yield* Effect.all(
          [
            index.addLocations(step.entries.slice(0, 6).map(branded)),
            index.deleteLedgers(step.ledgers.map(LedgerId.make)),
            index.addLocations(step.entries.slice(6).map(branded))
          ],
          { concurrency: "unbounded" }
        )
        model.add(step.entries.slice(0, 6))
        model.delete(step.ledgers)
        return model.add(step.entries.slice(6))
      case "delete":
        yield* step.ledgers.length === 1
          ? index.deleteLedger(LedgerId.make(step.ledgers[0] ?? 0n))
          : index.deleteLedgers(step.ledgers.map(LedgerId.make))
        return model.delete(step.ledgers)
      case "scan": {
        const { ledgerId } = step
        const [from, to] = [EntryId.make(step.from), EntryId.make(step.to)]
        assert.deepStrictEqual(
          (yield* Stream.runCollect(index.entries(LedgerId.make(ledgerId), { from, to }))) as ReadonlyArray<Entry>,
          model.scan(ledgerId, from, to)
        )
        const columns = yield* Stream.runCollect(index.entryColumns(LedgerId.make(ledgerId), { from, to }))
        assert.deepStrictEqual(
          columns.flatMap(({ entryIds, locations }) =>
            Array.from(entryIds, (entryId, at) => ({ ledgerId, entryId, location: locations[at] }))
          ) as ReadonlyArray<Entry>,
          model.scan(ledgerId, from, to)
        )
        return undefined
      }
      case "compact":
        return yield* index.compact
      case "reopen":
        return undefined
    }
  })

const assertEqual = (index: Index, model: Model) =>
  Effect.gen(function* () {
    const expected = model.everything
    assert.strictEqual(yield* index.entryCount, BigInt(expected.length))
    assert.deepStrictEqual((yield* everything(index)) as ReadonlyArray<Entry>, expected)
    for (const ledgerId of ledgerIds) {
      assert.strictEqual(
        yield* index.getLastEntryInLedger(LedgerId.make(ledgerId)),
        model.last(ledgerId) as EntryId.EntryId
      )
    }
    const ids = ledgerIds.flatMap((ledgerId) => entryIds.map((entryId) => id(ledgerId, entryId)))
    const locations = ids.map(({ entryId, ledgerId }) => model.get(ledgerId, entryId)) as ReadonlyArray<
      Location.Location | undefined
    >
    assert.deepStrictEqual(yield* index.getLocations(ids), locations)
    for (const [at, { entryId, ledgerId }] of ids.entries()) {
      if (at % 5 === expected.length % 5) {
        assert.strictEqual(yield* index.getLocation(ledgerId, entryId), locations[at])
      }
    }
  })

/** Opens the index, and another one at each `reopen`. */
const history = (path: string, steps: ReadonlyArray<Step>, options: EntryLocationIndex.Options) =>
  Effect.gen(function* () {
    const model = new Model()
    const pending = [...steps]
    while (true) {
      const at = pending.findIndex(({ _tag }) => _tag === "reopen")
      const session = pending.splice(0, at === -1 ? pending.length : at + 1)
      yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
        Effect.gen(function* () {
          yield* assertEqual(index, model)
          for (const step of session) {
            yield* run(index, model, step)
            yield* assertEqual(index, model)
          }
        })
      ).pipe(Effect.provide(layer(path, options)))
      if (at === -1) return
    }
  })

describe("random histories", () => {
  // With memtables of 0 there is a checkpoint after each commit, with 2 kB after some; they run beside what follows.
  for (const [pageCacheSize, memtableSize] of [
    [0, "128 MiB"],
    [3_000, "128 MiB"],
    ["64 MiB", "128 MiB"],
    [0, 0],
    ["64 MiB", 0],
    [3_000, 2_000],
    ["64 MiB", 2_000]
  ] as const) {
    it.effect.prop(
      `leave the index as they leave a model, with a page cache of ${pageCacheSize} and memtables of ${memtableSize}`,
      { steps: Schema.Array(Step).check(Schema.isMaxLength(14)) },
      ({ steps }) =>
        Effect.scoped(
          Effect.flatMap(temporaryDirectory, (path) =>
            history(path, steps, { durability: "buffered", pageCacheSize, memtableSize })
          )
        ),
      { arbitrary: { runs: 20 } }
    )
  }
})
