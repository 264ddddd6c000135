/**
 * What has to be known before a commit can be written: the slots of its ledgers
 * in the memtable, what those ledgers are, which of their entries are new, and
 * from that the plan. Long ones are prepared in turns with others.
 *
 * Nothing that a lookup sees changes before the commit is acknowledged: the
 * memtable only comes to know ledgers that have not changed.
 */
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as LocationPage from "../pages/LocationPage.ts"
import type { WriteBatch } from "../WriteBatch.ts"
import * as Mutation from "../WriteBatch.ts"
import * as Errors from "../errors.ts"
import { unread } from "../pages/PageCache.ts"
import { damaged, type PageStore } from "../pages/PageStore.ts"
import type { PageId } from "../pages/pages.ts"
import type { LedgerRecord } from "../pages/records.ts"
import { addToSpans, type Span } from "../checkpoint/spans.ts"
import { inParts, inTurns, Turn } from "../turns.ts"
import * as Words from "../words.ts"
import { doubled } from "../columns.ts"
import { type CommitPlan, Planner, Presence, type UnknownPage } from "./CommitPlan.ts"
import type { Memtable } from "../memtable/Memtable.ts"

/** What commits stand on. */
export interface Base {
  readonly path: string
  readonly pages: PageStore
  /** How many entries there are. */
  readonly entries: number
  /** What is not in pages yet, the oldest first: the last one is where the commit goes. */
  readonly memtables: ReadonlyArray<Memtable>
  /** The record of a ledger, as far as memory knows. */
  readonly findRecord: (ledgerId: LedgerId) => LedgerRecord | undefined | typeof unread
}

/** A commit that can be written. */
export interface Prepared {
  readonly plan: CommitPlan
  /** Where the ledgers are that it deletes. */
  readonly deleted: ReadonlyArray<Span>
}

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** Prepares commits, one after another, with buffers that it reuses. */
export class CommitPreparation {
  readonly #planner = new Planner()
  /** The slots of the ledgers of a commit, group by group. */
  #slots = new Int32Array(16)

  /** Prepares a commit for a memtable; what it answers is there until the next one. */
  prepare(changes: WriteBatch, memtable: Memtable, base: Base): Answer<Prepared> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#findLedgers(changes, memtable, base)
      let plan = yield* this.#plan(changes, memtable, base, new Presence())
      if (plan._tag === "UnknownPages") {
        plan = yield* this.#plan(changes, memtable, base, yield* presenceOf(plan.pages, memtable, base))
      }
      if (plan._tag === "UnknownPages") return yield* Effect.die(new Error("the same changes ask for other pages"))
      const { chunks } = plan
      yield* inTurns(() => memtable.reserve(chunks))
      return { plan, deleted: plan.deleted.length === 0 ? [] : yield* spansOf(plan.deleted, memtable) }
    })
  }

  #plan(changes: WriteBatch, memtable: Memtable, { entries }: Base, presence: Presence) {
    const planning = this.#planner.begin(changes, memtable, this.#slots, entries, presence)
    return Effect.map(
      inTurns(() => planning.step()),
      () => planning.finish()
    )
  }

  /** Finds the slots of the ledgers, group by group. What the ledgers are is known then. */
  #findLedgers(changes: WriteBatch, memtable: Memtable, base: Base): Answer<void> {
    const { words } = changes
    const unknown: Array<number> = []
    let slot = -1
    let groups = 0
    let mutation = 0
    const step = () => {
      for (
        const until = mutation + mutationsPerStep;
        mutation < changes.size && mutation < until;
        mutation = changes.endOfGroup(mutation)
      ) {
        const at = mutation * Mutation.stride
        slot = memtable.slotAfter(slot, words[at + Mutation.ledgerHighAt] ?? 0, words[at + Mutation.ledgerLowAt] ?? 0)
        if (!memtable.isKnown(slot)) {
          // An index without entries has no ledgers that would have to be looked for.
          const record = base.entries === 0 ? undefined : base.findRecord(memtable.ledgerId(slot))
          if (record === unread) unknown.push(slot)
          else memtable.standOn(slot, record)
        }
        if (groups === this.#slots.length) this.#slots = doubled(this.#slots)
        this.#slots[groups++] = slot
      }
      return mutation >= changes.size
    }
    const read = Effect.suspend(() => readLedgers(unknown, memtable, base))
    return Effect.flatMap(inTurns(step), () => (unknown.length === 0 ? Effect.void : read))
  }
}

