/**
 * Opens a storage: finds out whose logs and whose index they are, and brings the
 * index up to the end of the logs.
 *
 * - From the mark on the logs are scanned, and what happened is applied in its
 *   order: an entry must be the next one of a ledger that exists and is not
 *   fenced. Logs of copies are passed over: nothing happened in them.
 * - A log that is not sealed may end with what a crash has torn. It ends before
 *   the first entry that cannot be verified, if no later one can be; otherwise, and
 *   in a sealed log, that is `Corruption`.
 * - The logs are synced first, and the index last: what is in it is on disk.
 * - Nothing is appended to the logs. Memory is bounded: what has been applied is
 *   committed, with the mark, some thousand frames at a time.
 */
import type { EntryLocationIndex } from "@effect-bookie/entry-location-index/EntryLocationIndex"
import type { EntryLog, Frame, LogPosition, LogSummary } from "@effect-bookie/entry-log/EntryLog"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import * as LedgerRecord from "../format/LedgerRecord.ts"
import type { LedgerIds } from "../LedgerIds.ts"
import { above, fromBelow } from "./below.ts"
import * as Catalog from "./Catalog.ts"
import { Replay } from "./Replay.ts"
import type { StoredEntries } from "./StoredEntries.ts"
import { syncLogs } from "./syncLogs.ts"

type Error = LedgerStorageError.LedgerStorageError
type Answer<A> = Effect.Effect<A, Error>

/** What is opened. */
export interface Parts {
  readonly storage: string
  readonly entryLog: EntryLog["Service"]
  readonly index: EntryLocationIndex["Service"]
  readonly catalog: Catalog.Catalog
  readonly stored: StoredEntries
}

/** A storage whose index is complete. */
export interface Opened {
  readonly storageId: Uint8Array
  readonly ledgerIds: LedgerIds
  readonly mark: LogPosition
}

/** Opens a storage, a new one where there is nothing yet. */
export const open = (parts: Parts): Answer<Opened> =>
  Effect.gen(function* () {
    const { catalog, entryLog } = parts
    const known = yield* catalog.storageId
    const logs = yield* above(whereOf(parts))(entryLog.logSummaries)
    const storageId = known ?? (yield* create(parts, logs))
    const mark = yield* catalog.mark
    yield* checkLogs(parts, storageId, mark, logs)
    const ledgerIds = yield* catalog.ledgerIds
    const behind = logs.filter(({ id }) => id >= mark.logId)
    yield* syncLogs(entryLog.directory, behind, whereOf(parts))
    const replay = new Replay({ ...parts, batch: yield* parts.index.makeBatch, ledgerIds, mark })
    for (const log of behind) yield* replayLog(parts, replay, storageId, log)
    yield* replay.finish()
    return { storageId, ledgerIds, mark: replay.mark }
  })

const whereOf = ({ storage }: Parts): LedgerStorageError.Where => ({ operation: "open", storage })

/** A new storage: there must be nothing that belongs to another one. */
const create = (parts: Parts, logs: ReadonlyArray<LogSummary>): Answer<Uint8Array> =>
  Effect.gen(function* () {
    const { entryLog, index } = parts
    const where = whereOf(parts)
    if (logs.length > 0) {
      const problem = `there are entry logs in ${entryLog.directory}, and the index at ${index.path} is not theirs: it is new, or another's`
      return yield* Effect.fail(needsRebuild(problem, where))
    }
    if ((yield* above(where)(index.entryCount)) > 0n) {
      const problem = `the index at ${index.path} has entries, and is not the index of a storage. Open the storage on an index of its own`
      return yield* Effect.fail(LedgerStorageError.invalidArgument(problem, where))
    }
    const storageId = new Uint8Array(randomBytes(LedgerRecord.storageIdSize))
    const batch = yield* index.makeBatch
    Catalog.putStore(batch, storageId)
    Catalog.putMark(batch, Catalog.noMark)
    yield* above(where)(batch.commitWith({ durability: "sync" }))
    return storageId
  })

