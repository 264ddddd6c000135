/**
 * Damage against crashes: what only a crash leaves is passed over, and what is
 * lost by anything else is never passed over in silence.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type EntryLog, type EntryLogError, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { bytes, entry, logBytes, using } from "./support.ts"

/** How bytes of payloads are made: what has no pattern, what is all the same, and what is read as text. */
const fills = {
  random: (length: number, seed: number) =>
    Uint8Array.from({ length }, (_, at) => Math.imul(seed * 7919 + at, 0x9e37_79b1) >>> 24),
  zeros: (length: number) => new Uint8Array(length),
  text: (length: number, seed: number) => Uint8Array.from({ length }, (_, at) => 97 + ((seed + at * 7) % 26))
}

const Sizes = Schema.Literals([0, 1, 15, 44, 80, 300, 1000, 5000])

/** Entries of a few ledgers, each with the next id of its ledger. */
const Shape = Schema.Struct({
  fill: Schema.Literals(["random", "zeros", "text"]),
  ledgers: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })),
  sizes: Schema.Array(Sizes).check(Schema.isMinLength(4), Schema.isMaxLength(40))
})

const entriesOf = ({ fill, ledgers, sizes }: typeof Shape.Type): ReadonlyArray<EntryLog.Entry> =>
  sizes.map((size, at) => entry(BigInt(5 + (at % ledgers)), BigInt(Math.floor(at / ledgers)), fills[fill](size, at)))

/** Where each entry begins in a log of them, and where the last one ends. */
const boundsOf = (entries: ReadonlyArray<EntryLog.Entry>): ReadonlyArray<number> => {
  const bounds = [1024]
  for (const { payload } of entries) bounds.push((bounds.at(-1) ?? 0) + 20 + payload.length)
  return bounds
}

const Place = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))

/** What a scan of the only log of a directory gives before it ends or fails. */
const scan = (log: Uint8Array, options: EntryLog.ScanOptions = {}) =>
  Effect.gen(function* () {
    const directory = yield* Fixtures.temporaryDirectory
    Fs.writeFileSync(Path.join(directory, "0.log"), log)
    return yield* scanDirectory(directory, options)
  }).pipe(Effect.scoped)

const scanDirectory = (directory: string, options: EntryLog.ScanOptions = {}) =>
  using({ directory, readOnly: true }, (log) =>
    Effect.gen(function* () {
      const seen: Array<EntryLog.LocatedEntry> = []
      const failure = yield* Stream.runForEach(log.scan(options), (found) =>
        Effect.sync(() => void seen.push(found))
      ).pipe(
        Effect.as<EntryLogError.EntryLogError | undefined>(undefined),
        Effect.catch((error) => Effect.succeed(error))
      )
      return { failure, seen }
    })
  )

const assertCorruption = (failure: EntryLogError.EntryLogError | undefined, file = "0.log"): void => {
  assert.strictEqual(failure?.reason._tag, "Corruption")
  assert.include(failure?.message, `${file}: `)
  assert.match(failure?.message ?? "", /\bbyte \d+/)
}

const idsOf = (entries: ReadonlyArray<EntryLog.Entry>) =>
  entries.map(({ entryId, ledgerId, payload }) => [ledgerId, entryId, payload.length])

describe("what a crash leaves of a log that is not sealed", () => {
  it.effect.prop(
    "is whole up to where it was cut, wherever that is",
    { shape: Shape, place: Place },
    ({ place, shape }) =>
      Effect.gen(function* () {
        const entries = entriesOf(shape)
        const whole = logBytes(entries)
        const cut = 1024 + (place % (whole.length - 1023))
        const { failure, seen } = yield* scan(whole.subarray(0, cut))
        assert.strictEqual(failure, undefined)
        const kept = boundsOf(entries).filter((bound) => bound <= cut).length - 1
        assert.deepStrictEqual(idsOf(seen), idsOf(entries.slice(0, kept)))
      }),
    { arbitrary: { runs: 200 } }
  )

  it.effect.prop(
    "is whole up to the sector from which on zeros follow, and no id is one that nobody wrote",
    { shape: Shape, place: Place, zeros: Schema.Literals([1300, 4096, 300_000]) },
    ({ place, shape, zeros }) =>
      Effect.gen(function* () {
        const entries = entriesOf(shape)
        const whole = logBytes(entries)
        const cut = 512 * (2 + (place % Math.floor(whole.length / 512 - 1)))
        const bounds = boundsOf(entries)
        const { failure, seen } = yield* scan(Buffer.concat([whole.subarray(0, cut), Buffer.alloc(zeros + 5100)]))
        assert.strictEqual(failure, undefined)
        const kept = bounds.filter((bound) => bound <= cut).length - 1
        // The entry that was cut may be there with its own ids, and zeros in its payload.
        assert.include([kept, kept + 1], seen.length)
        assert.deepStrictEqual(idsOf(seen), idsOf(entries.slice(0, seen.length)))
      }),
    { arbitrary: { runs: 200 } }
  )

  it.effect(
    "may have a hole of blocks that did not reach the disk in its last entries, and none of them readable",
    () =>
      Effect.gen(function* () {
        const kept = [entry(5n, 0n, bytes(2000)), entry(5n, 1n, bytes(900))]
        const log = logBytes([...kept, entry(5n, 2n, fills.random(12_000, 3))])
        log.fill(0, boundsOf(kept).at(-1), 8192)
        const { failure, seen } = yield* scan(log)
        assert.strictEqual(failure, undefined)
        assert.deepStrictEqual(idsOf(seen), idsOf(kept))
      })
  )

  it.effect("is a log of its own, whatever logs come before and after it", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const entries = Array.from({ length: 9 }, (_, id) => entry(1n, BigInt(id), bytes(100, id)))
      for (const [id, log] of [logBytes(entries), logBytes(entries).subarray(0, 1990), logBytes(entries)].entries()) {
        Fs.writeFileSync(Path.join(directory, `${id}.log`), log)
      }
      const { failure, seen } = yield* scanDirectory(directory)
      assert.strictEqual(failure, undefined)
      assert.strictEqual(seen.length, 9 + 8 + 9)
    })
  )
})

