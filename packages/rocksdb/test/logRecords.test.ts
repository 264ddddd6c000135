/**
 * Log files with a damage at which RocksDB 10.5 would try to read for ever.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import { RocksDB } from "../src/index.ts"
import { find, temporaryDirectory } from "@effect-bookie/testing/directory"

const using = <A, E>(path: string, use: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<A, E>) =>
  Effect.provide(RocksDB.RocksDB.use(use), RocksDB.layer({ path }))

const key = (number: number) => Uint8Array.of(number)

/** A database whose write-ahead log has several blocks. */
const fill = (path: string) =>
  using(path, (database) =>
    Effect.forEach([1, 2, 3, 4], (number) => database.put(key(number), new Uint8Array(20_000).fill(number)))
  )

/** Where the records of a log file begin. */
const records = (bytes: Buffer): ReadonlyArray<number> => {
  const starts: Array<number> = []
  for (let at = 0; at + 7 <= bytes.length;) {
    starts.push(at)
    at += 7 + bytes.readUInt16LE(at + 4)
    if (32768 - (at % 32768) < 7) at += 32768 - (at % 32768)
  }
  return starts
}

const flipType = (path: string, place: number): void => {
  const bytes = Fs.readFileSync(path)
  const at = (records(bytes).at(place) ?? 0) + 6
  // "The whole record", but of a recycled file: one bit beside that of a file which was not.
  bytes.writeUInt8(5, at)
  Fs.writeFileSync(path, bytes)
}

describe("a log file in which the type of a record is flipped", () => {
  for (const [what, name] of [
    ["the MANIFEST", /^MANIFEST/],
    ["the write-ahead log", /^\d+\.log$/]
  ] as const) {
    for (const place of [1, -1]) {
      it.effect(`is Corruption, in record ${place} of ${what}`, () =>
        Effect.gen(function* () {
          const path = yield* temporaryDirectory
          yield* fill(path)
          flipType(find(path, name), place)
          const error = yield* Effect.flip(using(path, (database) => database.get(key(1))))
          assert.strictEqual(error.reason._tag, "Corruption")
        }).pipe(Effect.scoped)
      )
    }
  }

  it.effect("is not seen where there is none: a database with several blocks and room to spare opens", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* fill(path)
      Fs.appendFileSync(find(path, /^\d+\.log$/), Buffer.alloc(5000))
      const values = yield* using(path, (database) => database.getMany([1, 2, 3, 4].map(key)))
      assert.deepStrictEqual(
        values.map((value) => value?.length),
        [20_000, 20_000, 20_000, 20_000]
      )
    }).pipe(Effect.scoped)
  )
})
