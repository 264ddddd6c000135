/**
 * Changes: calls in their order, however they were gathered, and the runs that
 * they are cut into.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { EntryId, LedgerId, Location } from "../src/index.ts"
import * as Words from "../src/internal/Changes.ts"
import { Changes } from "../src/internal/Changes.ts"
import { join } from "../src/internal/words.ts"
import { maxId } from "./support.ts"

const ids = [0n, 1n, 255n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, maxId]

const Call = Schema.Union([
  Schema.TaggedStruct("add", {
    ledgerId: Schema.Literals([1n, 2n, 2n ** 32n + 1n, maxId]),
    entryId: Schema.Literals(ids),
    location: Schema.Literals(ids)
  }),
  Schema.TaggedStruct("delete", { ledgerId: Schema.Literals([1n, 2n, 2n ** 32n + 1n, maxId]) })
])

type Call = typeof Call.Type

const addTo = (changes: Changes, call: Call): void => {
  const ledgerId = LedgerId.make(call.ledgerId)
  if (call._tag === "delete") changes.deleteLedger(ledgerId)
  else changes.add(ledgerId, EntryId.make(call.entryId), Location.make(call.location))
}

const gather = (calls: ReadonlyArray<Call>): Changes => {
  const changes = new Changes(1)
  for (const call of calls) addTo(changes, call)
  return changes
}

/** The calls that changes are, read from their words. */
const callsOf = (changes: Changes): ReadonlyArray<Call> =>
  Array.from({ length: changes.size }, (_, call) => {
    const id = (highAt: number, lowAt: number) =>
      join(changes.words[call * Words.stride + highAt] ?? 0, changes.words[call * Words.stride + lowAt] ?? 0)
    const ledgerId = id(Words.ledgerHighAt, Words.ledgerLowAt)
    return (
      changes.isDelete(call)
        ? { _tag: "delete", ledgerId }
        : {
            _tag: "add",
            ledgerId,
            entryId: id(Words.entryHighAt, Words.entryLowAt),
            location: id(Words.highAt, Words.lowAt)
          }
    ) as Call
  })

/** The runs, as the calls that each of them has. */
const runsOf = (changes: Changes): ReadonlyArray<ReadonlyArray<Call>> => {
  const calls = callsOf(changes)
  const runs: Array<ReadonlyArray<Call>> = []
  for (let start = 0; start < changes.size; start = changes.endOfRun(start)) {
    runs.push(calls.slice(start, changes.endOfRun(start)))
  }
  return runs
}

const Calls = Schema.Array(Call).check(Schema.isMaxLength(40))

describe("changes", () => {
  it.prop("are their calls, in their order", { calls: Calls }, ({ calls }) => {
    const changes = gather(calls)
    assert.strictEqual(changes.size, calls.length)
    assert.deepStrictEqual(callsOf(changes), calls)
  })

  it.prop(
    "are cut into runs: adds to one ledger that are as many as can be, and deletes alone",
    { calls: Calls },
    ({ calls }) => {
      const runs = runsOf(gather(calls))
      assert.deepStrictEqual(runs.flat(), calls)
      for (const [nth, run] of runs.entries()) {
        assert.strictEqual(new Set(run.map(({ _tag, ledgerId }) => `${_tag} ${ledgerId}`)).size, 1)
        assert.isTrue(run[0]?._tag === "add" || run.length === 1)
        const before = runs[nth - 1]?.[0]
        assert.isFalse(before?._tag === "add" && run[0]?._tag === "add" && before.ledgerId === run[0].ledgerId)
      }
    }
  )

  it("have no run longer than a record may hold", () => {
    const changes = new Changes()
    for (let at = 0; at < 150_000; at++) changes.add(LedgerId.make(1n), EntryId.make(BigInt(at)), Location.make(1n))
    const lengths: Array<number> = []
    for (let start = 0; start < changes.size;) {
      const end = changes.endOfRun(start)
      lengths.push(end - start)
      start = end
    }
    assert.deepStrictEqual(lengths, [65_536, 65_536, 150_000 - 2 * 65_536])
  })

  it.prop(
    "of several commits are those of one after another, and none of those is changed",
    { parts: Schema.Array(Calls).check(Schema.isMaxLength(6)) },
    ({ parts }) => {
      const gathered = parts.map(gather)
      const merged = Changes.merge(gathered)
      assert.strictEqual(merged.size, parts.flat().length)
      assert.deepStrictEqual(callsOf(merged), parts.flat())
      assert.deepStrictEqual(gathered.map(callsOf), parts)
    }
  )

  it.prop("of several commits can be added to", { left: Calls, right: Calls, more: Calls }, ({ left, more, right }) => {
    const merged = Changes.merge([gather(left), gather(right)])
    for (const call of more) addTo(merged, call)
    assert.deepStrictEqual(callsOf(merged), [...left, ...right, ...more])
  })
})
