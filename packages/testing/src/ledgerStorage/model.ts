/**
 * Random histories against a model of ledgers in plain arrays.
 */
import { assert } from "@effect/vitest"
import { EntryId, type LedgerId, LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Schema, Stream } from "effect"
import { blob, endOf, type It, type Storage, unusedLedgerId } from "./support.ts"

/** Which of the ledgers of the history, those that were deleted included. */
const Which = Schema.Literals([0, 1, 2, 3])
const Size = Schema.Literals([0, 1, 100, 5000, 70_000])
const Index = Schema.Literals([0, 1, 2, 3, 5, 8, 13, 1000])
const Bound = Schema.Union([Index, Schema.Undefined])

const Step = Schema.Union([
  Schema.TaggedStruct("create", { chosen: Schema.Boolean, metadata: Schema.Literals([0, 10]) }),
  Schema.TaggedStruct("createAgain", { which: Which }),
  Schema.TaggedStruct("append", { which: Which, size: Size, buffered: Schema.Boolean }),
  Schema.TaggedStruct("appendAll", { which: Which, sizes: Schema.NonEmptyArray(Size).check(Schema.isMaxLength(5)) }),
  Schema.TaggedStruct("appendAtOnce", { which: Which, sizes: Schema.Array(Size).check(Schema.isMaxLength(8)) }),
  Schema.TaggedStruct("read", { which: Which, index: Index }),
  Schema.TaggedStruct("entries", { which: Which, from: Bound, to: Bound, reverse: Schema.Boolean }),
  Schema.TaggedStruct("tail", { which: Which, from: Bound }),
  Schema.TaggedStruct("info", { which: Which }),
  Schema.TaggedStruct("fence", { which: Which }),
  Schema.TaggedStruct("delete", { which: Which })
])

type Step = typeof Step.Type

interface Ledger {
  readonly ledgerId: LedgerId.LedgerId
  readonly metadata: Uint8Array
  readonly payloads: Array<Uint8Array>
  fenced: boolean
  deleted: boolean
}

export const model = (it: It): void => {
  it.effect.prop(
    "every answer is the one of a model in memory",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(30)) },
    ({ steps }) =>
      Effect.gen(function* () {
        const storage = yield* LedgerStorage.LedgerStorage
        const history = new History(storage)
        for (const step of steps) yield* history.apply(step)
        yield* history.compareAll()
      }),
    { arbitrary: { runs: 100 } }
  )
}

