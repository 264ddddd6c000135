/**
 * The sort that goes no further than it must, against a plain one.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { IncrementalSort } from "../src/internal/memtable/IncrementalSort.ts"
import { high, join, low } from "../src/internal/words.ts"
import { maxId } from "./support.ts"

const Key = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: maxId }))

const sortOf = (keys: ReadonlyArray<bigint>): IncrementalSort => {
  const sort = new IncrementalSort(keys.length)
  for (const [value, key] of keys.entries()) sort.add(high(key), low(key), value)
  return sort
}

const take = (sort: IncrementalSort, rows: number): Array<readonly [key: bigint, value: number]> => {
  const taken: Array<readonly [bigint, number]> = []
  while (taken.length < rows && sort.take()) taken.push([join(sort.high, sort.low), sort.value])
  return taken
}

const ascending = (keys: ReadonlyArray<bigint>) =>
  Array.from(keys.entries(), ([value, key]) => [key, value] as const).toSorted(([left], [right]) =>
    left < right ? -1 : 1
  )

describe("an incremental sort", () => {
  it.prop(
    "takes the rows in the order of their keys, and again from the first one on",
    {
      some: Schema.Array(Key),
      step: Schema.Literals([1n, 3n, 2n ** 31n, 2n ** 32n + 1n]),
      rows: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 }))
    },
    ({ rows, some, step }) => {
      // Close to one another too, on both sides of what a word holds.
      const keys = [...new Set([...some, ...Array.from({ length: 200 }, (_, at) => BigInt((at * 7919) % 200) * step)])]
      const expected = ascending(keys)
      const sort = sortOf(keys)
      assert.deepStrictEqual(take(sort, rows), expected.slice(0, rows))
      sort.restart()
      assert.deepStrictEqual(take(sort, Infinity), expected)
      assert.isFalse(sort.take())
    }
  )

  it("takes many rows, whether they lie in order, in the opposite one or anyhow", () => {
    const inOrder = Array.from({ length: 50_000 }, (_, at) => BigInt(at) * 2n ** 30n)
    const mixed = inOrder.map((_, at) => inOrder[(at * 7919) % inOrder.length] ?? 0n)
    for (const keys of [inOrder, inOrder.toReversed(), mixed]) {
      const taken = take(sortOf(keys), Infinity)
      assert.strictEqual(taken.length, keys.length)
      assert.isTrue(taken.every(([key, value], at) => key === inOrder[at] && keys[value] === key))
    }
  })
})
