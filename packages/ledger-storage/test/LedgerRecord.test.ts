/**
 * Records of ledger -1.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { crc32 } from "node:zlib"
import * as LedgerRecord from "../src/internal/format/LedgerRecord.ts"
import { AnyLedgerId, blob, ledger, viewOf } from "./support.ts"

const AnyRecord = Schema.Union([
  Schema.TaggedStruct("Log", { seed: Schema.Natural, copies: Schema.Boolean }),
  Schema.TaggedStruct("LedgerCreated", {
    ledgerId: AnyLedgerId,
    createdAt: Schema.Literals([0, 1, -1, 1_790_000_000_000, 8.64e15]),
    size: Schema.Literals([0, 1, 100, 64 * 1024])
  }),
  Schema.TaggedStruct("LedgerFenced", { ledgerId: AnyLedgerId }),
  Schema.TaggedStruct("LedgersDeleted", { ledgerIds: Schema.NonEmptyArray(AnyLedgerId) }),
  Schema.TaggedStruct("LedgerIdsGiven", { lengths: Schema.NonEmptyArray(Schema.Literals([1, 2, 1000])) })
])

const recordOf = (drawn: typeof AnyRecord.Type): LedgerRecord.LedgerRecord => {
  switch (drawn._tag) {
    case "Log":
      return { _tag: "Log", storageId: blob(16, drawn.seed), copies: drawn.copies }
    case "LedgerCreated": {
      const { createdAt, ledgerId, size } = drawn
      return { _tag: "LedgerCreated", ledgerId: ledger(ledgerId), createdAt, metadata: blob(size) }
    }
    case "LedgerFenced":
      return { _tag: "LedgerFenced", ledgerId: ledger(drawn.ledgerId) }
    case "LedgersDeleted":
      return { _tag: "LedgersDeleted", ledgerIds: drawn.ledgerIds.map(ledger) }
    case "LedgerIdsGiven": {
      let first = 0
      const ranges = drawn.lengths.map((length) => {
        const range = { first: ledger(first), last: ledger(first + length - 1) }
        first += length + 1
        return range
      })
      return { _tag: "LedgerIdsGiven", ranges }
    }
  }
}

const frameOf = (record: LedgerRecord.LedgerRecord): Uint8Array => {
  const frame = new Uint8Array(LedgerRecord.frameSize(record))
  LedgerRecord.encode(frame, viewOf(frame), 0, record)
  return frame
}

const bodyOf = (record: LedgerRecord.LedgerRecord): Uint8Array => frameOf(record).subarray(4)

/** Puts the right checksum into a body. */
const seal = (body: Uint8Array): Uint8Array => {
  viewOf(body).setUint32(16, crc32(body.subarray(20), crc32(body.subarray(0, 16))))
  return body
}

/** What becomes of a body of a kind with this content, bytes and int64s, and the right checksum. */
const withContent = (
  kind: number,
  content: ReadonlyArray<bigint | number>
): LedgerRecord.LedgerRecord["_tag"] | string => {
  const body = new Uint8Array(24 + content.reduce<number>((size, part) => size + (typeof part === "bigint" ? 8 : 1), 0))
  const view = viewOf(body)
  view.setBigInt64(0, -1n)
  view.setUint16(20, kind)
  view.setUint16(22, 1)
  let offset = 24
  for (const part of content) {
    if (typeof part === "bigint") view.setBigInt64(offset, part)
    else view.setUint8(offset, part)
    offset += typeof part === "bigint" ? 8 : 1
  }
  return LedgerRecord.decode(seal(body))._tag
}

const fenced: LedgerRecord.LedgerRecord = { _tag: "LedgerFenced", ledgerId: ledger(3) }

