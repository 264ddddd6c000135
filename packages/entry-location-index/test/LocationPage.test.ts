/**
 * The packed page: what it takes in it gives back, and it refuses all bytes that
 * it would not have written.
 */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { Location } from "../src/index.ts"
import * as LocationPage from "../src/internal/pages/LocationPage.ts"
import { maxId } from "./support.ts"

const Slot = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))

const AnyLocation = Schema.Union([
  Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: maxId })),
  Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 5_000n })),
  Schema.Literals([0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 53n, maxId - 1n, maxId])
])

const Slots = Schema.Array(Schema.Tuple([Slot, AnyLocation])).check(Schema.isMaxLength(300))

/** Consecutive entries of one log, as they mostly stand. */
const Run = Schema.Struct({
  from: Slot,
  log: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0x7fff_ffff })),
  sizes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 70_000 }))).check(
    Schema.isMaxLength(256)
  )
})

const make = (slots: Iterable<readonly [number, bigint]>): LocationPage.LocationPage => {
  const page = LocationPage.make()
  for (const [slot, location] of slots) LocationPage.set(page, slot, Location.make(location))
  return page
}

const slotsOf = (page: LocationPage.LocationPage): ReadonlyArray<readonly [number, bigint]> =>
  Array.from({ length: 256 }, (_, slot) => [slot, LocationPage.get(page, slot)] as const).flatMap(([slot, location]) =>
    location === undefined ? [] : [[slot, location] as const]
  )

const decoded = (bytes: Uint8Array): LocationPage.LocationPage => Result.getOrThrow(LocationPage.decode(bytes))

const refused = (...bytes: ReadonlyArray<number>): string =>
  Result.match(LocationPage.decode(Uint8Array.from(bytes)), {
    onSuccess: () => "accepted",
    onFailure: (problem) => problem
  })

describe("a page in memory", () => {
  it.prop("has the last location of each slot and counts the slots", { slots: Slots }, ({ slots }) => {
    const model = new Map(slots)
    const page = make(slots)
    assert.deepStrictEqual(new Map(slotsOf(page)), model)
    assert.strictEqual(page.count, model.size)
  })

  it("answers whether a slot was set before", () => {
    const page = LocationPage.make()
    assert.isTrue(LocationPage.set(page, 3, Location.make(0n)))
    assert.isFalse(LocationPage.set(page, 3, Location.make(1n)))
    assert.isTrue(LocationPage.set(page, 0, Location.make(1n)))
    assert.isTrue(LocationPage.has(page, 3))
    assert.isFalse(LocationPage.has(page, 2))
    assert.isFalse(LocationPage.has(page, 255))
  })

  it.prop("takes the slots that another one has set, and keeps its others", { lower: Slots, upper: Slots }, (slots) => {
    const [page, upper] = [make(slots.lower), make(slots.upper)]
    const upperSlots = slotsOf(upper)
    LocationPage.setRange(page, 0, upper.words, 0, upper.length)
    const model = new Map([...slots.lower, ...slots.upper])
    assert.deepStrictEqual(new Map(slotsOf(page)), model)
    assert.strictEqual(page.count, model.size)
    assert.deepStrictEqual(slotsOf(upper), upperSlots, "the other one has not changed")
  })

  it.prop("that is cleared is empty, and can be used again", { before: Slots, after: Slots }, ({ after, before }) => {
    const page = make(before)
    LocationPage.clear(page)
    assert.deepStrictEqual([slotsOf(page), page.count, page.length], [[], 0, 0])
    assert.isUndefined(LocationPage.decodeInto(page, LocationPage.encode(make(after))))
    assert.deepStrictEqual(LocationPage.encode(page), LocationPage.encode(make(after)))
  })
})

