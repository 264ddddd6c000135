/**
 * The bound for bytes in flight.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Admission } from "../src/internal/write/Admission.ts"

interface Visitor {
  readonly name: number
  readonly bytes: number
}

const opened = (limit: number) => {
  const inside: Array<Visitor> = []
  const admission = new Admission<Visitor>(limit, (visitor) => inside.push(visitor))
  return { admission, inside, names: () => inside.map(({ name }) => name) }
}

const visitor = (name: number, bytes: number): Visitor => ({ name, bytes })

describe("Admission", () => {
  it("lets in who fits, and others when there is room", () => {
    const { admission, names } = opened(10)
    const [first, second, third] = [visitor(1, 6), visitor(2, 4), visitor(3, 1)]
    for (const each of [first, second, third]) admission.arrive(each)
    assert.deepStrictEqual(names(), [1, 2])
    assert.strictEqual(admission.bytesInFlight, 10)
    assert.strictEqual(admission.waiting, 1)
    admission.leave(second)
    assert.deepStrictEqual(names(), [1, 2, 3])
    assert.strictEqual(admission.bytesInFlight, 7)
  })

  it("nobody overtakes, also who would fit", () => {
    const { admission, names } = opened(10)
    const first = visitor(1, 8)
    admission.arrive(first)
    admission.arrive(visitor(2, 5))
    admission.arrive(visitor(3, 1))
    assert.deepStrictEqual(names(), [1])
    admission.leave(first)
    assert.deepStrictEqual(names(), [1, 2, 3])
  })

  it("who is larger than the bound goes in alone", () => {
    const { admission, names } = opened(10)
    const [small, large] = [visitor(1, 1), visitor(2, 1000)]
    admission.arrive(small)
    admission.arrive(large)
    admission.arrive(visitor(3, 1))
    assert.deepStrictEqual(names(), [1])
    admission.leave(small)
    assert.deepStrictEqual(names(), [1, 2])
    admission.leave(large)
    assert.deepStrictEqual(names(), [1, 2, 3])
  })

  it("who leaves the line makes way for those behind", () => {
    const { admission, names } = opened(10)
    const [first, second] = [visitor(1, 8), visitor(2, 5)]
    admission.arrive(first)
    admission.arrive(second)
    admission.arrive(visitor(3, 2))
    assert.isTrue(admission.withdraw(second))
    assert.deepStrictEqual(names(), [1, 3])
    assert.isFalse(admission.withdraw(second))
    assert.isFalse(admission.withdraw(first), "it is inside")
    assert.strictEqual(admission.bytesInFlight, 10)
  })

  it("those who are sent home are no longer let in", () => {
    const { admission, names } = opened(10)
    const first = visitor(1, 10)
    admission.arrive(first)
    admission.arrive(visitor(2, 1))
    admission.arrive(visitor(3, 1))
    assert.deepStrictEqual(
      admission.dismiss().map(({ name }) => name),
      [2, 3]
    )
    admission.leave(first)
    assert.deepStrictEqual(names(), [1])
    assert.strictEqual(admission.bytesInFlight, 0)
  })

  it("who comes while another is let in does not overtake", () => {
    const inside: Array<number> = []
    let admission: Admission<Visitor> | undefined
    const more = [visitor(4, 1), visitor(5, 1)]
    admission = new Admission(10, ({ name }) => {
      inside.push(name)
      const next = more.shift()
      if (next !== undefined) admission?.arrive(next)
    })
    const first = visitor(1, 10)
    admission.arrive(first)
    admission.arrive(visitor(2, 1))
    admission.arrive(visitor(3, 1))
    admission.leave(first)
    assert.deepStrictEqual(
      inside,
      [1, 4, 2, 3, 5].toSorted((one, other) => inside.indexOf(one) - inside.indexOf(other))
    )
    assert.isBelow(inside.indexOf(2), inside.indexOf(3))
    assert.isBelow(inside.indexOf(4), inside.indexOf(2), "it came first")
  })

  it.prop(
    "it is always full, in order, and never beyond the bound with more than one",
    { steps: Schema.Array(Schema.Struct({ bytes: Schema.Literals([1, 3, 7, 25]), leave: Schema.Natural })) },
    ({ steps }) => {
      const { admission, inside } = opened(20)
      const left = new Set<Visitor>()
      steps.forEach(({ bytes, leave }, name) => {
        admission.arrive(visitor(name, bytes))
        const present = inside.filter((each) => !left.has(each))
        const leaving = leave % 3 === 0 ? present[leave % Math.max(present.length, 1)] : undefined
        if (leaving !== undefined) {
          left.add(leaving)
          admission.leave(leaving)
        }
        const now = inside.filter((each) => !left.has(each))
        const sum = now.reduce((total, each) => total + each.bytes, 0)
        assert.strictEqual(admission.bytesInFlight, sum)
        assert.isTrue(sum <= 20 || now.length === 1)
        assert.deepStrictEqual(
          inside.map((each) => each.name),
          inside.map((_, index) => index)
        )
        const first = steps[inside.length]
        if (admission.waiting > 0) assert.isTrue(first !== undefined && sum > 0 && sum + first.bytes > 20)
        assert.strictEqual(admission.waiting + inside.length, name + 1)
      })
    },
    { arbitrary: { runs: 300 } }
  )
})
