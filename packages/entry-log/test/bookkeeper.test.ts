/**
 * Directories that Apache BookKeeper wrote are the judge: see fixtures.ts.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { EntryId, EntryLog, LedgerId, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"

const byLocation = (left: { readonly location: bigint }, right: { readonly location: bigint }) =>
  left.location < right.location ? -1 : left.location > right.location ? 1 : 0

const rowOf = (entry: EntryLog.LocatedEntry): Fixtures.WrittenEntry => ({
  ledgerId: entry.ledgerId,
  entryId: entry.entryId,
  location: entry.location,
  size: 16 + entry.payload.length,
  crc32c: Fixtures.checksum(entry)
})

describe.each(Fixtures.names)("the BookKeeper directory %s", (name) => {
  it.effect("gives every entry at the location that BookKeeper gave it", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.unpack(name)
      const log = yield* EntryLog.make({ directory, readOnly: true })
      for (const row of Fixtures.entriesOf(directory)) {
        const payload = yield* log.read(row.ledgerId, row.entryId, row.location)
        assert.deepStrictEqual(rowOf({ ...row, payload }), row)
      }
    })
  )

  it.effect("is scanned to exactly the entries that were written, by location", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.unpack(name)
      const log = yield* EntryLog.make({ directory, readOnly: true })
      const scanned = yield* Stream.runCollect(log.scan())
      assert.deepStrictEqual(scanned.map(rowOf), Fixtures.entriesOf(directory).toSorted(byLocation))
    })
  )

  it.effect("is scanned to the same entries without their payloads", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.unpack(name)
      const log = yield* EntryLog.make({ directory, readOnly: true })
      const scanned = yield* Stream.runCollect(log.scan({ payloads: false }))
      assert.deepStrictEqual(
        scanned.map(({ entryId, ledgerId, location, payload }) => [ledgerId, entryId, location, payload.length]),
        Fixtures.entriesOf(directory)
          .toSorted(byLocation)
          .map(({ entryId, ledgerId, location }) => [ledgerId, entryId, location, 0])
      )
    })
  )

  it.effect("tells how many bytes of each ledger are in each log", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.unpack(name)
      const log = yield* EntryLog.make({ directory, readOnly: true })
      const expected = new Map<number, Map<LedgerId.LedgerId, number>>()
      for (const { ledgerId, location, size } of Fixtures.entriesOf(directory)) {
        const ledgers = expected.get(Location.logId(location)) ?? new Map<LedgerId.LedgerId, number>()
        expected.set(Location.logId(location), ledgers.set(ledgerId, (ledgers.get(ledgerId) ?? 0) + 4 + size))
      }
      const actual = yield* log.logs
      assert.deepStrictEqual(new Map(actual.map(({ id, ledgers }) => [id, ledgers])), expected)
      assert.deepStrictEqual(
        actual.map(({ id, size }) => [`${id.toString(16)}.log`, size]),
        actual.map(({ id }) => [`${id.toString(16)}.log`, Fs.statSync(logOf(directory, id)).size])
      )
    })
  )

  it.effect("is left as it was by a reader", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.unpack(name)
      const before = Fixtures.snapshot(directory)
      yield* Effect.gen(function* () {
        const log = yield* EntryLog.EntryLog
        yield* Stream.runDrain(log.scan())
        yield* log.logs
        const row = Fixtures.entriesOf(directory)[0]
        if (row !== undefined) yield* log.read(row.ledgerId, row.entryId, row.location)
        yield* log.sync
        yield* Effect.flip(log.append(LedgerId.make(1n), EntryId.make(1n), new Uint8Array(1)))
      }).pipe(Effect.provide(EntryLog.layer({ directory, readOnly: true })))
      assert.deepStrictEqual(Fixtures.snapshot(directory), before)
    })
  )

  it.effect("goes on in a log of its own, and BookKeeper's logs stay as they were", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.unpack(name)
      const before = Fixtures.snapshot(directory).filter(([file]) => file !== "lastId")
      const rows = Fixtures.entriesOf(directory)
      const highest = Math.max(
        ...Fs.readdirSync(directory)
          .filter((file) => file.includes(".log"))
          .map((file) => Number.parseInt(file, 16))
      )
      const entry = { ledgerId: LedgerId.make(7n), entryId: EntryId.make(8n), payload: Buffer.from("ours") }
      const location = yield* append(directory, entry)
      assert.strictEqual(location, Location.fromLog(highest + 1, 1028))
      assert.strictEqual(Fs.readFileSync(Path.join(directory, "lastId"), "latin1"), `${(highest + 1).toString(16)}\n`)
      assert.strictEqual(yield* append(directory, entry), Location.fromLog(highest + 2, 1028))
      const kept = new Set(before.map(([file]) => file))
      assert.deepStrictEqual(
        Fixtures.snapshot(directory).filter(([file]) => kept.has(file)),
        before
      )

      const log = yield* EntryLog.make({ directory, readOnly: true })
      const scanned = yield* Stream.runCollect(log.scan())
      assert.deepStrictEqual(scanned.slice(0, -2).map(rowOf), rows.toSorted(byLocation))
      assert.deepStrictEqual(
        scanned.slice(-2).map(({ location }) => Location.logId(location)),
        [highest + 1, highest + 2]
      )
    })
  )
})

it.effect("the logs that BookKeeper rolled over are sealed, and only those", () =>
  Effect.gen(function* () {
    const sealed: Array<readonly [string, ReadonlyArray<boolean>]> = []
    for (const name of Fixtures.names) {
      const log = yield* EntryLog.make({ directory: yield* Fixtures.unpack(name), readOnly: true })
      sealed.push([name, (yield* log.logs).map(({ sealed }) => sealed)])
    }
    assert.deepStrictEqual(sealed, [
      ["ordinary", [true, true, true, false]],
      ["reopened", [true, false, false]],
      ["many-ledgers", [true, false]],
      ["edges", [true, false]],
      ["rewritten", [true, true, true, true, true, true, true, true, true, false]],
      ["rewritten-far-apart", [true, false, false]],
      ["unfinished-compaction", [true, true, false]],
      ["direct", [true, true, true]]
    ])
  })
)

const logOf = (directory: string, id: number): string => Path.join(directory, `${id.toString(16)}.log`)

const append = (directory: string, { entryId, ledgerId, payload }: EntryLog.Entry) =>
  Effect.flatMap(EntryLog.EntryLog, (log) => log.append(ledgerId, entryId, payload)).pipe(
    Effect.provide(Layer.fresh(EntryLog.layer({ directory })))
  )