describe("a page as bytes", () => {
  it.prop("is the same page again", { slots: Slots }, ({ slots }) => {
    const page = make(slots)
    const again = decoded(LocationPage.encode(page))
    assert.deepStrictEqual(slotsOf(again), slotsOf(page))
    assert.strictEqual(again.count, page.count)
    assert.strictEqual(again.length, page.length)
  })

  it.prop("answers for each slot what the page does", { slots: Slots }, ({ slots }) => {
    const page = make(slots)
    const bytes = LocationPage.encode(page)
    for (let slot = 0; slot < 256; slot++) {
      assert.strictEqual(LocationPage.locate(bytes, slot), LocationPage.get(page, slot))
    }
  })

  it.prop("answers for any bytes a location, or what is wrong", { bytes: Schema.Uint8Array, slot: Slot }, (any) => {
    for (const marker of [[], [LocationPage.version], [LocationPage.version, 5, 0], [LocationPage.version, 5, 1]]) {
      const found = LocationPage.locate(Uint8Array.of(...marker, ...any.bytes), any.slot)
      assert.isTrue(found === undefined || typeof found === "string" || Location.is(found))
    }
  })

  it.prop("is the same page again, for a run of entries in one log", { run: Run }, ({ run }) => {
    let location = Location.fromLog(run.log, 1024)
    const page = make(
      run.sizes.flatMap((size, at) => {
        location = Location.make(location + BigInt(size))
        return run.from + at < 256 ? [[run.from + at, location] as const] : []
      })
    )
    assert.deepStrictEqual(slotsOf(decoded(LocationPage.encode(page))), slotsOf(page))
  })

  it("does not depend on the order in which the slots were set, nor on what they held before", () => {
    const slots = [3, 200, 7, 0].map((slot) => [slot, BigInt(slot) * 100n] as const)
    const other = [[7, maxId] as const, ...slots.toReversed()]
    assert.deepStrictEqual(LocationPage.encode(make(slots)), LocationPage.encode(make(other)))
  })

  it("takes two bytes for an entry that follows its neighbour", () => {
    const page = make(Array.from({ length: 256 }, (_, slot) => [slot, (9n << 32n) + 1024n + BigInt(slot) * 1100n]))
    assert.isBelow(LocationPage.encode(page).length, 2 * 256 + 8)
  })

  it.prop(
    "is refused, or is the one encoding of what it decodes to, if bits of it flip",
    { slots: Slots, at: Schema.Natural, bit: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 7 })) },
    ({ at, bit, slots }) => {
      const bytes = LocationPage.encode(make(slots))
      const place = at % bytes.length
      bytes[place] = (bytes[place] ?? 0) ^ (1 << bit)
      assertCanonical(bytes)
    },
    { arbitrary: { runs: 2000 } }
  )

  it.prop("is refused or canonical if it is any bytes", { bytes: Schema.Uint8Array }, ({ bytes }) => {
    assertCanonical(bytes)
    assertCanonical(Uint8Array.of(LocationPage.version, ...bytes))
    assertCanonical(Uint8Array.of(LocationPage.version, 5, 1, ...bytes))
  })

  it.prop("is refused if it is cut short or goes on", { slots: Slots, cut: Schema.Natural }, ({ cut, slots }) => {
    const bytes = LocationPage.encode(make([[5, 7n], ...slots]))
    const short = bytes.subarray(0, cut % bytes.length)
    // The version alone is the empty page.
    if (short.length !== 1) assert.isTrue(Result.isFailure(LocationPage.decode(short)))
    assert.isTrue(Result.isFailure(LocationPage.decode(Uint8Array.of(...bytes, 0))))
    assert.isTrue(Result.isFailure(LocationPage.decode(Uint8Array.of(...bytes, 1))))
  })

  it("is refused if it is of another version, or nothing", () => {
    assert.match(refused(2, 0, 0, 5), /version is 2, not 1/)
    assert.match(refused(), /version is missing/)
  })

  it("is refused if which slots are set is not said in the one way", () => {
    assert.match(refused(1, 1, 2, 5, 5), /does not say which slots/)
    assert.match(refused(1, 1, 1, 0b11, 5, 5), /all of them are set/)
    assert.match(refused(1, 1, 1, 0b01, 5), /highest slot is not set/)
    assert.match(refused(1, 1, 1, 0b110, 5), /above the highest one/)
    assert.match(refused(1, 8, 1, 0b1), /truncated/)
  })

  it("is refused if a location is not said in the one way", () => {
    assert.match(refused(1, 0, 0, 0, 0, 5), /follows from the one before/)
    assert.match(refused(1, 0, 0, 0x85, 0x00), /longer than it need be/)
    assert.match(refused(1, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01), /out of range/)
    assert.match(refused(1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x1f), /out of range/)
    assert.match(refused(1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1), /position is out of range/)
    assert.match(refused(1, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x08, 0), /log id is out of range/)
    assert.match(refused(1, 0, 0, 5, 9), /1 bytes follow/)
  })

  it("takes up no more than a page when it is decoded, whatever it claims", () => {
    for (const bytes of [
      [1, 255, 0],
      [1, 255, 1, ...Array.from({ length: 32 }, () => 0xff)],
      [1, 255, 0, 0xff]
    ]) {
      assert.isTrue(Result.isFailure(LocationPage.decode(Uint8Array.from(bytes))))
    }
    const page = decoded(LocationPage.encode(make([[255, maxId]])))
    assert.isAtMost(page.words.length, 2 * LocationPage.slotCount)
  })
})

const assertCanonical = (bytes: Uint8Array): void => {
  const page = LocationPage.decode(bytes)
  if (Result.isSuccess(page)) {
    assert.deepStrictEqual(LocationPage.encode(page.success), Uint8Array.from(bytes))
    assert.isAtMost(page.success.words.length, 2 * LocationPage.slotCount)
  }
}