/** A storage and a model of it, to which the same happens. */
class History {
  readonly #storage: Storage
  readonly #ledgers: Array<Ledger> = []
  #seed = 0

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /** Does a step to both, and compares the answers. */
  apply(step: Step) {
    return Effect.gen({ self: this }, function* () {
      if (step._tag === "create") return yield* this.#create(step.chosen, step.metadata)
      const ledger = this.#ledgers[step.which]
      if (ledger === undefined) return
      switch (step._tag) {
        case "createAgain": {
          const { ledgerId } = ledger
          return assert.strictEqual(yield* endOf(this.#storage.createLedger({ ledgerId })), "LedgerExists")
        }
        case "append":
          return yield* this.#append(ledger, step.size, step.buffered)
        case "appendAll":
          return yield* this.#appendAll(ledger, step.sizes)
        case "appendAtOnce":
          return yield* Effect.forEach(step.sizes, (size) => this.#append(ledger, size, false), {
            concurrency: "unbounded",
            discard: true
          })
        case "read":
          return yield* this.#read(ledger, step.index)
        case "entries":
          return yield* this.#entries(ledger, step)
        case "tail":
          return yield* this.#tail(ledger, step.from)
        case "info":
          return yield* this.#info(ledger)
        case "fence":
          return yield* this.#fence(ledger)
        case "delete":
          ledger.deleted = true
          return yield* this.#storage.deleteLedger(ledger.ledgerId)
      }
    })
  }

  /** Compares everything that both know. */
  compareAll() {
    return Effect.forEach(
      this.#ledgers,
      (ledger) =>
        Effect.andThen(this.#info(ledger), this.#entries(ledger, { from: undefined, to: undefined, reverse: false })),
      { discard: true }
    )
  }

  #create(chosen: boolean, metadataSize: number) {
    return Effect.gen({ self: this }, function* () {
      const metadata = blob(metadataSize, this.#next())
      const wanted = chosen ? yield* unusedLedgerId : undefined
      const { ledgerId } = yield* this.#storage.createLedger({ ledgerId: wanted, metadata })
      if (wanted !== undefined) assert.strictEqual(ledgerId, wanted)
      assert.isFalse(this.#ledgers.some((ledger) => ledger.ledgerId === ledgerId))
      this.#ledgers.push({ ledgerId, metadata, payloads: [], fenced: false, deleted: false })
    })
  }

  #append(ledger: Ledger, size: number, buffered: boolean) {
    return Effect.suspend(() => {
      const payload = blob(size, this.#next())
      const expected = refusalOf(ledger) ?? BigInt(ledger.payloads.length)
      if (typeof expected === "bigint") ledger.payloads.push(payload)
      const durability = buffered ? "buffered" : undefined
      return Effect.map(endOf(this.#storage.append(ledger.ledgerId, payload, { durability })), (end) =>
        assert.strictEqual<unknown>(end, expected)
      )
    })
  }

  #appendAll(ledger: Ledger, sizes: ReadonlyArray<number>) {
    return Effect.gen({ self: this }, function* () {
      const payloads = sizes.map((size) => blob(size, this.#next()))
      const from = BigInt(ledger.payloads.length)
      const expected = refusalOf(ledger) ?? { from, to: from + BigInt(payloads.length) - 1n }
      if (typeof expected !== "string") ledger.payloads.push(...payloads)
      assert.deepStrictEqual<unknown>(yield* endOf(this.#storage.appendAll(ledger.ledgerId, payloads)), expected)
    })
  }

  #read({ deleted, ledgerId, payloads }: Ledger, index: number) {
    return Effect.gen({ self: this }, function* () {
      const entryId = EntryId.make(BigInt(index))
      const payload = payloads[index]
      const expected = payload === undefined ? undefined : { ledgerId, entryId, payload }
      const found = yield* endOf(this.#storage.read(ledgerId, entryId))
      assert.deepStrictEqual(found, deleted ? "NoLedger" : expected)
    })
  }

  #entries(ledger: Ledger, { from, reverse, to }: Omit<Extract<Step, { _tag: "entries" }>, "_tag" | "which">) {
    return Effect.gen({ self: this }, function* () {
      const range = { from: idOf(from), to: idOf(to), reverse }
      const found = yield* endOf(Stream.runCollect(this.#storage.entries(ledger.ledgerId, range)))
      const expected = entriesOf(ledger, from, to)
      assert.deepStrictEqual(found, ledger.deleted ? "NoLedger" : reverse ? expected.toReversed() : expected)
    })
  }

  /** As far as the ledger reaches now. */
  #tail(ledger: Ledger, from: number | undefined) {
    return Effect.gen({ self: this }, function* () {
      const last = ledger.payloads.length - 1
      if (last < 0 && !ledger.deleted) return
      const range = { from: idOf(from), to: idOf(Math.max(last, 0)) }
      const found = yield* endOf(Stream.runCollect(this.#storage.tail(ledger.ledgerId, range)))
      assert.deepStrictEqual(found, ledger.deleted ? "NoLedger" : entriesOf(ledger, from, last))
    })
  }

  #info({ deleted, fenced, ledgerId, metadata, payloads }: Ledger) {
    return Effect.gen({ self: this }, function* () {
      const info = yield* this.#storage.ledger(ledgerId)
      if (deleted) return assert.isUndefined(info)
      assert.deepStrictEqual(info?.metadata, metadata)
      assert.strictEqual(info?.fenced, fenced)
      assert.strictEqual(info?.entries, payloads.length)
      assert.strictEqual(
        info?.length,
        payloads.reduce((sum, payload) => sum + payload.length, 0)
      )
      assert.strictEqual(info?.lastEntryId, payloads.length === 0 ? undefined : BigInt(payloads.length - 1))
    })
  }

  #fence(ledger: Ledger) {
    return Effect.gen({ self: this }, function* () {
      if (!ledger.deleted) ledger.fenced = true
      const end = yield* endOf(Effect.map(this.#storage.fence(ledger.ledgerId), ({ entries }) => entries))
      assert.strictEqual<unknown>(end, ledger.deleted ? "NoLedger" : ledger.payloads.length)
    })
  }

  /** A number that no payload before was made from. */
  #next(): number {
    this.#seed += 1
    return this.#seed
  }
}

const refusalOf = ({ deleted, fenced }: Ledger): string | undefined =>
  deleted ? "NoLedger" : fenced ? "Fenced" : undefined

const idOf = (index: number | undefined): EntryId.EntryId | undefined =>
  index === undefined ? undefined : EntryId.make(BigInt(index))

const entriesOf = (
  { ledgerId, payloads }: Ledger,
  from = 0,
  to: number = payloads.length - 1
): ReadonlyArray<LedgerStorage.Entry> =>
  payloads
    .map((payload, index) => ({ ledgerId, entryId: EntryId.make(BigInt(index)), payload }))
    .filter((_, index) => index >= from && index <= to)
