/**
 * The bytes of a journal record: what is written is what is read, and whatever
 * else the bytes are, it is said what is wrong with them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { EntryId, LedgerId, Location } from "../src/index.ts"
import * as Words from "../src/internal/WriteBatch.ts"
import { WriteBatch } from "../src/internal/WriteBatch.ts"
import { decode, Encoder, type JournalRecord } from "../src/internal/journal/JournalRecord.ts"
import { high, join, low } from "../src/internal/words.ts"
import { maxId } from "./support.ts"

const edges = [0n, 1n, 127n, 128n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, maxId - 1n, maxId]

const Id = Schema.Union([
  Schema.Literals(edges),
  Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: maxId }))
])

const Count = Schema.Union([
  Schema.Literals([0, 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]),
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))
])

const Add = Schema.TaggedStruct("add", {
  ledgerId: Id,
  /** Entries one after another, or each by itself. */
  entries: Schema.Union([
    Schema.TaggedStruct("consecutive", {
      from: Id,
      count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))
    }),
    Schema.TaggedStruct("each", { ids: Schema.NonEmptyArray(Id).check(Schema.isMaxLength(20)) })
  ]),
  /** Where the first one is, and how much further on the next ones are; over the end it begins again. */
  location: Id,
  step: Schema.Literals([0n, 1n, 1040n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 62n, -1040n]),
  entriesOfLedger: Count,
  /** The last entry of the ledger, if it is not that of the run. */
  last: Schema.UndefinedOr(Id)
})

const Run = Schema.Union([Add, Schema.TaggedStruct("delete", { ledgerId: Id })])

type Run = typeof Run.Type

const Record = Schema.Struct({ groups: Schema.Array(Run).check(Schema.isMaxLength(12)), entries: Count })

type Record = typeof Record.Type

/** A run as plain values. */
interface Plain {
  readonly ledgerId: bigint
  readonly isDelete: boolean
  readonly added: ReadonlyArray<readonly [entryId: bigint, location: bigint]>
  readonly entries: number
  readonly last: bigint | undefined
}

const plain = (run: Run): Plain => {
  if (run._tag === "delete") return { ledgerId: run.ledgerId, isDelete: true, added: [], entries: 0, last: undefined }
  const ids =
    run.entries._tag === "each"
      ? run.entries.ids
      : Array.from(
          { length: run.entries.count },
          (_, at) => (run.entries._tag === "consecutive" ? run.entries.from : 0n) + BigInt(at)
        ).filter((entryId) => entryId <= maxId)
  return {
    ledgerId: run.ledgerId,
    isDelete: false,
    added: ids.map((entryId, at) => [entryId, (run.location + BigInt(at) * run.step) & maxId] as const),
    entries: run.entriesOfLedger,
    last: run.last ?? ids.at(-1)
  }
}

const encode = (encoder: Encoder, { entries, groups }: Record): Uint8Array => {
  const changes = new WriteBatch()
  encoder.begin()
  for (const { added, entries: ofLedger, isDelete, last, ledgerId } of groups.map(plain)) {
    const start = changes.size
    if (isDelete) changes.deleteLedger(LedgerId.make(ledgerId))
    for (const [entryId, location] of added) {
      changes.add(LedgerId.make(ledgerId), EntryId.make(entryId), Location.make(location))
    }
    encoder.group(
      changes,
      start,
      changes.size,
      ofLedger,
      last === undefined ? -1 : high(last),
      last === undefined ? 0 : low(last)
    )
  }
  return encoder.end(entries)
}

/** What a record that has been read says, run by run. */
const plainOf = ({ changes, groups }: JournalRecord): ReadonlyArray<Plain> => {
  const id = (mutation: number, highAt: number, lowAt: number) =>
    join(changes.words[mutation * Words.stride + highAt] ?? 0, changes.words[mutation * Words.stride + lowAt] ?? 0)
  return Array.from({ length: groups.size }, (_, nth) => {
    const start = groups.start(nth)
    const mutations = Array.from({ length: groups.end(nth) - start }, (_, at) => start + at)
    const isDelete = changes.isDelete(start)
    for (const mutation of mutations) {
      assert.strictEqual(
        id(mutation, Words.ledgerHighAt, Words.ledgerLowAt),
        id(start, Words.ledgerHighAt, Words.ledgerLowAt)
      )
    }
    return {
      ledgerId: id(start, Words.ledgerHighAt, Words.ledgerLowAt),
      isDelete,
      added: isDelete
        ? []
        : mutations.map(
            (mutation) =>
              [id(mutation, Words.entryHighAt, Words.entryLowAt), id(mutation, Words.highAt, Words.lowAt)] as const
          ),
      entries: groups.entries(nth),
      last: groups.lastHigh(nth) < 0 ? undefined : join(groups.lastHigh(nth), groups.lastLow(nth))
    }
  })
}

/** Reads bytes that may be anything: that says what is wrong, or answers no more than the bytes can hold. */
const read = (bytes: Uint8Array): JournalRecord | string => {
  const record = decode(bytes)
  if (typeof record === "string") {
    assert.notStrictEqual(record, "")
    return record
  }
  assert.isAtMost(record.changes.size, bytes.length)
  assert.isAtMost(record.changes.words.byteLength, 1024 + 100 * bytes.length)
  assert.isTrue(Number.isSafeInteger(record.entries) && record.entries >= 0)
  for (const { added, entries, last, ledgerId } of plainOf(record)) {
    for (const value of [ledgerId, last ?? 0n, ...added.flat()]) assert.isTrue(value >= 0n && value <= maxId)
    assert.isTrue(Number.isSafeInteger(entries) && entries >= 0)
  }
  return record
}

