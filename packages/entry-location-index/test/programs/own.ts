/**
 * Owns logs and their index for a moment, over and over, and whoever else wants
 * to: looks whether the index has every entry that was acknowledged until then,
 * appends and indexes another one, and closes. Prints how many there are. Its
 * arguments are the directories of the logs and of the database, and how often.
 */
import { EntryLog } from "@effect-bookie/entry-log"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { writeSync } from "node:fs"
import { EntryId, EntryLocationIndex, LedgerId } from "../../src/index.ts"

const [directory = "", path = "", times = "0"] = process.argv.slice(2)

const ledgerId = LedgerId.make(1n)

const services = Layer.mergeAll(
  EntryLog.layer({ directory }),
  EntryLocationIndex.layer().pipe(Layer.provide(RocksDB.layer({ path })))
)

const own = (acknowledged: number) =>
  Effect.gen(function* () {
    const log = yield* EntryLog.EntryLog
    const index = yield* EntryLocationIndex.EntryLocationIndex
    const found = yield* index.entryCount
    if (found !== BigInt(acknowledged)) throw new Error(`there are ${found} entries of ${acknowledged}`)
    const entryId = EntryId.make(BigInt(acknowledged))
    const location = yield* log.append(ledgerId, entryId, new Uint8Array(100))
    yield* log.sync
    yield* index.addLocation(ledgerId, entryId, location)
  }).pipe(
    Effect.provide(services),
    Effect.retry({ schedule: Schedule.spaced("1 millis"), while: ({ reason }) => reason._tag === "Locked" })
  )

const program = Effect.gen(function* () {
  for (let acknowledged = 0; acknowledged < Number(times); acknowledged++) {
    yield* own(acknowledged)
    writeSync(1, `${acknowledged + 1}\n`)
  }
})

await Effect.runPromise(program)
