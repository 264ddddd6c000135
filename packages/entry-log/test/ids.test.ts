/**
 * Ids are bigints in 0..2^63-1, and a location is a log and a position in it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { EntryId, LedgerId, Location } from "../src/index.ts"

const largest = 2n ** 63n - 1n

describe.each([
  ["LedgerId", LedgerId.make, LedgerId.is, Schema.is(LedgerId.LedgerId)],
  ["EntryId", EntryId.make, EntryId.is, Schema.is(EntryId.EntryId)],
  ["Location", Location.make, Location.is, Schema.is(Location.Location)]
] as const)("%s", (_name, make, is, isOfSchema) => {
  it("accepts both ends of the range", () => {
    assert.strictEqual<bigint>(make(0n), 0n)
    assert.strictEqual<bigint>(make(largest), largest)
  })

  it("throws a RangeError outside of the range", () => {
    assert.throws(() => make(-1n), RangeError, "from 0 to 2^63-1, not -1")
    assert.throws(() => make(largest + 1n), RangeError)
  })

  it("tells its values from others, as its schema does", () => {
    const values = [0n, 1n, largest, -1n, largest + 1n, 1, "1", undefined]
    const expected = [true, true, true, false, false, false, false, false]
    assert.deepStrictEqual(
      values.map((value) => is(value)),
      expected
    )
    assert.deepStrictEqual(
      values.map((value) => isOfSchema(value)),
      expected
    )
  })
})

describe("Location", () => {
  it.prop(
    "is its log id and its position",
    {
      logId: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 })),
      position: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 }))
    },
    ({ logId, position }) => {
      const location = Location.fromLog(logId, position)
      assert.strictEqual<bigint>(location, BigInt(logId) * 2n ** 32n + BigInt(position))
      assert.deepStrictEqual([Location.logId(location), Location.position(location)], [logId, position])
    }
  )

  it("reaches both ends of the range", () => {
    assert.strictEqual<bigint>(Location.fromLog(0, 0), 0n)
    assert.strictEqual<bigint>(Location.fromLog(2 ** 31 - 1, 2 ** 32 - 1), largest)
  })

  it("throws a RangeError for a log id or a position that is out of range", () => {
    for (const [logId, position] of [
      [-1, 0],
      [2 ** 31, 0],
      [0.5, 0],
      [Number.NaN, 0],
      [0, -1],
      [0, 2 ** 32],
      [0, 1.5]
    ] as const) {
      assert.throws(() => Location.fromLog(logId, position), RangeError)
    }
  })
})
