/**
 * Files that have been damaged: what is read is what the file holds, or a typed
 * error; nothing before the damage is lost, and no size is trusted with memory.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type EntryLog, type EntryLogError, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { bytes, entry, using } from "./support.ts"

const entries = Array.from({ length: 60 }, (_, id) => entry(BigInt(id % 4), BigInt(id), bytes((id * 13) % 120, id)))

/** In bytes. */
const maxEntrySize = 4096

const Place = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))

const Mutation = Schema.Union([
  Schema.TaggedStruct("flip", { place: Place, bit: Schema.Literals([0, 1, 2, 3, 4, 5, 6, 7]) }),
  Schema.TaggedStruct("size", {
    place: Place,
    size: Schema.Literals([2 ** 31 - 1, -(2 ** 31), -1, 0, 1, 15, 16, 17, 100, 4096, 4097, 1_000_000])
  }),
  Schema.TaggedStruct("mapOffset", { size: Schema.Literals([-1, 0, 1, 1023, 1024, 1100, 2048, 2 ** 31]) }),
  Schema.TaggedStruct("mapCount", { count: Schema.Literals([-1, 0, 1, 10_000, 2 ** 31 - 1]) }),
  Schema.TaggedStruct("truncate", { place: Place }),
  Schema.TaggedStruct("grow", { length: Schema.Literals([1, 100, 5000, 1_000_000]) })
])

type Mutation = typeof Mutation.Type

describe("damaged logs", () => {
  it.effect.prop(
    "are read as they are or refused with a typed error, in bounded memory",
    { mutations: Schema.Array(Mutation).check(Schema.isMinLength(1), Schema.isMaxLength(4)) },
    ({ mutations }) =>
      Effect.gen(function* () {
        const directory = yield* Fixtures.temporaryDirectory
        const written = yield* using({ directory, maxLogSize: 3000 }, (log) => log.appendAll(entries))
        const damaged = Path.join(directory, "1.log")
        const intact = Fs.readFileSync(damaged)
        const positions = written.filter((location) => Location.logId(location) === 1).map(Location.position)
        for (const mutation of mutations) mutate(damaged, positions, mutation)
        const content = Fs.readFileSync(damaged)
        const damage = firstDifference(intact, content)

        yield* using({ directory, readOnly: true, maxEntrySize }, (log) =>
          Effect.gen(function* () {
            const before = process.memoryUsage().arrayBuffers
            const { failure, seen } = yield* scan(log)
            if (failure !== undefined) assert.strictEqual(failure.reason._tag, "Corruption")
            const expected = written.filter(
              (location, index) =>
                Location.logId(location) === 0 || isBefore(location, entries[index]?.payload.length ?? 0, damage)
            )
            assert.includeMembers(
              seen.map(({ location }) => location),
              // A header that is damaged may cost the log.
              damage < 1024 ? expected.filter((location) => Location.logId(location) === 0) : expected
            )
            for (const found of seen) if (Location.logId(found.location) === 1) assertStands(content, found)
            assert.deepStrictEqual(
              seen.map(({ location }) => location),
              seen.map(({ location }) => location).toSorted((left, right) => (left < right ? -1 : 1))
            )

            for (const [index, location] of written.entries()) {
              const { entryId, ledgerId } = entries[index] ?? entry(0n, 0n)
              const result = yield* Effect.result(log.read(ledgerId, entryId, location))
              if (result._tag === "Failure") {
                assert.include(["Corruption", "WrongEntry", "NotFound"], result.failure.reason._tag)
                assert.strictEqual(Location.logId(location), 1)
              } else if (Location.logId(location) === 1) {
                assertStands(content, { ledgerId, entryId, location, payload: result.success })
              } else {
                assert.deepStrictEqual(result.success, entries[index]?.payload)
              }
            }
            yield* Effect.result(log.logs)
            // Buffers of some MiB that nobody holds any more may not have been collected yet.
            assert.isBelow(process.memoryUsage().arrayBuffers - before, 64 * 1024 * 1024)
          })
        )
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 150 } }
  )

  it.effect("of 2 GiB are not taken into memory for the size that they name", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) => log.appendAll(entries))
      const path = Path.join(directory, "0.log")
      overwrite(path, 1024 + 20, int32(2 ** 31 - 20))
      Fs.truncateSync(path, 2 ** 31 + 5000)
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.gen(function* () {
          const before = process.memoryUsage().arrayBuffers
          const { failure, seen } = yield* scan(log)
          assert.strictEqual(failure?.reason._tag, "Corruption")
          assert.strictEqual(seen.length, 1)
          assert.isBelow(process.memoryUsage().arrayBuffers - before, 1024 * 1024)
        })
      )
    })
  )
})

const mutate = (path: string, positions: ReadonlyArray<number>, mutation: Mutation): void => {
  const size = Fs.statSync(path).size
  switch (mutation._tag) {
    case "flip": {
      const place = mutation.place % size
      const content = Fs.readFileSync(path)
      return overwrite(path, place, Uint8Array.of((content[place] ?? 0) ^ (1 << mutation.bit)))
    }
    case "size": {
      const position = positions[mutation.place % positions.length] ?? 0
      return position < size ? overwrite(path, position - 4, int32(mutation.size)) : undefined
    }
    case "mapOffset": {
      const offset = Buffer.alloc(8)
      offset.writeBigInt64BE(BigInt(mutation.size))
      return size < 1024 ? undefined : overwrite(path, 8, offset)
    }
    case "mapCount":
      return size < 1024 ? undefined : overwrite(path, 16, int32(mutation.count))
    case "truncate":
      return Fs.truncateSync(path, 1 + (mutation.place % size))
    case "grow":
      return Fs.truncateSync(path, size + mutation.length)
  }
}

const overwrite = (path: string, position: number, content: Uint8Array): void => {
  const descriptor = Fs.openSync(path, "r+")
  Fs.writeSync(descriptor, content, 0, content.length, position)
  Fs.closeSync(descriptor)
}

const int32 = (value: number): Uint8Array => {
  const content = Buffer.alloc(4)
  content.writeInt32BE(value)
  return content
}

/** What a scan gives before it ends or fails. */
const scan = (log: EntryLog.EntryLog["Service"]) =>
  Effect.gen(function* () {
    const seen: Array<EntryLog.LocatedEntry> = []
    const failure = yield* Stream.runForEach(log.scan(), (found) => Effect.sync(() => void seen.push(found))).pipe(
      Effect.as<EntryLogError.EntryLogError | undefined>(undefined),
      Effect.catch((error) => Effect.succeed(error))
    )
    return { failure, seen }
  })

/** Asserts that these very bytes stand at the location. */
const assertStands = (content: Buffer, { entryId, ledgerId, location, payload }: EntryLog.LocatedEntry): void => {
  const position = Location.position(location)
  assert.strictEqual(content.readInt32BE(position - 4), 16 + payload.length)
  assert.strictEqual<bigint>(content.readBigInt64BE(position), ledgerId)
  assert.strictEqual<bigint>(content.readBigInt64BE(position + 8), entryId)
  assert.deepStrictEqual(new Uint8Array(content.subarray(position + 16, position + 16 + payload.length)), payload)
}

/** Whether an entry of the damaged log ends before a place in it. */
const isBefore = (location: Location.Location, length: number, place: number): boolean =>
  Location.logId(location) === 1 && Location.position(location) + 16 + length <= place

const firstDifference = (left: Buffer, right: Buffer): number => {
  let place = 0
  while (place < left.length && place < right.length && left[place] === right[place]) place += 1
  return place
}
