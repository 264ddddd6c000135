/**
 * The bytes of keys: strings that stay apart and keep their prefixes, and
 * numbers whose order is that of their bytes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { joined, Keys, readTime, readUint, split, successor, time, uint } from "../src/internal/keys.ts"
import * as Strings from "../src/internal/strings.ts"

/** Strings of few code units, so that they meet each other, and halves of pairs among them. */
const Text = Schema.Array(
  Schema.Literals(["a", "b", "/", "\0", "é", "\u07ff", "\u0800", "\ufeff", "\ufffd", "\ud83d", "\ude00", "\uffff"])
).check(Schema.isMaxLength(5))

const order = (left: Uint8Array, right: Uint8Array) => Buffer.compare(left, right)

describe("a string as bytes", () => {
  it.prop("is read as it was, and no other string is the same bytes", [Text, Text], ([left, right]) => {
    const [a, b] = [left.join(""), right.join("")]
    assert.strictEqual(Strings.decode(Strings.encode(a)), a)
    assert.strictEqual(order(Strings.encode(a), Strings.encode(b)) === 0, a === b)
  })

  it.prop("begins as the bytes of its prefixes, and of no other string", [Text, Text], ([left, right]) => {
    const [a, b] = [left.join(""), right.join("")]
    const [prefix, text] = [Strings.encode(a), Strings.encode(b)]
    assert.strictEqual(order(text.subarray(0, prefix.length), prefix) === 0, b.startsWith(a))
  })

  it.prop("is plain UTF-8 where that can hold it", [Schema.String], ([text]) => {
    if (/[\0\ud800-\udfff]/.test(text)) return
    assert.deepStrictEqual(Strings.encode(text), new TextEncoder().encode(text))
  })

  it.prop("has no byte 0, so that several are told apart", [Text, Text, Text], (texts) => {
    const [a = "", b = "", c = ""] = texts.map((text) => text.join(""))
    assert.deepStrictEqual(split(joined(a, b, c)), [a, b, c])
  })
})

describe("a number as bytes", () => {
  const Time = Schema.Union([
    Schema.Number.check(Schema.makeFilter((value) => !Number.isNaN(value))),
    Schema.Literals([
      0,
      -0.5,
      0.5,
      -1,
      1.5,
      -Number.MAX_VALUE,
      Number.MAX_VALUE,
      Number.MAX_SAFE_INTEGER,
      1.7e12,
      1.7e12 + 1
    ])
  ])

  it.prop("of a time has the order of the time", [Time, Time], ([left, right]) => {
    assert.strictEqual(readTime(time(left)), left)
    if (left !== right) assert.strictEqual(order(time(left), time(right)) < 0, left < right)
  })

  const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

  it.prop("of a whole number has the order of the number", [Count, Count], ([left, right]) => {
    assert.strictEqual(readUint(uint(left)), left)
    assert.strictEqual(Math.sign(order(uint(left), uint(right))), Math.sign(left - right))
  })
})

describe("a key space", () => {
  it("ends before the next one of its kind, whatever the prefixes are", () => {
    const kind = { name: "test", firstByte: 0x70, format: 1 }
    for (const [one, other] of [
      ["", "a"],
      ["a", "ab"],
      ["a", "a\0"],
      ["a", "a/"]
    ] as const) {
      const range = new Keys(kind, one).everything
      const key = new Keys(kind, other).key(0)
      assert.isFalse(order(key, range.gte) >= 0 && order(key, range.lt) < 0, `${one} has ${other}`)
    }
  })

  it("ends at the lowest key above it", () => {
    assert.deepStrictEqual(successor(Uint8Array.of(1, 2)), Uint8Array.of(1, 3))
    assert.deepStrictEqual(successor(Uint8Array.of(1, 255, 255)), Uint8Array.of(2))
  })
})