describe("LedgerRecord", () => {
  it.prop(
    "what is encoded is decoded again",
    { drawn: AnyRecord },
    ({ drawn }) => {
      const record = recordOf(drawn)
      assert.deepStrictEqual(LedgerRecord.decode(bodyOf(record)), record)
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop(
    "a record takes the room that it says, and leaves what is around it alone",
    { drawn: AnyRecord },
    ({ drawn }) => {
      const record = recordOf(drawn)
      const size = LedgerRecord.frameSize(record)
      const around = new Uint8Array(size + 20).fill(0xab)
      assert.strictEqual(LedgerRecord.encode(around, viewOf(around), 10, record), 10 + size)
      assert.deepStrictEqual(around.slice(10, 10 + size), frameOf(record))
      assert.isTrue([...around.subarray(0, 10), ...around.subarray(10 + size)].every((byte) => byte === 0xab))
    }
  )

  it("stands in the logs as an entry of ledger -1", () => {
    const view = viewOf(frameOf(fenced))
    assert.strictEqual(view.getInt32(0), view.byteLength - 4)
    assert.strictEqual(view.getBigInt64(4), -1n)
    assert.notStrictEqual(view.getBigInt64(12), -2n, "that is the ledgers map")
  })

  it("what is decoded is no view of the body", () => {
    const body = bodyOf({ _tag: "LedgerCreated", ledgerId: ledger(1), createdAt: 5, metadata: blob(10, 1) })
    const decoded = LedgerRecord.decode(body)
    body.fill(0)
    assert.deepInclude(decoded, { metadata: blob(10, 1) })
  })

  it.prop(
    "a record in which a bit was flipped is refused as damaged",
    { drawn: AnyRecord, at: Schema.Natural, bit: Schema.Literals([0, 1, 2, 3, 4, 5, 6, 7]) },
    ({ at, bit, drawn }) => {
      const body = bodyOf(recordOf(drawn))
      const place = at % body.length
      body[place] = (body[place] ?? 0) ^ (1 << bit)
      assert.strictEqual(LedgerRecord.decode(body)._tag, "Damaged")
    },
    { arbitrary: { runs: 500 } }
  )

  it("a record that was cut off is refused as damaged", () => {
    const body = bodyOf({ _tag: "LedgerCreated", ledgerId: ledger(1), createdAt: 5, metadata: blob(10) })
    for (let length = 0; length < body.length; length += 1) {
      assert.strictEqual(LedgerRecord.decode(body.subarray(0, length))._tag, "Damaged")
    }
  })

  it("a kind that is not known is refused as one of a later release", () => {
    const body = bodyOf(fenced)
    viewOf(body).setUint16(20, 99)
    const decoded = LedgerRecord.decode(seal(body))
    assert.deepInclude(decoded, { _tag: "Unsupported" })
    assert.include("problem" in decoded ? decoded.problem : "", "kind 99, which a later release wrote")
  })

  it("a version that is not known is refused as one of a later release", () => {
    const body = bodyOf(fenced)
    viewOf(body).setUint16(22, 2)
    const decoded = LedgerRecord.decode(seal(body))
    assert.deepInclude(decoded, { _tag: "Unsupported" })
    assert.include(
      "problem" in decoded ? decoded.problem : "",
      "LedgerFenced of version 2, which a later release wrote"
    )
  })

  it("contents that no storage writes are refused, whatever their checksum says", () => {
    assert.strictEqual(withContent(1, [1n, 2n, 1]), "Log")
    assert.strictEqual(withContent(1, [1n, 2n, 2]), "Damaged")
    assert.strictEqual(withContent(1, [1n, 2n]), "Damaged")
    assert.strictEqual(withContent(1, [1n, 2n, 0, 0]), "Damaged")
    assert.strictEqual(withContent(2, [1n, 0n]), "LedgerCreated")
    assert.strictEqual(withContent(2, [-1n, 0n]), "Damaged")
    assert.strictEqual(withContent(2, [1n]), "Damaged")
    assert.strictEqual(withContent(2, [1n, 2n ** 62n]), "Damaged")
    assert.strictEqual(withContent(2, [1n, 0n, ...Array.from({ length: 8193 }, () => 0n)]), "Damaged")
    assert.strictEqual(withContent(3, [1n]), "LedgerFenced")
    assert.strictEqual(withContent(3, [1n, 2n]), "Damaged")
    assert.strictEqual(withContent(3, [-5n]), "Damaged")
    assert.strictEqual(withContent(4, [1n, 2n]), "LedgersDeleted")
    assert.strictEqual(withContent(4, []), "Damaged")
    assert.strictEqual(withContent(4, [1n, -2n]), "Damaged")
    assert.strictEqual(withContent(4, [1n, 7]), "Damaged")
    assert.strictEqual(
      withContent(
        4,
        Array.from({ length: 10_001 }, () => 1n)
      ),
      "Damaged"
    )
    assert.strictEqual(withContent(5, [1n, 2n, 4n, 4n]), "LedgerIdsGiven")
    assert.strictEqual(withContent(5, [1n, 2n, 3n, 4n]), "Damaged")
    assert.strictEqual(withContent(5, [2n, 1n]), "Damaged")
    assert.strictEqual(withContent(5, [5n, 6n, 1n, 2n]), "Damaged")
    assert.strictEqual(withContent(5, [1n]), "Damaged")
    assert.strictEqual(withContent(5, []), "Damaged")
  })

  it("an entry of another ledger is no record", () => {
    const body = bodyOf(fenced)
    viewOf(body).setBigInt64(0, 1n)
    assert.strictEqual(LedgerRecord.decode(seal(body))._tag, "Damaged")
  })
})