/** How the size field of an entry is changed. */
const Size = Schema.Union([
  Schema.TaggedStruct("bit", { bit: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 31 })) }),
  Schema.TaggedStruct("value", {
    value: Schema.Literals([0, -1, -(2 ** 31), 2 ** 31 - 1, 15, 17, 6 * 1024 * 1024, 1_000_000, 50_000])
  })
])

const changed = (size: number, change: typeof Size.Type): number =>
  change._tag === "bit" ? size ^ (1 << change.bit) : change.value

describe("damage to a log that is not sealed", () => {
  it.effect.prop(
    "to the size of an entry that others follow is Corruption",
    { shape: Shape, place: Place, change: Size },
    ({ change, place, shape }) =>
      Effect.gen(function* () {
        const entries = entriesOf(shape)
        const bounds = boundsOf(entries)
        // Two others follow: the last one alone can be of a ledger that no other entry is of.
        const start = bounds[place % (entries.length - 2)] ?? 0
        const log = logBytes(entries)
        const size = changed(log.readInt32BE(start), change)
        // One that is exactly as large as several cannot be told.
        if (size === log.readInt32BE(start) || bounds.includes(start + 4 + size)) return
        log.writeInt32BE(size, start)
        assertCorruption((yield* scan(log)).failure)
      }),
    { arbitrary: { runs: 300 } }
  )

  it.effect.prop(
    "to the top bit of an id is Corruption",
    { shape: Shape, place: Place, at: Schema.Literals([4, 12]) },
    ({ at, place, shape }) =>
      Effect.gen(function* () {
        const entries = entriesOf(shape)
        const log = logBytes(entries)
        const start = boundsOf(entries)[place % entries.length] ?? 0
        log.writeUInt8(log.readUInt8(start + at) ^ 0x80, start + at)
        const { failure, seen } = yield* scan(log)
        assertCorruption(failure)
        assert.include(failure?.message, `byte ${start} `)
        assert.deepStrictEqual(idsOf(seen), idsOf(entries.slice(0, place % entries.length)))
      }),
    { arbitrary: { runs: 100 } }
  )

  it.effect("that zeroes a page among entries of zeros is Corruption", () =>
    Effect.gen(function* () {
      const log = logBytes(Array.from({ length: 1000 }, (_, id) => entry(5n, BigInt(id), new Uint8Array(80))))
      log.fill(0, 8192, 12_288)
      const { failure, seen } = yield* scan(log)
      assertCorruption(failure)
      assert.strictEqual(seen.length, Math.ceil((8192 - 1024 - 20) / 100))
    })
  )

  it.effect("that zeroes the smallest entry, or turns its size into zero, is Corruption", () =>
    Effect.gen(function* () {
      const entries = [entry(0n, 1n), entry(0n, 0n), entry(0n, 2n), entry(0n, 3n)]
      const log = logBytes(entries)
      log.writeInt32BE(0, 1044)
      assertCorruption((yield* scan(log)).failure)
    })
  )

  it.effect("is told of also where the log ends in a torn tail", () =>
    Effect.gen(function* () {
      const entries = Array.from({ length: 20 }, (_, id) => entry(5n, BigInt(id), fills.text(80, id)))
      const log = logBytes(entries).subarray(0, 1024 + 19 * 100 + 50)
      log.writeInt32BE(96 + 2048, 1024 + 100)
      assertCorruption((yield* scan(log)).failure)
    })
  )
})

