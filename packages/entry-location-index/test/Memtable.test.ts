/**
 * The memtable and the index of words under it, against plain maps.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { EntryId, LedgerId, Location } from "../src/index.ts"
import * as LocationPage from "../src/internal/pages/LocationPage.ts"
import { WriteBatch } from "../src/internal/WriteBatch.ts"
import type { ChangedLedgers } from "../src/internal/memtable/ChangedLedgers.ts"
import type { LedgerSnapshot } from "../src/internal/memtable/LedgerSnapshot.ts"
import { Memtable } from "../src/internal/memtable/Memtable.ts"
import { LedgerGroups } from "../src/internal/LedgerGroups.ts"
import { WordIndex } from "../src/internal/memtable/WordIndex.ts"
import { entryIn, pageOf } from "../src/internal/pages/pages.ts"
import { high, low, type MapKey } from "../src/internal/words.ts"
import { maxId } from "./support.ts"

const ledgerIds = [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 53n, maxId - 1n, maxId]

/** Both ends, the borders of chunks and pages, and where numbers and bigints part. */
const entryIds = [
  [0n, 1n, 15n, 16n, 17n, 255n, 256n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 256n],
  [2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 255n, 2n ** 53n + 256n, 2n ** 62n, maxId - 256n, maxId - 1n, maxId]
].flat()

const Step = Schema.Union([
  Schema.TaggedStruct("add", {
    ledgerId: Schema.Literals(ledgerIds),
    entryIds: Schema.NonEmptyArray(Schema.Literals(entryIds)).check(Schema.isMaxLength(8)),
    location: Schema.Literals([0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n + 1n, maxId - 10n])
  }),
  Schema.TaggedStruct("addRun", {
    ledgerId: Schema.Literals(ledgerIds),
    from: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 700 })),
    count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 300 }))
  }),
  Schema.TaggedStruct("delete", { ledgerId: Schema.Literals(ledgerIds) }),
  Schema.TaggedStruct("clear", {})
])

type Step = typeof Step.Type

interface Ledger {
  readonly entries: Map<bigint, bigint>
  isDeleted: boolean
}

/** Takes changed ledgers, each once it is found. */
const reader = (ledgers: ChangedLedgers) => {
  const next = () => {
    while (!ledgers.look()) continue
    const { next } = ledgers
    ledgers.take()
    return next
  }
  const takeAll = () => {
    const all: Array<readonly [ledgerId: bigint, hasEntries: boolean]> = []
    for (let ledgerId = next(); ledgerId !== undefined; ledgerId = next()) all.push([ledgerId, ledgers.hasEntries])
    return all
  }
  return { next, takeAll }
}

/** A memtable and the maps that it is to be like. */
class Both {
  readonly memtable = new Memtable()
  readonly ledgers = new Map<bigint, Ledger>()

  slot(ledgerId: bigint): number {
    const slot = this.memtable.slotOf(high(ledgerId), low(ledgerId))
    return slot >= 0 ? slot : this.memtable.addLedger(high(ledgerId), low(ledgerId))
  }

  apply(step: Step): void {
    if (step._tag === "clear") {
      this.memtable.clear()
      this.ledgers.clear()
      return
    }
    const ledger = this.ledgers.get(step.ledgerId) ?? { entries: new Map<bigint, bigint>(), isDeleted: false }
    this.ledgers.set(step.ledgerId, ledger)
    const changes = new WriteBatch()
    if (step._tag === "delete") {
      ledger.entries.clear()
      ledger.isDeleted = true
      changes.deleteLedger(LedgerId.make(step.ledgerId))
    } else {
      const ids =
        step._tag === "add" ? step.entryIds : Array.from({ length: step.count }, (_, at) => BigInt(step.from + at))
      for (const [at, entryId] of ids.entries()) {
        const location = (step._tag === "add" ? step.location : 1024n) + BigInt(at)
        ledger.entries.set(entryId, location)
        changes.add(LedgerId.make(step.ledgerId), EntryId.make(entryId), Location.make(location))
      }
    }
    const last = lastOf(ledger)
    const groups = new LedgerGroups()
    groups.add(
      -1,
      changes.size,
      ledger.entries.size,
      last === undefined ? -1 : high(last),
      last === undefined ? 0 : low(last)
    )
    const slot = this.slot(step.ledgerId)
    this.memtable.apply(changes, groups, () => slot)
  }

