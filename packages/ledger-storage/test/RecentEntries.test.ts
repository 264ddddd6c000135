/**
 * The entries that came last.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { RecentEntries } from "../src/internal/read/RecentEntries.ts"
import { blob, bytes, entry, framesOf, ledger, text } from "./support.ts"

const Step = Schema.Struct({
  ledger: Schema.Literals([0, 1, 2]),
  sizes: Schema.NonEmptyArray(Schema.Literals([0, 1, 40, 300, 900])).check(Schema.isMaxLength(4)),
  forget: Schema.Literals([false, false, false, false, true])
})

describe("RecentEntries", () => {
  it.prop(
    "it answers what was added or nothing, in bounded room, and forgets the oldest first",
    { steps: Schema.Array(Step), limit: Schema.Literals([0, 600, 2000, 5000]) },
    ({ limit, steps }) => {
      const recent = new RecentEntries(limit)
      const all = new Map<number, Array<Uint8Array>>([0, 1, 2].map((id) => [id, []]))
      const order: Array<readonly [ledgerId: number, entryId: number]> = []
      const forgotten = new Set<string>()
      steps.forEach(({ forget, ledger: ledgerId, sizes }, seed) => {
        const payloads = all.get(ledgerId) ?? []
        const added = sizes.map((size, index) => blob(size, seed * 10 + index))
        recent.add(
          ledger(ledgerId),
          BigInt(payloads.length),
          framesOf(ledger(ledgerId), BigInt(payloads.length), added)
        )
        added.forEach((payload) => {
          order.push([ledgerId, payloads.length])
          payloads.push(payload)
        })
        if (forget) {
          recent.forget(ledger(ledgerId))
          payloads.forEach((_, entryId) => forgotten.add(`${ledgerId}:${entryId}`))
        }
        assert.isAtMost(recent.bytes, limit)
      })
      const found = order.map(([ledgerId, entryId]) => recent.payload(ledger(ledgerId), entry(entryId)))
      order.forEach(([ledgerId, entryId], index) => {
        const payload = found[index]
        if (payload !== undefined) assert.deepStrictEqual(payload, all.get(ledgerId)?.[entryId])
        if (forgotten.has(`${ledgerId}:${entryId}`)) assert.isUndefined(payload)
      })
    },
    { arbitrary: { runs: 500 } }
  )

  it("it keeps as many of the last entries as fit", () => {
    const recent = new RecentEntries(100_000)
    for (let id = 0; id < 1000; id += 1)
      recent.add(ledger(1), BigInt(id), framesOf(ledger(1), BigInt(id), [blob(1000, id)]))
    const present = Array.from({ length: 1000 }, (_, id) => recent.payload(ledger(1), entry(id)) !== undefined)
    const first = present.indexOf(true)
    assert.isTrue(present.every((isPresent, id) => isPresent === id >= first))
    assert.isAtLeast(1000 - first, 90)
    assert.isAtMost(recent.bytes, 100_000)
  })

  it("it reads consecutive entries, up to a bound of bytes and the last id", () => {
    const recent = new RecentEntries(100_000)
    recent.add(ledger(1), 5n, framesOf(ledger(1), 5n, ["a", "b", "c", "d"].map(bytes)))
    const read = (from: bigint, to: bigint, maxBytes = 1e6) =>
      recent.read(ledger(1), from, to, maxBytes).map(({ entryId, payload }) => `${entryId}=${text(payload)}`)
    assert.deepStrictEqual(read(5n, 8n), ["5=a", "6=b", "7=c", "8=d"])
    assert.deepStrictEqual(read(6n, 7n), ["6=b", "7=c"])
    assert.deepStrictEqual(read(7n, 100n), ["7=c", "8=d"])
    assert.deepStrictEqual(read(4n, 8n), [])
    assert.deepStrictEqual(read(9n, 10n), [])
    assert.deepStrictEqual(read(5n, 8n, 46), ["5=a", "6=b"])
    assert.deepStrictEqual(recent.read(ledger(2), 5n, 8n, 1e6), [])
  })

  it("after a gap it begins anew with what comes after it", () => {
    const recent = new RecentEntries(3000)
    recent.add(ledger(1), 0n, framesOf(ledger(1), 0n, [bytes("a")]))
    recent.add(ledger(1), 1n, framesOf(ledger(1), 1n, [blob(5000)]))
    recent.add(ledger(1), 2n, framesOf(ledger(1), 2n, [bytes("c")]))
    assert.isUndefined(recent.payload(ledger(1), entry(1)))
    assert.deepStrictEqual(recent.payload(ledger(1), entry(2)), bytes("c"))
  })

  it("what was forgotten takes no later entries with it when it goes", () => {
    const recent = new RecentEntries(5000)
    const add = (id: number, from: bigint) => recent.add(ledger(id), from, framesOf(ledger(id), from, [blob(700)]))
    for (let from = 0n; from < 3n; from += 1n) add(1, from)
    recent.forget(ledger(1))
    add(1, 3n)
    for (let from = 0n; from < 3n; from += 1n) add(2, from)
    assert.isDefined(recent.payload(ledger(1), entry(3)))
    assert.isUndefined(recent.payload(ledger(1), entry(2)))
  })

  it("a payload is a copy that stays as it is when its room is used again", () => {
    const recent = new RecentEntries(2000)
    recent.add(ledger(1), 0n, framesOf(ledger(1), 0n, [bytes("kept")]))
    const payload = recent.payload(ledger(1), entry(0))
    for (let id = 1; id < 100; id += 1)
      recent.add(ledger(1), BigInt(id), framesOf(ledger(1), BigInt(id), [blob(500, id)]))
    assert.isUndefined(recent.payload(ledger(1), entry(0)))
    assert.deepStrictEqual(payload, bytes("kept"))
  })

  it("many ledgers with few entries stay within the bound, too", () => {
    const recent = new RecentEntries(50_000)
    for (let id = 0; id < 10_000; id += 1) recent.add(ledger(id), 0n, framesOf(ledger(id), 0n, [new Uint8Array(0)]))
    assert.isAtMost(recent.bytes, 50_000)
    assert.isDefined(recent.payload(ledger(9_999), entry(0)))
    assert.isUndefined(recent.payload(ledger(0), entry(0)))
  })
})