describe("damage to a sealed log", () => {
  const entries = Array.from({ length: 60 }, (_, id) =>
    entry(BigInt(id % 7), BigInt(id), fills.random((id * 37) % 200, id))
  )

  /** A log that was rolled over, the one after it, and where entries are in the first. */
  const rolledOver = Effect.gen(function* () {
    const directory = yield* Fixtures.temporaryDirectory
    const maxLogSize = boundsOf(entries).at(-1) ?? 0
    const locations = yield* using({ directory, maxLogSize }, (log) => log.appendAll([...entries, entry(9n, 9n)]))
    return { directory, path: Path.join(directory, "0.log"), starts: locations.slice(0, -1).map(Location.position) }
  })

  const assertTold = (damage: (log: Buffer, starts: ReadonlyArray<number>) => Buffer | void) =>
    Effect.gen(function* () {
      const { directory, path, starts } = yield* rolledOver
      const log = Fs.readFileSync(path)
      Fs.writeFileSync(path, damage(log, starts) ?? log)
      assertCorruption((yield* scanDirectory(directory)).failure)
    }).pipe(Effect.scoped)

  it.effect("there is none in one that was left as it is", () =>
    Effect.gen(function* () {
      const { directory } = yield* rolledOver
      const { failure, seen } = yield* scanDirectory(directory)
      assert.strictEqual(failure, undefined)
      assert.strictEqual(seen.length, 61)
    }).pipe(Effect.scoped)
  )

  it.effect.prop(
    "to any bit of the ids of a ledger, or of a size, is Corruption",
    { place: Place, bit: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 95 })) },
    ({ bit, place }) =>
      assertTold((log, starts) => {
        const at = (starts[place % starts.length] ?? 0) - 4 + (bit >> 3)
        log.writeUInt8(log.readUInt8(at) ^ (1 << (bit & 7)), at)
      }),
    { arbitrary: { runs: 150 } }
  )

  it.effect.prop(
    "that cuts it off is Corruption",
    { place: Place },
    ({ place }) => assertTold((log) => log.subarray(0, 1024 + (place % (log.length - 1024)))),
    { arbitrary: { runs: 100 } }
  )

  it.effect.each([
    ["zeroes an entry, up to the next", (log, starts) => log.fill(0, (starts[10] ?? 0) - 4, (starts[11] ?? 0) - 4)],
    ["pads an entry out", (log, starts) => log.fill(0xf0, (starts[10] ?? 0) - 4, (starts[11] ?? 0) - 4)],
    ["makes a record of an entry", (log, starts) => log.fill(0xff, starts[10] ?? 0, (starts[10] ?? 0) + 8)],
    ["zeroes its end", (log, starts) => log.fill(0, (starts[59] ?? 0) - 4)],
    ["moves its map in the header", (log) => log.writeBigInt64BE(log.readBigInt64BE(8) - 1n, 8)],
    ["moves its map before the entries", (log) => log.writeBigInt64BE(20n, 8)],
    ["moves its map out of the file", (log) => log.writeBigInt64BE(2n ** 40n, 8)],
    ["counts a ledger less in the header", (log) => log.writeInt32BE(log.readInt32BE(16) - 1, 16)],
    ["says there are no ledgers", (log) => log.writeInt32BE(0, 16)],
    ["loses its map, but not the count of its ledgers", (log) => log.writeBigInt64BE(0n, 8)],
    ["changes a ledger in the map", (log) => log.writeUInt8(77, Number(log.readBigInt64BE(8)) + 31)],
    ["exchanges the bytes of two ledgers in the map", exchangeBytes],
    ["adds something behind the map", (log) => Buffer.concat([log, bytes(30, 9)])]
  ] satisfies ReadonlyArray<[string, (log: Buffer, starts: ReadonlyArray<number>) => unknown]>)(
    "that %s is Corruption",
    ([, damage]) =>
      assertTold((log, starts) => {
        const result = damage(log, starts)
        return Buffer.isBuffer(result) ? result : log
      })
  )
})

function exchangeBytes(log: Buffer): void {
  const at = Number(log.readBigInt64BE(8)) + 24
  const [first, second] = [log.readBigInt64BE(at + 8), log.readBigInt64BE(at + 24)]
  log.writeBigInt64BE(second, at + 8)
  log.writeBigInt64BE(first, at + 24)
}

describe("a log that is being written by another", () => {
  it.effect("has no damage to a reader, at any moment of an append and of a roll", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: "64 KiB" }, (writer) =>
        using({ directory, readOnly: true }, (reader) =>
          Effect.gen(function* () {
            let written = 0
            const isOver = () => written === 60 * 20
            const write = Effect.gen(function* () {
              for (let round = 0; round < 60; round += 1) {
                const entries = Array.from({ length: 20 }, (_, at) => entry(1n, BigInt(at), fills.zeros(at * 40)))
                yield* writer.appendAll(entries)
                written += 20
              }
            })
            const read = Effect.gen(function* () {
              while (!isOver()) {
                const before = written
                assert.isAtLeast(yield* Stream.runCount(reader.scan({ payloads: false })), before)
              }
            })
            yield* Effect.all([write, read], { concurrency: 2 })
          })
        )
      )
    }).pipe(Effect.scoped)
  )
})
