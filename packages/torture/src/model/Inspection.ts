/**
 * Reads a bookie's directory whole, as it is found after a crash, and says what
 * is wrong in it whatever its bookie did: an index that contradicts itself, a
 * location that its logs do not have, bytes that nobody wrote.
 */
import { EntryLocationIndex } from "@effect-bookie/entry-location-index"
import { EntryLog, type EntryLogError } from "@effect-bookie/entry-log"
import { RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Path from "node:path"
import * as ThisEngine from "../harness/ThisEngine.ts"
import * as Workload from "./Workload.ts"

/** For entries, as `ledger:entry`, the number of the operation that wrote them. */
export type Written = ReadonlyMap<string, number>

/** What a bookie's directory holds. */
export interface Inspection {
  /** By its index. */
  readonly index: Written
  /** The latest of each entry in its logs. */
  readonly logs: Written
  /** What contradicts itself. */
  readonly problems: ReadonlyArray<string>
}

/** Where a bookie's logs are. */
export const logsIn = (directory: string): string => Path.join(directory, "logs")

/** Where a bookie's index is. */
export const indexIn = (directory: string): string => Path.join(directory, "index")

/** The key of an entry in {@link Written}. */
export const keyOf = (ledgerId: bigint, entryId: bigint): string => `${ledgerId}:${entryId}`

type Failure = RocksDBError.RocksDBError | EntryLogError.EntryLogError

/** Reads everything, with the engine of this process. */
export const inspect = (seed: number, directory: string): Effect.Effect<Inspection, Failure> =>
  Effect.gen(function* () {
    const problems: Array<string> = []
    const log = yield* EntryLog.make({ directory: logsIn(directory), readOnly: true })
    const scanned = yield* scan(seed, log, problems)
    const index = yield* Effect.flatMap(RocksDB.make({ path: indexIn(directory) }), (database) =>
      Effect.provideService(EntryLocationIndex.make(), RocksDB.RocksDB, database)
    )
    return { index: yield* walk(seed, index, log, scanned.byLocation, problems), logs: scanned.logs, problems }
  }).pipe(Effect.scoped, Effect.provide(ThisEngine.layer))

interface Scanned {
  readonly logs: Map<string, number>
  readonly byLocation: Map<bigint, { readonly key: string; readonly writer: number }>
}

const scan = Effect.fnUntraced(function* (seed: number, log: EntryLog.EntryLog["Service"], problems: Array<string>) {
  const scanned: Scanned = { logs: new Map(), byLocation: new Map() }
  yield* Stream.runForEach(log.scan(), ({ entryId, ledgerId, location, payload }) =>
    Effect.sync(() => {
      const key = keyOf(ledgerId, entryId)
      const writer = Workload.writerOf(seed, ledgerId, entryId, payload)
      if (writer === undefined) return void problems.push(`the logs hold bytes for ${key} that nobody wrote`)
      scanned.logs.set(key, writer)
      scanned.byLocation.set(location, { key, writer })
    })
  )
  return scanned
})

const walk = Effect.fnUntraced(function* (
  seed: number,
  index: EntryLocationIndex.EntryLocationIndex["Service"],
  log: EntryLog.EntryLog["Service"],
  byLocation: Scanned["byLocation"],
  problems: Array<string>
) {
  const found = new Map<string, number>()
  for (const ledgerId of yield* Stream.runCollect(index.ledgers)) {
    const entries = yield* Stream.runCollect(index.entries(ledgerId))
    const last = yield* index.getLastEntryInLedger(ledgerId)
    if (last !== entries.at(-1)?.entryId) problems.push(`the last entry of ledger ${ledgerId} is said to be ${last}`)
    const locations = yield* index.getLocations(entries)
    for (const [at, { entryId, location }] of entries.entries()) {
      const key = keyOf(ledgerId, entryId)
      const there = byLocation.get(location)
      if (found.has(key)) problems.push(`the index lists ${key} twice`)
      if (locations[at] !== location) problems.push(`a lookup of ${key} answers ${locations[at]}, a scan ${location}`)
      if (there?.key !== key)
        problems.push(`the index says ${key} is at ${location}, where the logs have ${there?.key}`)
      found.set(key, there?.writer ?? -1)
    }
    for (const { entryId, location } of entries.filter((_, at) => at % 16 === 0)) {
      const payload = yield* Effect.result(log.read(ledgerId, entryId, location))
      const isRight =
        payload._tag === "Success" && Workload.writerOf(seed, ledgerId, entryId, payload.success) !== undefined
      if (!isRight) problems.push(`the entry ${keyOf(ledgerId, entryId)} cannot be read at ${location}`)
    }
  }
  const count = yield* index.entryCount
  if (count !== BigInt(found.size)) problems.push(`the index counts ${count} entries and holds ${found.size}`)
  return found
})
