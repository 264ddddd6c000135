/**
 * Entries as they stand in the logs.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { crc32 } from "node:zlib"
import * as EntryFrame from "../src/internal/format/EntryFrame.ts"
import { AnyLedgerId, AnySize, blob, bodiesOf, bytes, framesOf, ledger, viewOf } from "./support.ts"

const FirstId = Schema.Literals([0n, 1n, 1000n, 2n ** 53n, 2n ** 63n - 20n])

/** The payload bytes of a ledger before an entry. */
const lengthBefore = (entryId: bigint): bigint => (entryId === 0n ? 0n : 12_345_678_901n)

/** A body whose fields say this, with a checksum that is right. */
const bodyWith = (ledgerId: bigint, entryId: bigint, lastAddConfirmed: bigint, length: bigint, payload: Uint8Array) => {
  const body = new Uint8Array(40 + payload.length)
  const view = viewOf(body)
  ;[ledgerId, entryId, lastAddConfirmed, length].forEach((field, index) => view.setBigInt64(8 * index, field))
  body.set(payload, 40)
  view.setUint32(36, crc32(payload, crc32(body.subarray(0, 32))))
  return body
}

const problemOf = (body: Uint8Array): string | undefined => {
  const decoded = EntryFrame.decode(body)
  return "problem" in decoded ? decoded.problem : undefined
}

describe("EntryFrame", () => {
  it.prop(
    "what is encoded into a shared buffer is decoded again, entry by entry",
    { ledgerId: AnyLedgerId, from: FirstId, sizes: Schema.Array(AnySize).check(Schema.isMaxLength(8)) },
    ({ from, ledgerId, sizes }) => {
      const payloads = sizes.map((size, seed) => blob(size, seed))
      const frames = framesOf(ledger(ledgerId), from, payloads, lengthBefore(from))
      let length = lengthBefore(from)
      const expected = payloads.map((payload, index) => {
        length += BigInt(payload.length)
        return { ledgerId, entryId: from + BigInt(index), length, payload }
      })
      assert.deepStrictEqual<unknown>(bodiesOf(frames).map(EntryFrame.decode), expected)
    }
  )

  it("has the bytes that BookKeeper's client sends with DigestType.CRC32", () => {
    // What DigestManager 4.17.3 packaged for these ledgers, ids, lengths and payloads.
    const [, second = new Uint8Array(0)] = bodiesOf(framesOf(ledger(7), 0n, [bytes("before"), bytes("hello")]))
    assert.strictEqual(
      Buffer.from(second).toString("hex"),
      "000000000000000700000000000000010000000000000000000000000000000b000000001c2e13c468656c6c6f"
    )
    const [first = new Uint8Array(0)] = bodiesOf(framesOf(ledger(2n ** 63n - 1n), 0n, [new Uint8Array(0)]))
    assert.strictEqual(
      Buffer.from(first).toString("hex"),
      "7fffffffffffffff0000000000000000ffffffffffffffff000000000000000000000000fdd58d9b"
    )
  })

  it("has its size in front, in a log", () => {
    const frames = framesOf(ledger(7), 0n, [bytes("before"), bytes("hello")])
    assert.strictEqual(viewOf(frames).getInt32(0), 46)
    assert.strictEqual(viewOf(frames).getInt32(50), 45)
  })

  it("leaves the bytes around a frame alone", () => {
    const around = new Uint8Array(100).fill(0xab)
    const end = EntryFrame.putPayload(around, viewOf(around), 10, bytes("hello"))
    EntryFrame.putHeader(around, viewOf(around), 10, ledger(1), 0n, 5n)
    assert.strictEqual(end, 59)
    assert.isTrue(around.subarray(0, 10).every((byte) => byte === 0xab))
    assert.isTrue(around.subarray(59).every((byte) => byte === 0xab))
  })

  it("works on a view that does not begin where its buffer does", () => {
    const around = new Uint8Array(200)
    const part = around.subarray(33, 133)
    EntryFrame.putPayload(part, viewOf(part), 0, bytes("hello"))
    EntryFrame.putHeader(part, viewOf(part), 0, ledger(1), 0n, 5n)
    assert.isUndefined(problemOf(part.subarray(4, 49)))
  })

  it.prop(
    "a body in which a bit was flipped is refused",
    { size: AnySize, at: Schema.Natural, bit: Schema.Literals([0, 1, 2, 3, 4, 5, 6, 7]) },
    ({ at, bit, size }) => {
      const [body = new Uint8Array(0)] = bodiesOf(framesOf(ledger(5), 3n, [blob(size)], 99n))
      const place = at % body.length
      body[place] = (body[place] ?? 0) ^ (1 << bit)
      assert.isDefined(problemOf(body))
    },
    { arbitrary: { runs: 500 } }
  )

  it("a body that was cut off or goes on is refused", () => {
    const [body = new Uint8Array(0)] = bodiesOf(framesOf(ledger(5), 0n, [blob(20)]))
    for (let length = 0; length < body.length; length += 1) assert.isDefined(problemOf(body.subarray(0, length)))
    assert.isDefined(problemOf(Uint8Array.from([...body, 0])))
    assert.isUndefined(problemOf(body))
  })

  it("zeros are refused", () => {
    for (const length of [0, 16, 39, 40, 41, 1000]) assert.isDefined(problemOf(new Uint8Array(length)))
  })

  it("a body that its checksum agrees with, and that no storage writes, is refused", () => {
    const payload = bytes("hello")
    assert.isUndefined(problemOf(bodyWith(1n, 4n, 3n, 100n, payload)))
    assert.include(problemOf(bodyWith(-1n, 4n, 3n, 100n, payload)), "ledger -1")
    assert.include(problemOf(bodyWith(1n, -4n, -5n, 100n, payload)), "entry id -4")
    assert.include(problemOf(bodyWith(1n, 4n, 2n, 100n, payload)), "last add confirmed is 2")
    assert.include(problemOf(bodyWith(1n, 4n, 3n, 4n, payload)), "has 4 bytes")
    assert.include(problemOf(bodyWith(1n, 0n, -1n, 6n, payload)), "has 6 bytes")
    assert.isUndefined(problemOf(bodyWith(1n, 0n, -1n, 5n, payload)))
  })

  it("a checksum that is more than 32 bits is refused", () => {
    const body = bodyWith(1n, 4n, 3n, 100n, bytes("hello"))
    viewOf(body).setUint32(32, 1)
    assert.include(problemOf(body), "checksum")
  })
})