/** How many mutations and deletes a step looks at, and how many pages and records of ledgers are read at once. */
const mutationsPerStep = 8192
const deletesPerStep = 1024
const pagesPerRead = 256
const ledgersPerRead = 512

/** How many reads go on at once. */
const maxReads = 2

const readLedgers = (slots: ReadonlyArray<number>, memtable: Memtable, { pages }: Base): Answer<void> => {
  const readPart = (part: ReadonlyArray<number>) =>
    Effect.map(
      pages.readRecords(
        "commit",
        part.map((slot) => memtable.ledgerId(slot))
      ),
      (records) => {
        for (const [at, slot] of part.entries()) memtable.standOn(slot, records[at])
      }
    )
  return Effect.forEach(inParts(slots, ledgersPerRead), readPart, { concurrency: maxReads, discard: true })
}

const spansOf = (slots: ReadonlyArray<number>, memtable: Memtable): Effect.Effect<ReadonlyArray<Span>> => {
  let spans: ReadonlyArray<Span> = []
  let nth = 0
  const step = () => {
    for (const slot of slots.slice(nth, nth + deletesPerStep)) spans = addToSpans(spans, memtable.ledgerId(slot))
    nth += deletesPerStep
    return nth >= slots.length
  }
  return Effect.map(inTurns(step), () => spans)
}

/** Which slots of pages are set, in memory or in the database. */
const presenceOf = (unknown: ReadonlyArray<UnknownPage>, memtable: Memtable, base: Base): Answer<Presence> => {
  const presence = new Presence()
  const turn = new Turn()
  const add = (part: ReadonlyArray<UnknownPage>) =>
    Effect.andThen(
      Effect.suspend(() => (turn.isOver ? turn.pass : Effect.void)),
      addPresence(presence, part, memtable, base)
    )
  return Effect.as(
    Effect.forEach(inParts(unknown, pagesPerRead), add, { concurrency: maxReads, discard: true }),
    presence
  )
}

const addPresence = (
  presence: Presence,
  unknown: ReadonlyArray<UnknownPage>,
  memtable: Memtable,
  base: Base
): Answer<void> =>
  Effect.suspend(() => {
    const below: Array<PageId & UnknownPage> = []
    const page = LocationPage.make(LocationPage.slotCount)
    for (const { number, slot } of unknown) {
      const slots = new Uint8Array(LocationPage.slotCount)
      presence.set(slot, number, slots)
      const id = { ledgerId: memtable.ledgerId(slot), number, slot }
      if (markInMemtables(slots, id, base.memtables)) continue
      LocationPage.clear(page)
      if (base.pages.load(id, page)) mark(slots, page)
      else below.push(id)
    }
    return Effect.flatMap(base.pages.stored(below), (values) => {
      for (const [at, id] of below.entries()) {
        const slots = presence.get(id.slot, id.number)
        const value = values[at]
        if (slots === undefined || value === undefined) continue
        LocationPage.clear(page)
        const problem = LocationPage.decodeInto(page, value)
        if (problem !== undefined) {
          return Effect.fail(Errors.corruption(damaged(id, problem), { operation: "commit", path: base.path }))
        }
        mark(slots, page)
      }
      return Effect.void
    })
  })

/** Marks the slots that are set in memtables, and answers whether no page below counts. */
const markInMemtables = (slots: Uint8Array, { ledgerId, number }: PageId, memtables: Base["memtables"]): boolean => {
  for (const memtable of memtables.toReversed()) {
    const own = memtable.slotOf(Words.high(ledgerId), Words.low(ledgerId))
    if (own < 0) continue
    const page = LocationPage.make()
    memtable.addPageTo(page, own, number)
    mark(slots, page)
    if (!memtable.mayCover(own, number)) return true
  }
  return false
}

const mark = (slots: Uint8Array, page: LocationPage.LocationPage): void => {
  for (let slot = 0; slot < page.length; slot++) if (LocationPage.has(page, slot)) slots[slot] = 1
}
