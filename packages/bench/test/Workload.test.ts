import { assert, describe, it } from "@effect/vitest"
import { makeEntries } from "../src/Engine.ts"
import { type Shape, Workload } from "../src/Workload.ts"

const shape: Shape = { seed: 7, entries: 40_000, ledgers: 50, flushSize: 5000, firstLedger: 3 }

const flushOf = (workload: Workload, nth: number) => {
  const entries = makeEntries(workload.shape.flushSize)
  workload.flush(nth, entries)
  return entries
}

describe("Workload", () => {
  it("repeats itself from its seed, and is another one from another seed", () => {
    const { locations } = flushOf(new Workload(shape), 3)
    assert.deepStrictEqual(flushOf(new Workload(shape), 3).locations, locations)
    assert.notDeepEqual(flushOf(new Workload({ ...shape, seed: 8 }), 3).locations, locations)
  })

  it("has each entry once, sorted by ledger and entry in each flush, as many of each ledger", () => {
    const workload = new Workload(shape)
    const counts = new Map<bigint, bigint>()
    for (let nth = 0; nth < workload.flushes; nth++) {
      const { entryIds, ledgerIds } = flushOf(workload, nth)
      for (const [at, ledgerId] of ledgerIds.entries()) {
        const expected = counts.get(ledgerId) ?? 0n
        assert.strictEqual(entryIds[at], expected)
        counts.set(ledgerId, expected + 1n)
        assert.isTrue(at === 0 || ledgerId >= (ledgerIds[at - 1] ?? 0n))
      }
    }
    assert.deepStrictEqual(
      [...counts.keys()],
      Array.from({ length: 50 }, (_, at) => BigInt(at + 3))
    )
    assert.deepStrictEqual(new Set(counts.values()), new Set([800n]))
  })

  it("places the entries of a flush one behind the other in the log, about 1 KiB apart", () => {
    const { locations } = flushOf(new Workload(shape), 0)
    const steps = [...locations].slice(1).map((location, at) => Number(location - (locations[at] ?? 0n)))
    const sizes = steps.map((step) => step - 4).toSorted((left, right) => left - right)
    assert.isAbove(sizes[0] ?? 0, 0)
    assert.approximately(sizes[Math.floor(sizes.length / 2)] ?? 0, 1024, 50)
    assert.approximately(Math.log(sizes[Math.floor(sizes.length * 0.84)] ?? 0) - Math.log(1024), 0.5, 0.05)
  })

  it("begins a new log, behind its header, at each GiB", () => {
    const workload = new Workload({ ...shape, entries: 2_000_000, flushSize: 100_000 })
    const locations = Array.from({ length: workload.flushes }, (_, nth) => [...flushOf(workload, nth).locations]).flat()
    const firsts = locations.flatMap((location, at) =>
      at > 0 && location >> 32n !== (locations[at - 1] ?? 0n) >> 32n ? [at] : []
    )
    assert.deepStrictEqual(
      firsts.map((at) => locations[at]),
      [(2n << 32n) + 1028n, (3n << 32n) + 1028n]
    )
    for (const at of firsts) assert.approximately(Number((locations[at - 1] ?? 0n) & 0xffff_ffffn), 2 ** 30, 50_000)
    assert.isTrue(locations.every((location, at) => at === 0 || location > (locations[at - 1] ?? 0n)))
  })

  it("knows the location of each entry without the flush", () => {
    const workload = new Workload(shape)
    for (const nth of [0, 3, 7]) {
      const { entryIds, ledgerIds, locations } = flushOf(workload, nth)
      for (const [at, location] of locations.entries()) {
        assert.strictEqual(workload.location(Number(ledgerIds[at]), Number(entryIds[at])), Number(location))
      }
    }
  })

  it("knows no location of an entry or a ledger that there is not", () => {
    const workload = new Workload(shape)
    assert.isDefined(workload.location(52, 799))
    for (const [ledgerId, entryId] of [
      [52, 800],
      [53, 0],
      [2, 0],
      [3, -1]
    ] as const) {
      assert.isUndefined(workload.location(ledgerId, entryId))
    }
  })

  it("tells a wrong answer, a missing one, and one that should be missing", () => {
    const workload = new Workload(shape)
    const { entryIds, ledgerIds, locations } = flushOf(workload, 2)
    workload.check({ ledgerIds, entryIds }, locations)
    for (const wrong of [(locations[77] ?? 0n) + 1n, -1n]) {
      const answers = locations.slice()
      answers[77] = wrong
      assert.throws(() => workload.check({ ledgerIds, entryIds }, answers), /wrong answer/)
    }
    ledgerIds[77] = 1n
    assert.throws(() => workload.check({ ledgerIds, entryIds }, locations), /wrong answer/)
  })

  it("refuses a shape whose flushes are not all alike", () => {
    assert.throws(() => new Workload({ ...shape, ledgers: 51 }), RangeError)
    assert.throws(() => new Workload({ ...shape, entries: 40_001 }), RangeError)
  })
})