  assertEqual(): void {
    const { memtable } = this
    assert.strictEqual(memtable.isEmpty, this.ledgers.size === 0)
    assert.strictEqual(memtable.ledgers, this.ledgers.size)
    for (const ledgerId of ledgerIds) {
      const slot = memtable.slotOf(high(ledgerId), low(ledgerId))
      const ledger = this.ledgers.get(ledgerId)
      if (ledger === undefined) {
        assert.strictEqual(slot, -1)
        continue
      }
      assert.strictEqual(memtable.ledgerId(slot), ledgerId as LedgerId.LedgerId)
      assert.isTrue(memtable.isChanged(slot) && memtable.isKnown(slot))
      assert.strictEqual(memtable.isDeleted(slot), ledger.isDeleted)
      const last = lastOf(ledger)
      assert.deepStrictEqual(
        memtable.record(slot),
        last === undefined ? undefined : { entries: ledger.entries.size, lastEntry: EntryId.make(last) }
      )
      for (const entryId of [...entryIds, ...ledger.entries.keys()]) {
        assert.strictEqual(
          memtable.get(slot, high(entryId), low(entryId)),
          ledger.entries.get(entryId) as Location.Location | undefined
        )
      }
      assert.deepStrictEqual(entriesOf(pagesIn(memtable.snapshot(slot, 0, Infinity))), ascending(ledger.entries))
      assert.deepStrictEqual(entriesOf(pagesAdded(memtable, slot)), ascending(ledger.entries))
      const [from, to] = [pageOf(EntryId.make(256n)), pageOf(EntryId.make(2n ** 53n))]
      assert.deepStrictEqual(
        entriesOf(pagesIn(memtable.snapshot(slot, from, to))),
        ascending(ledger.entries).filter(([entryId]) => entryId >> 8n >= 1n && entryId >> 8n <= 2n ** 45n)
      )
    }
  }
}

const ascending = (entries: Iterable<readonly [bigint, bigint]>) =>
  [...entries].toSorted(([left], [right]) => (left < right ? -1 : 1))

const lastOf = ({ entries }: Ledger): bigint | undefined => {
  let last: bigint | undefined
  for (const entryId of entries.keys()) if (last === undefined || entryId > last) last = entryId
  return last
}

/** The entries of pages, of which each is there once and says rightly how many slots are set. */
/** The pages of a snapshot. */
function* pagesIn(snapshot: LedgerSnapshot): Generator<readonly [number: MapKey, page: LocationPage.LocationPage]> {
  for (let number = snapshot.next; number !== undefined; number = snapshot.next) {
    const page = LocationPage.make()
    snapshot.takeInto(page)
    yield [number, page]
  }
}

/** The pages that a memtable lists, and the same by their numbers. */
function* pagesAdded(
  memtable: Memtable,
  slot: number
): Generator<readonly [number: MapKey, page: LocationPage.LocationPage]> {
  for (const added of memtable.addedPages(slot)) {
    const page = LocationPage.make()
    memtable.addTo(page, added)
    const same = LocationPage.make()
    memtable.addPageTo(same, slot, added.number)
    assert.deepStrictEqual(LocationPage.encode(same), LocationPage.encode(page))
    yield [added.number, page]
  }
}

const entriesOf = (pages: Iterable<readonly [number: MapKey, page: LocationPage.LocationPage]>) => {
  const entries: Array<readonly [bigint, bigint]> = []
  let before: MapKey = -1
  for (const [number, page] of pages) {
    assert.isTrue(before < number)
    before = number
    let count = 0
    for (let slot = 0; slot < LocationPage.slotCount; slot++) {
      const location = LocationPage.get(page, slot)
      if (location === undefined) continue
      count += 1
      entries.push([entryIn(number, slot), location])
    }
    assert.strictEqual(page.count, count)
    assert.isTrue(count > 0 && LocationPage.has(page, page.length - 1))
  }
  return entries
}