describe("a journal record", () => {
  // One encoder for all, as it has: nothing of the record before is left in the next one.
  const encoder = new Encoder()

  it.prop(
    "is read as it was written",
    { record: Record },
    ({ record }) => {
      const found = decode(encode(encoder, record))
      if (typeof found === "string") return assert.fail(found)
      assert.strictEqual(found.entries, record.entries)
      assert.deepStrictEqual(plainOf(found), record.groups.map(plain))
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop(
    "that is cut short anywhere, or goes on, is refused",
    { record: Record },
    ({ record }) => {
      const bytes = encode(encoder, record)
      for (let length = 0; length < bytes.length; length++) {
        assert.isString(read(bytes.subarray(0, length)), `${length} of ${bytes.length} bytes`)
      }
      assert.match(String(read(Uint8Array.of(...bytes, 0))), /1 bytes follow its end/)
    },
    { arbitrary: { runs: 60 } }
  )

  it.prop(
    "whose bytes are changed is refused, or says what an index could say",
    {
      record: Record,
      changes: Schema.NonEmptyArray(
        Schema.Struct({
          at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 })),
          byte: Schema.Literals([0, 1, 2, 7, 8, 127, 128, 255])
        })
      ).check(Schema.isMaxLength(4))
    },
    ({ changes, record }) => {
      const bytes = encode(encoder, record)
      for (const { at, byte } of changes) {
        bytes[at % bytes.length] = byte
        read(bytes)
      }
    },
    { arbitrary: { runs: 400 } }
  )

  it.prop(
    "of any bytes is refused, or says what an index could say",
    { bytes: Schema.Uint8Array },
    ({ bytes }) => {
      read(bytes)
      read(Uint8Array.of(1, ...bytes))
    },
    { arbitrary: { runs: 300 } }
  )

  it("takes about two bytes for an entry that follows the one before", () => {
    const added = { _tag: "add", ledgerId: 7n, location: 3n * 2n ** 32n + 1024n, step: 1040n, last: undefined } as const
    const one = {
      ...added,
      entriesOfLedger: 1000,
      entries: { _tag: "each", ids: Array.from({ length: 1000 }, (_, at) => BigInt(at)) }
    } as const
    assert.isBelow(encode(encoder, { groups: [one as never], entries: 1000 }).length, 2.1 * 1000)
  })

  const many = [255, 255, 255, 255]
  const wrong: ReadonlyArray<readonly [string, ReadonlyArray<number>, RegExp]> = [
    ["of no bytes", [], /version is missing/],
    ["of another version", [2, 0, 0, 0], /version is 2, not 1/],
    ["without an end", [1], /truncated/],
    ["whose count is not there", [1, 0, 0], /truncated/],
    ["with a delete that has entries", [1, 9, 0, 1, 0, 0, 0], /delete/],
    ["with a delete that has flags", [1, 3, 0, 1, 0, 0, 0], /delete/],
    ["with a run of no entries", [1, 4, 0, 1, 0, 1, 0, 0, 0], /number of entries/],
    [
      "with a run of more entries than bytes",
      [1, 252, 255, 255, 255, 15, 0, 1, 0, 1, 0, 0, 1, 0, 0],
      /number of entries/
    ],
    ["with a number longer than it must be", [1, 0x88, 0x00, 0, 1, 0, 1, 0, 5, 1, 0, 0, 1], /too long/],
    ["with a number of more than 32 bits", [1, 14, 0, ...many, 16, 0, 1, 0, 5, 1, 0, 0, 1], /too long/],
    ["with a number of six bytes", [1, 14, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0, 1, 0, 5, 1, 0, 0, 1], /too long/],
    ["with a ledger id above the last one", [1, 14, ...many, 15, 0, 0, 1, 0, 5, 1, 0, 0, 1], /out of range/],
    ["with an entry id above the last one", [1, 14, 0, 1, 0, 1, ...many, 15, 5, 1, 0, 0, 1], /out of range/],
    ["with a last entry above the last one", [1, 10, 0, 1, 0, 1, ...many, 15, 5, 0, 5, 1, 0, 0, 1], /out of range/],
    ["with a location above the last one", [1, 14, 0, 1, 0, 1, 0, 5, 0, ...many, 15, 1, 0, 0, 1], /out of range/],
    ["with a position beyond a log", [1, 22, 0, 1, 0, 2, 0, 5, 1, ...many, 15, 0, 0, 2], /out of range/],
    ["with entries beyond 32 bits", [1, 22, 0, 1, 0, 2, 0, ...many, 15, 1, 1, 0, 0, 2], /out of range/],
    ["with a count of a ledger that no number counts", [1, 14, 0, 1, ...many, 15, 0, 0, 5, 1, 0, 0, 1], /out of range/],
    ["with a count of the index that no number counts", [1, 0, 0x80, 0x80, 0x80, 1, 0], /out of range/],
    ["with bytes behind its end", [1, 0, 0, 0, 0], /1 bytes follow/]
  ]

  it.each([...wrong])("%s is refused", (_, bytes, problem) => {
    assert.match(String(read(Uint8Array.from(bytes))), problem)
  })

  it("that is like those, but right, is read", () => {
    const found = read(Uint8Array.of(1, 14, 0, 1, 0, 1, 0, 5, 1, 1, 0, 2, 0, 0, 1))
    assert.isObject(found)
  })
})
