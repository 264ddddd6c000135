/**
 * The page cache against plain maps: large enough for all of it, it answers what
 * they do; too small, it answers that or that it does not know, and takes up no
 * more than it may.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { EntryId, LedgerId, Location } from "../src/index.ts"
import * as LocationPage from "../src/internal/pages/LocationPage.ts"
import { PageCache, type Pages, unread } from "../src/internal/pages/PageCache.ts"
import { PageCaches } from "../src/internal/pages/PageCaches.ts"
import { entryIn, type PageId, pageOf } from "../src/internal/pages/pages.ts"
import type { LedgerRecord } from "../src/internal/pages/records.ts"
import { maxId } from "./support.ts"

const ledgerIds = [0n, 1n, 2n, 3n, 2n ** 31n, 2n ** 32n, 2n ** 53n, maxId]

/** The first pages, and those where numbers and bigints part, and the last one. */
const numbers = [0n, 1n, 2n, 3n, 255n, 256n, 2n ** 31n, 2n ** 32n, 2n ** 45n - 1n, 2n ** 45n, maxId >> 8n].map((page) =>
  pageOf(EntryId.make(page << 8n))
)

const Slots = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))

const Step = Schema.Union([
  Schema.TaggedStruct("page", {
    ledgerId: Schema.Literals(ledgerIds),
    page: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: numbers.length - 1 })),
    slots: Slots
  }),
  Schema.TaggedStruct("record", {
    ledgerId: Schema.Literals(ledgerIds),
    lastEntry: Schema.UndefinedOr(Schema.Literals([0n, 2n ** 32n - 1n, 2n ** 53n, maxId]))
  }),
  Schema.TaggedStruct("drop", { ledgerIds: Schema.Array(Schema.Literals(ledgerIds)).check(Schema.isMaxLength(2)) })
])

/** So many that the table is full of rows that are not in their places. */
const Steps = Schema.Array(Step).check(Schema.isMinLength(50), Schema.isMaxLength(150))

type Step = typeof Step.Type

/** What the tests do with a cache, in one part or in many. */
interface Cache extends Pages {
  readonly drop: (ledgerIds: ReadonlyArray<LedgerId.LedgerId>) => void
}

const inOnePart = (capacity: number): Cache => {
  const cache = new PageCache(capacity)
  return Object.assign(cache, { drop: (ids: ReadonlyArray<LedgerId.LedgerId>) => cache.dropLedgers(ids) })
}

const inParts = (capacity: number): Cache => {
  const cache = new PageCaches(capacity)
  return Object.assign(cache, {
    drop: (ids: ReadonlyArray<LedgerId.LedgerId>) => Effect.runSync(cache.dropLedgers(ids))
  })
}

/** A cache, and the maps that it is to be like. */
class Both {
  readonly cache: Cache
  readonly pages = new Map<string, Map<number, Location.Location>>()
  readonly records = new Map<bigint, LedgerRecord | undefined>()
  #locations = 0n

  constructor(cache: Cache) {
    this.cache = cache
  }

