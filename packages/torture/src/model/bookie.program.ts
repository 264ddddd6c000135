/**
 * A bookie that does the operations of a seed, one after another, until it is
 * killed. Prints `begin N`, `batch N B` for each batch that has been
 * acknowledged, and `end N`. Its arguments are its directory, the seed, and the
 * number of the first operation; without any it only loads, and ends.
 */
import { EntryLocationIndex, IndexRebuild } from "@effect-bookie/entry-location-index"
import { EntryLog } from "@effect-bookie/entry-log"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Random from "../harness/Random.ts"
import * as ThisEngine from "../harness/ThisEngine.ts"
import { indexIn, logsIn } from "./Inspection.ts"
import * as Workload from "./Workload.ts"

const [directory = "", seedText = "", first = ""] = process.argv.slice(2)
const seed = Number(seedText)

const say = (line: string) => Effect.sync(() => Fs.writeSync(1, `${line}\n`))

/** How much of the journal is in memory: by the seed a checkpoint after almost each operation, after some, or hardly any. */
const memtableSize = Random.make(seed).pick(["1 KiB", "16 KiB", "16 KiB", "96 MiB"] as const)

/** Small sizes, so that logs roll over, memtables are flushed and pages are read again within a second. */
const openIndex = Effect.flatMap(RocksDB.make({ path: indexIn(directory), writeBufferSize: "128 KiB" }), (database) =>
  Effect.provideService(
    EntryLocationIndex.make({ memtableSize, pageCacheSize: "128 KiB", compactionInterval: "20 millis" }),
    RocksDB.RocksDB,
    database
  )
)

/** Does operations until the next rebuild, and answers the number of that. */
const serve = Effect.fnUntraced(function* (log: EntryLog.EntryLog["Service"], from: number) {
  const index = yield* openIndex
  for (let number = from; ; number++) {
    const operation = Workload.operation(seed, number)
    yield* say(`begin ${number}`)
    switch (operation.type) {
      case "rebuild":
        return number
      case "compact":
        yield* index.compact
        break
      case "delete":
        yield* index.deleteLedger(operation.ledgerId)
        break
      case "add":
        yield* Effect.forEach(
          operation.batches,
          (batch, at) => Effect.andThen(add(log, index, batch), say(`batch ${number} ${at}`)),
          {
            concurrency: "unbounded"
          }
        )
    }
    yield* say(`end ${number}`)
  }
})

const add = Effect.fnUntraced(function* (
  log: EntryLog.EntryLog["Service"],
  index: EntryLocationIndex.EntryLocationIndex["Service"],
  batch: Workload.Batch
) {
  const locations = yield* log.appendAll(batch)
  yield* log.sync
  yield* index.addLocations(
    locations.flatMap((location, at) => {
      const entry = batch[at]
      return entry === undefined ? [] : [{ ledgerId: entry.ledgerId, entryId: entry.entryId, location }]
    })
  )
})

const program = Effect.gen(function* () {
  const log = yield* EntryLog.make({ directory: logsIn(directory), maxLogSize: "64 KiB" })
  let number = Number(first)
  while (true) {
    number = yield* Effect.scoped(serve(log, number))
    const deleted = Workload.deletedBefore(seed, number)
    yield* IndexRebuild.rebuildWithoutEngine({
      entryLogs: logsIn(directory),
      database: indexIn(directory),
      includes: (ledgerId) => !deleted.has(ledgerId)
    })
    yield* say(`end ${number}`)
    number += 1
  }
})

if (directory !== "") await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(ThisEngine.layer)))
