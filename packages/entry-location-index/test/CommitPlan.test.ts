/**
 * The plans of commits count right, however many there have been before.
 */
import { assert, describe, it } from "@effect/vitest"
import { EntryId, LedgerId, Location } from "../src/index.ts"
import { WriteBatch } from "../src/internal/WriteBatch.ts"
import { Planner, Presence } from "../src/internal/commit/CommitPlan.ts"
import { Memtable } from "../src/internal/memtable/Memtable.ts"
import { high, low } from "../src/internal/words.ts"

/** Adds an entry to each of some ledgers in turn, twice over in one commit. */
const commit = (planner: Planner, memtable: Memtable, entries: number, nth: number): number => {
  const changes = new WriteBatch()
  const slots: Array<number> = []
  for (const ledgerId of [1n, 2n, 1n, 2n, 1n]) {
    const slot = memtable.slotOf(high(ledgerId), low(ledgerId))
    slots.push(slot)
    const entryId = BigInt(nth * 10 + slots.length)
    changes.add(LedgerId.make(ledgerId), EntryId.make(entryId), Location.make(entryId))
  }
  const planning = planner.begin(changes, memtable, Int32Array.from(slots), entries, new Presence())
  while (!planning.step());
  const plan = planning.finish()
  if (plan._tag !== "CommitPlan") return assert.fail("no page had to be known")
  memtable.apply(changes, plan.groups, (run) => plan.groups.slot(run))
  return plan.entries
}

describe("a planner", () => {
  for (const plans of [0, 2 ** 31 - 3, 2 ** 32 - 3, 2 ** 40]) {
    it(`that has made ${plans} plans counts the entries of the next ones exactly`, () => {
      const planner = new Planner(plans)
      const memtable = new Memtable()
      for (const ledgerId of [1n, 2n]) {
        memtable.standOn(memtable.addLedger(high(ledgerId), low(ledgerId)), undefined)
      }
      let entries = 0
      for (let nth = 1; nth <= 8; nth++) {
        entries = commit(planner, memtable, entries, nth)
        assert.strictEqual(entries, nth * 5)
        assert.deepStrictEqual(
          [0, 1].map((slot) => memtable.entries(slot)),
          [nth * 3, nth * 2]
        )
      }
    })
  }
})
