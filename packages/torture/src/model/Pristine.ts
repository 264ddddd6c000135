/**
 * A bookie's directory with everything in it, small and known: several SST
 * files, a write-ahead log, several entry logs, ledgers that were deleted and
 * entries that were overwritten.
 */
import { EntryLocationIndex } from "@effect-bookie/entry-location-index"
import { EntryLog, type EntryLogError } from "@effect-bookie/entry-log"
import { NativeEngine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import { indexIn, keyOf, logsIn } from "./Inspection.ts"
import * as Workload from "./Workload.ts"

/** What was written to a directory. */
export interface Pristine {
  readonly seed: number
  readonly directory: string
  /** What the index held after each of its writes: at first nothing, at last what it holds. */
  readonly states: ReadonlyArray<ReadonlyMap<string, Placed>>
  /** Where every entry ever is in the logs, superseded and deleted ones too, in the order of their locations. */
  readonly appended: ReadonlyArray<Placed>
  /** The ledgers that do not exist any more. */
  readonly deleted: ReadonlySet<bigint>
}

/** An entry, and where it is. */
export interface Placed extends EntryLocationIndex.EntryLocation {
  readonly payload: Uint8Array
}

/** What the index of the intact directory holds. */
export const lastOf = ({ states }: Pristine): ReadonlyMap<string, Placed> => states.at(-1) ?? new Map()

/** How many operations make a directory. */
const operations = 64

/** In bytes: small, so that there are many. */
const maxLogSize = 48 * 1024

/** Writes a directory. */
export const make = (
  seed: number,
  directory: string
): Effect.Effect<Pristine, RocksDBError.RocksDBError | EntryLogError.EntryLogError> =>
  Effect.gen(function* () {
    const log = yield* EntryLog.make({ directory: logsIn(directory), maxLogSize })
    const states: Array<ReadonlyMap<string, Placed>> = [new Map()]
    const appended: Array<Placed> = []
    // Opened a few times: each open flushes what the write-ahead log holds to an SST file.
    for (let first = 0; first < operations; first += operations / 4) {
      yield* Effect.scoped(work(seed, directory, log, first, first + operations / 4, states, appended))
    }
    return { seed, directory, states, appended, deleted: Workload.deletedBefore(seed, operations) }
  }).pipe(Effect.scoped, Effect.provide(NativeEngine.layer))

const work = Effect.fnUntraced(function* (
  seed: number,
  directory: string,
  log: EntryLog.EntryLog["Service"],
  from: number,
  to: number,
  states: Array<ReadonlyMap<string, Placed>>,
  appended: Array<Placed>
) {
  const database = yield* RocksDB.make({ path: indexIn(directory), writeBufferSize: "1 MiB" })
  const index = yield* Effect.provideService(
    EntryLocationIndex.make({ durability: "buffered", memtableSize: "16 KiB" }),
    RocksDB.RocksDB,
    database
  )
  const current = () => new Map(states.at(-1))
  for (let number = from; number < to; number++) {
    const operation = Workload.operation(seed, number)
    if (operation.type === "delete") {
      yield* index.deleteLedger(operation.ledgerId)
      states.push(new Map([...current()].filter(([, { ledgerId }]) => ledgerId !== operation.ledgerId)))
    }
    if (operation.type !== "add") continue
    for (const batch of operation.batches) {
      const locations = yield* log.appendAll(batch)
      const placed = locations.flatMap((location, at) => {
        const entry = batch[at]
        return entry === undefined ? [] : [{ ...entry, location }]
      })
      yield* index.addLocations(placed)
      appended.push(...placed)
      const state = current()
      for (const entry of placed) state.set(keyOf(entry.ledgerId, entry.entryId), entry)
      states.push(state)
    }
  }
})
