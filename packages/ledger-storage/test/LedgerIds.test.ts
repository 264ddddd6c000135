/**
 * Which ledger ids have been given.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { LedgerIds } from "../src/internal/LedgerIds.ts"
import { ledger } from "./support.ts"

const maximum = 2n ** 63n - 1n

/** Near both ends, where ids touch each other and the end of the range. */
const Id = Schema.Literals([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, maximum - 3n, maximum - 2n, maximum - 1n, maximum])

const Step = Schema.Struct({ what: Schema.Literals(["add", "add", "next", "takeBack"]), id: Id })

/** Ranges that are ascending and do not touch. */
const isTidy = (ids: LedgerIds): boolean =>
  ids.ranges.every(({ first, last }, index) => {
    const before = ids.ranges[index - 1]
    return first <= last && (before === undefined || before.last + 1n < first)
  })

describe("LedgerIds", () => {
  it.prop(
    "it knows what a set of all ids knows",
    { steps: Schema.Array(Step) },
    ({ steps }) => {
      const ids = new LedgerIds()
      const set = new Set<bigint>()
      for (const { id, what } of steps) {
        if (what === "takeBack") {
          ids.takeBack(ledger(id))
          set.delete(id)
        } else {
          const given = what === "next" ? (ids.next() ?? ledger(id)) : ledger(id)
          if (what === "next" && set.size > 0) assert.isFalse(set.has(given))
          ids.add(given)
          set.add(given)
        }
        assert.isTrue(isTidy(ids))
      }
      for (const id of [...set, 0n, 1n, 5n, 8n, 9n, maximum - 4n, maximum]) {
        assert.strictEqual(ids.has(ledger(id)), set.has(id))
      }
      assert.strictEqual(
        ids.ranges.reduce((count, { first, last }) => count + Number(last - first) + 1, 0),
        set.size
      )
    },
    { arbitrary: { runs: 500 } }
  )

  it("the first id is 0, and the next one follows the highest", () => {
    const ids = new LedgerIds()
    assert.strictEqual(ids.next(), 0n)
    ids.add(ledger(0))
    assert.strictEqual(ids.next(), 1n)
    ids.add(ledger(100))
    assert.strictEqual(ids.next(), 101n)
  })

  it("after the largest id comes the lowest that was never given", () => {
    const ids = new LedgerIds()
    ids.add(ledger(maximum))
    assert.strictEqual(ids.next(), 0n)
    ids.add(ledger(0))
    ids.add(ledger(1))
    ids.add(ledger(5))
    assert.strictEqual(ids.next(), 2n)
  })

  it("when every id has been given there is no next one", () => {
    assert.isUndefined(new LedgerIds([{ first: ledger(0), last: ledger(maximum) }]).next())
  })

  it("ids that follow one another cost one range", () => {
    const ids = new LedgerIds()
    for (let id = 0; id < 1000; id += 1) ids.add(ledger((id * 7) % 1000))
    assert.deepStrictEqual(ids.ranges, [{ first: ledger(0), last: ledger(999) }])
  })
})
