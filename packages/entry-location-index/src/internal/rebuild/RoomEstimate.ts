/**
 * How much room an index takes at least, as far as a sample of its entry logs
 * tells: an index that cannot have it is better refused before it is built.
 *
 * It is the least on purpose, so that none is refused that would fit. An entry
 * takes two bytes where its ledger has many, and up to 60 where it has but one;
 * while the index is built, its write-ahead log and what a compaction rewrites
 * come to it. If that is too much, the rebuild fails with `NoSpace` later on.
 */
import { type EntryLog, type EntryLogError, type LedgerId, Location } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs/promises"
import type { LogSizes } from "./LogSizes.ts"

/** What an index is expected to be. */
export interface RoomEstimate {
  readonly entries: number
  /** In bytes. */
  readonly size: number
}

/** What is free on the file system of a directory, in bytes. One that does not tell how large it is has no end. */
export const free = async (path: string): Promise<number> => {
  const { bavail, blocks, bsize } = await Fs.statfs(path)
  return blocks === 0 ? Infinity : bavail * bsize
}

/** Estimates the index of the entries in logs of which the ledgers are included, by the beginnings of some logs. */
export const estimate: (
  entryLog: EntryLog.EntryLog["Service"],
  logs: LogSizes,
  includes: (ledgerId: LedgerId.LedgerId) => boolean
) => Effect.Effect<RoomEstimate, EntryLogError.EntryLogError> = Effect.fnUntraced(function* (
  entryLog: EntryLog.EntryLog["Service"],
  logs: LogSizes,
  includes: (ledgerId: LedgerId.LedgerId) => boolean
) {
  let sampled = 0
  let bytes = 0
  for (const id of someOf(logs.ids)) {
    const entries = yield* Stream.runCollect(
      entryLog.scan({ fromLog: id, payloads: false, salvage: true, onPassedOver: () => Effect.void }).pipe(
        Stream.take(sampleSize),
        Stream.takeWhile(({ location }) => Location.logId(location) === id)
      )
    )
    const last = entries.at(-1)
    sampled += entries.filter(({ ledgerId }) => includes(ledgerId)).length
    bytes += last === undefined ? 0 : Location.position(last.location)
  }
  const entries = bytes === 0 ? 0 : Math.floor((logs.total * sampled) / bytes)
  return { entries, size: entries * bytesPerEntry + smallFilesSize }
})

/** How many logs, spread over all of them, and how many entries of each. */
const sampledLogs = 16
const sampleSize = 1000

const someOf = (ids: ReadonlyArray<number>): ReadonlyArray<number> =>
  ids.filter((_, at) => at % Math.ceil(ids.length / sampledLogs) === 0)

/** In bytes: what an entry takes in a ledger of many. */
const bytesPerEntry = 2

/** In bytes, for what RocksDB writes besides: the MANIFEST, OPTIONS, and the like. */
const smallFilesSize = 1024 * 1024
