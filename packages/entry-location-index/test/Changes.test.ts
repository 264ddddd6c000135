/**
 * Changes: what they come to does not depend on how they were gathered.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { EntryId, LedgerId, Location, LocationPage } from "../src/index.ts"
import { Changes } from "../src/internal/Changes.ts"

const Call = Schema.Union([
  Schema.TaggedStruct("add", {
    ledgerId: Schema.Literals([1n, 2n]),
    entryId: Schema.Literals([0n, 1n, 255n, 256n, 2n ** 62n + 256n, 2n ** 62n + 512n]),
    location: Schema.Literals([1n, 2n, 3n])
  }),
  Schema.TaggedStruct("delete", { ledgerId: Schema.Literals([1n, 2n]) })
])

type Call = typeof Call.Type

const gather = (calls: ReadonlyArray<Call>): Changes => {
  const changes = new Changes()
  for (const call of calls) {
    const ledgerId = LedgerId.make(call.ledgerId)
    if (call._tag === "delete") changes.deleteLedger(ledgerId)
    else changes.add(ledgerId, EntryId.make(call.entryId), Location.make(call.location))
  }
  return changes
}

/** What changes come to, in a form that can be compared. */
const outcome = (changes: Changes) =>
  Array.from(changes.ledgers.values(), ({ deleted, ledgerId, pages }) => ({
    ledgerId,
    deleted,
    pages: Array.from(pages, ([number, page]) => [String(number), LocationPage.encode(page)] as const).toSorted()
  })).toSorted((left, right) => (left.ledgerId < right.ledgerId ? -1 : 1))

/** The same from the calls themselves. */
const expected = (calls: ReadonlyArray<Call>) =>
  [1n, 2n]
    .map((id) => {
      const own = calls.filter(({ ledgerId }) => ledgerId === id)
      const lastDelete = own.findLastIndex(({ _tag }) => _tag === "delete")
      const adds = own.slice(lastDelete + 1).flatMap((call) => (call._tag === "add" ? [call] : []))
      const pages = new Map<bigint, LocationPage.LocationPage>()
      for (const { entryId, location } of adds) {
        const page = pages.get(entryId >> 8n) ?? LocationPage.make()
        LocationPage.set(page, Number(entryId & 255n), Location.make(location))
        pages.set(entryId >> 8n, page)
      }
      return {
        calls: own.length,
        ledgerId: LedgerId.make(id),
        deleted: lastDelete !== -1,
        pages: Array.from(pages, ([number, page]) => [String(number), LocationPage.encode(page)] as const).toSorted()
      }
    })
    .flatMap(({ calls, ...outcome }) => (calls === 0 ? [] : [outcome]))

const Calls = Schema.Array(Call).check(Schema.isMaxLength(30))

describe("changes", () => {
  it.prop("come to what the calls do in their order", { calls: Calls }, ({ calls }) => {
    const changes = gather(calls)
    assert.deepStrictEqual(outcome(changes), expected(calls))
    assert.strictEqual(changes.size, calls.length)
  })

  it.prop(
    "of several commits come to the same, and none of those is changed",
    { parts: Schema.Array(Calls) },
    ({ parts }) => {
      const gathered = parts.map(gather)
      const before = gathered.map(outcome)
      const merged = Changes.merge(gathered)
      assert.deepStrictEqual(outcome(merged), expected(parts.flat()))
      assert.strictEqual(merged.size, parts.flat().length)
      assert.deepStrictEqual(gathered.map(outcome), before)
    }
  )
})