/** The logs must be those of the index: the first one and the one of the mark must be there and say so. */
const checkLogs = (
  parts: Parts,
  storageId: Uint8Array,
  mark: LogPosition,
  logs: ReadonlyArray<LogSummary>
): Answer<void> =>
  Effect.gen(function* () {
    const { entryLog, index } = parts
    if (mark.position > 0 && logs.every(({ id }) => id !== mark.logId)) {
      const problem = `the index at ${index.path} knows of ${nameOf(mark.logId)}, which is not in ${entryLog.directory}`
      return yield* Effect.fail(LedgerStorageError.corruption(problem, whereOf(parts)))
    }
    const [first] = logs
    if (first !== undefined) yield* beginningOf(parts, storageId, first)
  })

/** Whose a log is; `undefined` if it ends before it says so. */
export const storageIdOf = (parts: Parts, log: LogSummary): Answer<Uint8Array | undefined> =>
  Effect.map(beginningOf(parts, undefined, log), (beginning) => beginning?.storageId)

/** What a log begins with; `undefined` if it ends before that, because a crash has cut it off. */
const beginningOf = (
  parts: Parts,
  storageId: Uint8Array | undefined,
  { id, sealed }: LogSummary
): Answer<LedgerRecord.Log | undefined> =>
  Effect.gen(function* () {
    const { entryLog, index } = parts
    const where = whereOf(parts)
    const frames = entryLog.scanFrames({ from: { logId: id, position: 0 }, toLog: id })
    const [frame] = yield* above(where)(Stream.runCollect(Stream.take(frames, 1)))
    if (frame === undefined && !sealed) return undefined
    const record = frame === undefined ? undefined : LedgerRecord.decode(frame.body)
    if (record?._tag !== "Log") {
      const problem = `${nameOf(id)} in ${entryLog.directory} does not begin with the record of a storage: it is another's, or damaged`
      return yield* Effect.fail(LedgerStorageError.corruption(problem, where))
    }
    if (storageId !== undefined && !equal(record.storageId, storageId)) {
      const problem = `${nameOf(id)} in ${entryLog.directory} is of another storage than the index at ${index.path}`
      return yield* Effect.fail(needsRebuild(problem, where))
    }
    return record
  })

/** Applies what happened in a log from the mark on. */
export const replayLog = (parts: Parts, replay: Replay, storageId: Uint8Array, log: LogSummary): Answer<void> =>
  Effect.gen(function* () {
    const beginning = yield* beginningOf(parts, storageId, log)
    if (beginning === undefined || beginning.copies) return
    const { entryLog, storage } = parts
    const where = whereOf(parts)
    const from = { logId: log.id, position: replay.mark.logId === log.id ? replay.mark.position : 0 }
    const frames = entryLog.scanFrames({ from, toLog: log.id })
    let torn: string | undefined
    yield* Stream.runForEachArray(
      Stream.mapError(frames, (error) => fromBelow(error, where)),
      Effect.fnUntraced(function* (part: ReadonlyArray<Frame>) {
        for (const frame of part) {
          const problem = verify(frame.body)
          if (problem === undefined && torn === undefined) yield* replay.apply(frame)
          else if (problem === undefined || log.sealed) {
            const damage = torn ?? `${replay.placeOf(frame)} is damaged: ${problem}`
            return yield* Effect.fail(LedgerStorageError.corruption(damage, where))
          } else torn ??= `${replay.placeOf(frame)} is damaged, and intact ones follow: ${problem}`
        }
      })
    )
    if (torn !== undefined) {
      yield* Effect.logInfo(`${storage}: ${nameOf(log.id)} ends with what a crash has cut off, which is passed over`)
    }
  })

/** What is wrong with the body of a frame, by its checksum. */
const verify = (body: Uint8Array): string | undefined => {
  const isRecord = new DataView(body.buffer, body.byteOffset, 8).getBigInt64(0) === LedgerRecord.ledgerId
  const decoded = isRecord ? LedgerRecord.decode(body) : EntryFrame.decode(body)
  if (!("problem" in decoded)) return undefined
  // What a later release wrote is whole, and is refused where it is applied.
  return "_tag" in decoded && decoded._tag === "Unsupported" ? undefined : decoded.problem
}

const needsRebuild = (problem: string, where: LedgerStorageError.Where): Error =>
  new LedgerStorageError.LedgerStorageError({
    reason: new LedgerStorageError.Corruption({
      ...where,
      message: `${where.operation}: ${problem}. Put back the index that belongs to the logs, or make it anew out of them with LedgerStorage.rebuild.`
    })
  })

const nameOf = (logId: number): string => `${logId.toString(16)}.log`

const equal = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, index) => byte === other[index])