/** LedgerGroups something that can have memory for so many typed arrays of words and numbers. */
const withMemoryFor = (arrays: number, run: () => unknown): void => {
  const { Float64Array, Int32Array } = globalThis
  let left = arrays
  const limited = (constructor: Int32ArrayConstructor | Float64ArrayConstructor) =>
    new Proxy(constructor, {
      construct: (target, args) => {
        if (left-- <= 0) throw new RangeError("Array buffer allocation failed")
        return Reflect.construct(target, args)
      }
    })
  Object.assign(globalThis, { Int32Array: limited(Int32Array), Float64Array: limited(Float64Array) })
  try {
    run()
  } finally {
    Object.assign(globalThis, { Int32Array, Float64Array })
  }
}

describe("a memtable", () => {
  it.prop(
    "has what was added and not deleted since, by every way to ask for it",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(25)) },
    ({ steps }) => {
      const both = new Both()
      both.assertEqual()
      for (const step of steps) {
        both.apply(step)
        both.assertEqual()
      }
    },
    { arbitrary: { runs: 60 } }
  )

  it("gives its changed ledgers as they were, in order, while it goes on", () => {
    const both = new Both()
    const ids = Array.from({ length: 20_000 }, (_, at) => BigInt((at * 7919) % 20_000) * 2n ** 31n)
    for (const ledgerId of ids) both.apply({ _tag: "addRun", ledgerId, from: 0, count: 1 })
    for (const ledgerId of ids.slice(0, 50)) both.apply({ _tag: "delete", ledgerId })
    // It is known, and has not changed.
    both.memtable.addLedger(0x7fff_ffff, -1)
    const { next, takeAll } = reader(both.memtable.changedLedgers())
    assert.strictEqual(next(), 0n)
    const deleted = new Set(ids.slice(0, 50))
    for (const ledgerId of ids) both.apply({ _tag: "delete", ledgerId })
    for (let at = 0; at < 30_000; at++) both.memtable.addLedger(1, at)
    assert.isTrue(both.memtable.isShared)
    const all = takeAll()
    assert.deepStrictEqual(
      all.map(([ledgerId]) => ledgerId),
      ids.toSorted((left, right) => (left < right ? -1 : 1)).slice(1)
    )
    assert.isTrue(all.every(([ledgerId, hasEntries]) => hasEntries !== deleted.has(ledgerId)))
  })

  it("gives snapshots of many entries that do not change with it, whether those lie in order or anyhow", () => {
    for (const isScattered of [false, true]) {
      const both = new Both()
      const add = (from: number, count: number) => {
        for (let at = 0; at < count; at++) {
          const nth = isScattered ? (at * 7919) % count : at
          // Now and then some entries that are close to one another.
          both.apply({ _tag: "addRun", ledgerId: 1n, from: from + nth * 20, count: 1 + (at % 3) })
        }
      }
      const slot = both.slot(1n)
      const taken: Array<readonly [LedgerSnapshot, ReturnType<typeof ascending>]> = []
      const take = () =>
        taken.push([both.memtable.snapshot(slot, 0, Infinity), ascending(both.ledgers.get(1n)?.entries ?? [])])
      add(0, 400)
      both.apply({ _tag: "addRun", ledgerId: 2n, from: 0, count: 300 })
      take()
      assert.isTrue(both.memtable.isShared)
      add(3_000, 500)
      take()
      add(7, 300)
      take()
      const last = pageOf(EntryId.make(5_000n))
      const part = both.memtable.snapshot(slot, pageOf(EntryId.make(1_000n)), last)
      const ofPart = ascending(both.ledgers.get(1n)?.entries ?? []).filter(
        ([entryId]) => entryId >= 1_000n - (1_000n % 256n) && Number(entryId) < (Number(last) + 1) * 256
      )
      both.apply({ _tag: "delete", ledgerId: 1n })
      take()
      add(11, 350)
      take()
      both.apply({ _tag: "addRun", ledgerId: 2n, from: 200, count: 300 })
      for (const [snapshot, expected] of taken) assert.deepStrictEqual(entriesOf(pagesIn(snapshot)), expected)
      assert.deepStrictEqual(entriesOf(pagesIn(part)), ofPart)
      both.assertEqual()
    }
  })

  it("that has no memory for another ledger throws, and is as it was", () => {
    const memtable = new Memtable()
    let thrown = 0
    for (let at = 0; at < 3_000; at++) {
      const words = [high(BigInt(at) << 30n), low(BigInt(at) << 30n)] as const
      for (let arrays = 0; memtable.slotOf(...words) < 0; arrays++) {
        withMemoryFor(arrays, () => {
          try {
            memtable.addLedger(...words)
          } catch {
            thrown += 1
            assert.strictEqual(memtable.ledgers, at)
          }
        })
      }
      assert.strictEqual(memtable.slotOf(...words), at)
      memtable.standOn(at, { entries: at + 1, lastEntry: EntryId.make(2n ** 40n + BigInt(at)) })
    }
    assert.isAbove(thrown, 20)
    for (let at = 0; at < 3_000; at++) {
      assert.strictEqual(memtable.ledgerId(at), BigInt(at) << 30n)
      assert.deepStrictEqual(memtable.record(at), { entries: at + 1, lastEntry: EntryId.make(2n ** 40n + BigInt(at)) })
    }
  })

  it("takes what it has made room for without any more memory", () => {
    const both = new Both()
    both.apply({ _tag: "addRun", ledgerId: 1n, from: 0, count: 300 })
    while (!both.memtable.reserve(5_000));
    withMemoryFor(0, () => both.memtable.reserve(5_000))
    const changes = new WriteBatch(5_000)
    for (let at = 0n; at < 5_000n; at++)
      changes.add(LedgerId.make(1n), EntryId.make(1_000n + 16n * at), Location.make(at))
    const groups = new LedgerGroups()
    groups.add(-1, 5_000, 5_300, 0, 1_000 + 16 * 4_999)
    const slot = both.slot(1n)
    withMemoryFor(0, () => both.memtable.apply(changes, groups, () => slot))
    const entries = entriesOf(pagesIn(both.memtable.snapshot(slot, 4, Infinity)))
    assert.strictEqual(entries.length, 5_000 - 2)
    assert.strictEqual(both.memtable.get(slot, 0, 1_000 + 16 * 4_999), Location.make(4_999n))
  })

  it("grows to many ledgers of some entries, and to one of many, wherever those are", () => {
    const both = new Both()
    const bytes: Array<number> = []
    for (let at = 0; at < 2_500; at++) {
      const ledgerId = (BigInt(at) * 0x9e37_79b9_7f4a_7c15n) & maxId
      both.apply({ _tag: "add", ledgerId: ledgerId as 0n, entryIds: [BigInt(at % 5) as 0n, 300n as 0n], location: 1n })
      const scattered = ((BigInt(at) * 0x2545_f491_4f6c_dd1dn) >> 3n) & maxId
      both.apply({ _tag: "add", ledgerId: 1n, entryIds: [scattered as 0n], location: 1n })
      bytes.push(both.memtable.bytes)
    }
    both.apply({ _tag: "delete", ledgerId: 1n })
    both.apply({ _tag: "addRun", ledgerId: 1n, from: 0, count: 3_000 })
    assert.isTrue(bytes.every((size, at) => at === 0 || size > (bytes[at - 1] ?? 0)))
    for (const [ledgerId, ledger] of both.ledgers) {
      const slot = both.memtable.slotOf(high(ledgerId), low(ledgerId))
      assert.deepStrictEqual(entriesOf(pagesAdded(both.memtable, slot)), ascending(ledger.entries))
      for (const [entryId, location] of ledger.entries) {
        assert.strictEqual(both.memtable.get(slot, high(entryId), low(entryId)), Location.make(location))
      }
    }
  })

  it("does not count on less memory than it takes", () => {
    const both = new Both()
    const before = process.memoryUsage().arrayBuffers
    for (let ledgerId = 0n; ledgerId < 40_000n; ledgerId++) {
      const changes = new WriteBatch()
      changes.add(LedgerId.make(ledgerId), EntryId.make(0n), Location.make(1n))
      const groups = new LedgerGroups()
      groups.add(-1, 1, 1, 0, 0)
      const slot = both.slot(ledgerId)
      both.memtable.apply(changes, groups, () => slot)
    }
    // What is no longer used may not have been collected, which can only make the difference larger.
    assert.isBelow(both.memtable.bytes, process.memoryUsage().arrayBuffers - before)
    assert.isAbove(both.memtable.bytes, 40_000 * 100)
  })

  it.prop(
    "never denies a page below that could be there",
    {
      lastEntry: Schema.UndefinedOr(Schema.Literals(entryIds)),
      steps: Schema.Array(Step).check(Schema.isMaxLength(5))
    },
    ({ lastEntry, steps }) => {
      const both = new Both()
      const known = steps.flatMap((step) => (step._tag === "clear" ? [] : [{ ...step, ledgerId: 1n as const }]))
      const slot = both.slot(1n)
      const mayCover = (entryId: bigint) => both.memtable.mayCover(slot, pageOf(EntryId.make(entryId)))
      for (const entryId of entryIds) assert.isTrue(mayCover(entryId), "of a ledger of which nothing is known")
      both.memtable.standOn(
        slot,
        lastEntry === undefined ? undefined : { entries: 1, lastEntry: EntryId.make(lastEntry) }
      )
      for (const step of known) both.apply(step)
      const isDeleted = steps.some(({ _tag }) => _tag === "delete")
      for (const entryId of entryIds) {
        const couldBe = !isDeleted && lastEntry !== undefined && entryId >> 8n <= lastEntry >> 8n
        if (couldBe) assert.isTrue(mayCover(entryId))
        // As numbers, pages of entries above 2^53 are rounded.
        else if (isDeleted || lastEntry === undefined || lastEntry < 2n ** 53n) assert.isFalse(mayCover(entryId))
      }
    }
  )

  it("is empty, and knows what it stands on, as long as nothing changes", () => {
    const memtable = new Memtable()
    const slot = memtable.addLedger(0, 7)
    assert.isFalse(memtable.isKnown(slot))
    memtable.standOn(slot, { entries: 3, lastEntry: EntryId.make(2n ** 53n + 9n) })
    assert.isTrue(memtable.isKnown(slot) && memtable.isEmpty && !memtable.isChanged(slot) && !memtable.isDeleted(slot))
    assert.deepStrictEqual(memtable.record(slot), { entries: 3, lastEntry: EntryId.make(2n ** 53n + 9n) })
    memtable.standOn(slot, undefined)
    assert.isUndefined(memtable.record(slot))
    assert.deepStrictEqual(entriesOf(pagesAdded(memtable, slot)), [])
    assert.isUndefined(memtable.get(slot, 0, 0))
  })
})

