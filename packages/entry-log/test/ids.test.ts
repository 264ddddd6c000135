/**
 * Ids are bigints in 0..2^63-1, and a location is a log and a position in it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { EntryId, LedgerId, Location } from "../src/index.ts"

const largest = 2n ** 63n - 1n

describe.each([
  ["LedgerId", LedgerId, Schema.is(LedgerId.LedgerId)],
  ["EntryId", EntryId, Schema.is(EntryId.EntryId)],
  ["Location", Location, Schema.is(Location.Location)]
] as const)("%s", (_name, { Order, fromString, is, make }, isOfSchema) => {
  it("accepts both ends of the range", () => {
    assert.strictEqual<bigint>(make(0n), 0n)
    assert.strictEqual<bigint>(make(largest), largest)
  })

  it("throws a RangeError outside of the range", () => {
    assert.throws(() => make(-1n), RangeError, "from 0 to 2^63-1, not -1")
    assert.throws(() => make(largest + 1n), RangeError)
  })

  it("takes whole numbers, and throws a RangeError of those that a number does not hold exactly", () => {
    assert.strictEqual<bigint>(make(7), 7n)
    assert.strictEqual<bigint>(make(Number.MAX_SAFE_INTEGER), 2n ** 53n - 1n)
    for (const value of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) assert.throws(() => make(value), RangeError)
    assert.throws(() => make(0.5), "not the number 0.5")
  })

  it("is read from its decimal digits, and from no other text", () => {
    assert.strictEqual<bigint | undefined>(fromString(String(largest)), largest)
    assert.strictEqual<bigint | undefined>(fromString("007"), 7n)
    for (const text of ["", "-1", "1.5", "1e3", "0x1", " 1", "1n", String(largest + 1n), "9".repeat(30)]) {
      assert.isUndefined(fromString(text))
    }
  })

  it("has an order", () => {
    const [low, high] = [make(9), make(10)]
    const compare = Order as (left: bigint, right: bigint) => number
    assert.deepStrictEqual([compare(low, high), compare(high, low), compare(low, low)], [-1, 1, 0])
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