  apply(step: Step): void {
    if (step._tag === "drop") {
      this.cache.drop(step.ledgerIds.map((ledgerId) => LedgerId.make(ledgerId)))
      for (const ledgerId of step.ledgerIds) {
        this.records.delete(ledgerId)
        for (const number of numbers) this.pages.delete(`${ledgerId} ${number}`)
      }
      return
    }
    const ledgerId = LedgerId.make(step.ledgerId)
    if (step._tag === "record") {
      const lastEntry = step.lastEntry
      const record = lastEntry === undefined ? undefined : { entries: 2 ** 40 + 7, lastEntry: EntryId.make(lastEntry) }
      this.cache.putRecord(ledgerId, record)
      this.records.set(ledgerId, record)
      return
    }
    const page = LocationPage.make()
    const expected = new Map<number, Location.Location>()
    for (const slot of step.slots) {
      const location = Location.make(maxId - (this.#locations++ << 31n))
      LocationPage.set(page, slot, location)
      expected.set(slot, location)
    }
    const number = numbers[step.page] ?? 0
    this.cache.putPage({ ledgerId, number }, page)
    this.pages.set(`${ledgerId} ${number}`, expected)
  }

  /** How many pages and records the cache knows; each as the maps have it. */
  check(): number {
    let known = 0
    for (const id of ledgerIds) {
      const ledgerId = LedgerId.make(id)
      const record = this.cache.record(ledgerId)
      if (record !== unread) {
        known += 1
        assert.isTrue(this.records.has(id))
        assert.deepStrictEqual(record, this.records.get(id))
      }
      for (const number of numbers) known += this.#checkPage({ ledgerId, number })
    }
    return known
  }

  #checkPage(id: PageId): number {
    const expected = this.pages.get(`${id.ledgerId} ${id.number}`)
    const page = LocationPage.make()
    const isKnown = this.cache.has(id)
    assert.strictEqual(this.cache.load(id, page), isKnown)
    for (const slot of [0, 1, 63, 64, 127, 128, 200, 255, ...(expected?.keys() ?? [])]) {
      const found = this.cache.find(id.ledgerId, entryIn(id.number, slot))
      assert.strictEqual(found, isKnown ? expected?.get(slot) : unread)
      assert.strictEqual(LocationPage.get(page, slot), isKnown ? expected?.get(slot) : undefined)
    }
    assert.strictEqual(page.count, isKnown ? expected?.size : 0)
    return isKnown ? 1 : 0
  }
}

describe("the page cache", () => {
  for (const [what, cache] of [
    ["in one part", () => inOnePart(1024 * 1024)],
    ["in many parts", () => inParts(512 * 1024 * 1024)]
  ] as const) {
    it.prop(`answers what was put last, ${what}`, { steps: Steps }, ({ steps }) => {
      const both = new Both(cache())
      for (const step of steps) both.apply(step)
      assert.strictEqual(both.check(), both.pages.size + both.records.size)
    })
  }

  it.prop(
    "answers that or nothing, and takes up no more than it may",
    { steps: Steps, capacity: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 8000 })) },
    ({ capacity, steps }) => {
      const both = new Both(inOnePart(capacity))
      for (const step of steps) {
        both.apply(step)
        assert.isAtMost(both.cache.bytes, capacity)
      }
      both.check()
    }
  )

  it("keeps as much as it has room for, of small pages and of full ones", () => {
    const cache = new PageCache(1024 * 1024)
    for (const slots of [1, 256]) {
      const page = LocationPage.make()
      for (let slot = 0; slot < slots; slot++) LocationPage.set(page, slot, Location.make(BigInt(slot)))
      for (let number = 0; number < 5000; number++)
        cache.putPage({ ledgerId: LedgerId.make(BigInt(slots)), number }, page)
      assert.isAtMost(cache.bytes, cache.capacity)
      let known = 0
      for (let number = 0; number < 5000; number++)
        if (cache.has({ ledgerId: LedgerId.make(BigInt(slots)), number })) known += 1
      assert.isAbove(known * Math.ceil(slots / 64) * 512, cache.capacity * 0.8)
    }
  })

  it("keeps as much in many parts, and takes up no more than it may", () => {
    const cache = new PageCaches(64 * 1024 * 1024)
    const page = LocationPage.make()
    for (let slot = 0; slot < 256; slot++) LocationPage.set(page, slot, Location.make(BigInt(slot)))
    const ids = Array.from({ length: 40_000 }, (_, at) => ({
      ledgerId: LedgerId.make(BigInt(at % 5)),
      number: Math.floor(at / 5)
    }))
    for (const id of ids) cache.putPage(id, page)
    assert.isAtMost(cache.bytes, cache.capacity)
    assert.isAbove(ids.filter((id) => cache.has(id)).length * 2048, cache.capacity * 0.8)
  })

  it("has room for records and absent pages in half of its size", () => {
    const cache = new PageCache(64 * 1024)
    for (let at = 0n; at < 10_000n; at++) cache.putRecord(LedgerId.make(at), undefined)
    assert.isAtMost(cache.bytes, cache.capacity / 2)
    const known = Array.from({ length: 10_000 }, (_, at) => cache.record(LedgerId.make(BigInt(at))) !== unread)
    assert.isAbove(known.filter(Boolean).length, 500)
  })

  it("finds what it has near its place, however much has come and gone", () => {
    const cache = new PageCache(256 * 1024)
    const page = LocationPage.make()
    let longest = 0
    for (let at = 0; at < 50_000; at++) {
      const id = { ledgerId: LedgerId.make(BigInt(Math.imul(at, 0x9e37_79b1) >>> 0)), number: 0 }
      cache.putPage(id, page)
      assert.isTrue(cache.has(id))
      if (at % 500 === 0) longest = Math.max(longest, cache.longestSearch)
    }
    // Of 3,072 rows in 4,096 places. The longest chain of a table that is evenly full has about a hundred.
    assert.isBelow(longest, 300)
  })
})