describe("a word index", () => {
  const Word = Schema.Union([
    Schema.Literals([0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]),
    Schema.Int.check(Schema.isBetween({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }))
  ])

  it.prop(
    "numbers keys in the order in which they come",
    { keys: Schema.Array(Schema.Tuple([Word, Word, Word])).check(Schema.isMaxLength(200)) },
    ({ keys }) => {
      const index = new WordIndex()
      const numbers = new Map<string, number>()
      for (const [first, second, third] of keys) {
        const key = `${first} ${second} ${third}`
        assert.strictEqual(index.find(first, second, third), numbers.get(key) ?? -1)
        if (numbers.has(key)) continue
        numbers.set(key, numbers.size)
        assert.strictEqual(index.add(first, second, third), numbers.size - 1)
      }
      assert.strictEqual(index.size, numbers.size)
      for (const [key, number] of numbers) {
        const [first = 0, second = 0, third = 0] = key.split(" ").map(Number)
        assert.strictEqual(index.find(first, second, third), number)
        assert.deepStrictEqual(
          [index.word(number, 0), index.word(number, 1), index.word(number, 2)],
          [first, second, third]
        )
      }
    }
  )

  it.each([
    ["consecutive in the first word", (at: number) => [at, 0, 0]],
    ["consecutive in the second word", (at: number) => [0, at, 0]],
    ["sixteen apart in the third word", (at: number) => [3, 0, at << 4]],
    ["65536 apart in each word", (at: number) => [at << 16, at << 16, at << 16]]
  ] as const)("finds thousands of keys that are %s in little time", (_, keyOf) => {
    const index = new WordIndex()
    const start = performance.now()
    for (let at = 0; at < 30_000; at++) {
      const [first = 0, second = 0, third = 0] = keyOf(at)
      if (index.find(first, second, third) < 0) index.add(first, second, third)
    }
    for (let at = 0; at < 30_000; at++) {
      const [first = 0, second = 0, third = 0] = keyOf(at)
      const number = index.find(first, second, third)
      assert.isTrue(
        index.word(number, 0) === first && index.word(number, 1) === second && index.word(number, 2) === third
      )
    }
    // Keys that all fell onto the same places would take seconds.
    assert.isBelow(performance.now() - start, 1_500)
  })
})
