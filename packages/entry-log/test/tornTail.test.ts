/**
 * What a crash leaves behind at the end of a log costs no entry before it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { bytes, entry, entryBytes, logBytes, reasonOf, tagOf, using } from "./support.ts"

const kept = [entry(1n, 0n, "kept"), entry(2n, 0n, bytes(100))]
const last = entry(1n, 1n, bytes(40))
const whole = logBytes([...kept, last])

describe("a torn tail", () => {
  it.effect("of any length costs the last entry alone, and appends go on in a new log", () =>
    Effect.gen(function* () {
      for (let cut = 1; cut <= entryBytes(last).length; cut += 1) {
        const directory = yield* Fixtures.temporaryDirectory
        const torn = whole.subarray(0, whole.length - cut)
        Fs.writeFileSync(Path.join(directory, "0.log"), torn)
        yield* using({ directory }, (log) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(payloads(yield* Stream.runCollect(log.scan())), payloads(kept))
            const position = whole.length - 40 - 16
            const tag = yield* tagOf(log.read(last.ledgerId, last.entryId, Location.fromLog(0, position)))
            assert.strictEqual(tag, cut > 40 ? "NotFound" : "Corruption")
            assert.deepStrictEqual(yield* log.appendAll([last]), [Location.fromLog(1, 1028)])
            assert.deepStrictEqual(payloads(yield* Stream.runCollect(log.scan())), payloads([...kept, last]))
          })
        )
        assert.deepStrictEqual(Fs.readFileSync(Path.join(directory, "0.log")), torn)
      }
    })
  )

  it.effect("of a size field that runs past the end ends its own log alone", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const torn = Buffer.from(whole)
      torn.writeInt32BE(1_000_000, whole.length - entryBytes(last).length)
      Fs.writeFileSync(Path.join(directory, "0.log"), torn)
      Fs.writeFileSync(Path.join(directory, "1.log"), logBytes([last]))
      const scanned = yield* using({ directory, readOnly: true }, (log) => Stream.runCollect(log.scan()))
      assert.deepStrictEqual(payloads(scanned), payloads([...kept, last]))
    })
  )

  it.effect("of a log in its making costs nothing, and its id is not taken again", () =>
    Effect.gen(function* () {
      for (let size = 0; size <= 1024; size += 64) {
        const directory = yield* Fixtures.temporaryDirectory
        Fs.writeFileSync(Path.join(directory, "0.log"), whole.subarray(0, size))
        yield* using({ directory }, (log) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* log.appendAll([last]), [Location.fromLog(1, 1028)])
            assert.deepStrictEqual(payloads(yield* Stream.runCollect(log.scan())), payloads([last]))
          })
        )
      }
    })
  )

  it.effect("of a BookKeeper log that was cut anywhere leaves the entries before the cut", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.unpack("ordinary")
      const path = Path.join(directory, "3.log")
      const rows = Fixtures.entriesOf(directory)
      for (const size of [80_000, 65_537, 65_536, 3000, 1040, 1024, 500, 0]) {
        Fs.truncateSync(path, size)
        const scanned = yield* using({ directory, readOnly: true }, (log) => Stream.runCollect(log.scan()))
        const isKept = (row: Fixtures.WrittenEntry) =>
          Location.logId(row.location) !== 3 || Location.position(row.location) + row.size <= size
        assert.deepStrictEqual(
          scanned.map(({ location }) => location),
          rows.filter(isKept).map(({ location }) => location)
        )
      }
    })
  )

  it.effect("is none in a log that was sealed, which is whole before its header says so", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.unpack("ordinary")
      const path = Path.join(directory, "1.log")
      const rows = Fixtures.entriesOf(directory).filter(({ location }) => Location.logId(location) === 0)
      for (const size of [130_685, 130_470, 130_469, 100_000, 65_536, 1040, 1024]) {
        Fs.truncateSync(path, size)
        const seen: Array<Location.Location> = []
        const reason = yield* using({ directory, readOnly: true }, (log) =>
          reasonOf(Stream.runForEach(log.scan(), ({ location }) => Effect.sync(() => void seen.push(location))))
        )
        assert.strictEqual(reason._tag, "Corruption")
        assert.include(reason.message, `${path}: `)
        assert.match(reason.message, /byte \d+/)
        assert.isAtLeast(seen.length, rows.length)
      }
    })
  )
})

const payloads = (entries: ReadonlyArray<{ readonly payload: Uint8Array }>) => entries.map(({ payload }) => payload)
