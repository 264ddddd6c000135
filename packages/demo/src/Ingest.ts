/**
 * Files in: each file becomes a ledger and each line an entry, appended to the
 * entry logs, synced, and only then indexed. A file that a run before this one
 * stored goes on after its last entry; one that no longer begins with what was
 * stored gets a new ledger.
 */
import { EntryId, EntryLocationIndex, type LedgerId } from "@effect-bookie/entry-location-index"
import { EntryLog } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LedgerMetadata } from "./LedgerMetadata.ts"
import * as Lines from "./Lines.ts"
import type { Progress } from "./Progress.ts"
import * as Readback from "./Readback.ts"

/** What became of a file. */
export interface Stored {
  readonly ledgerId: LedgerId.LedgerId
  readonly added: number
  readonly known: number
}

/** How many lines share an append, a sync and a commit. */
const batchSize = 10_000

/** Stores the lines of a file that are not stored yet. */
export const file = Effect.fnUntraced(function* (path: string, metadata: LedgerMetadata, progress: Progress) {
  const index = yield* EntryLocationIndex.EntryLocationIndex
  const before = metadata.find(path)
  if (before === undefined) return yield* append(path, yield* metadata.assign(path), 0, progress)
  const last = yield* index.getLastEntryInLedger(before)
  const known = last === undefined ? 0 : Number(last) + 1
  if (yield* Readback.startsWith(path, before, known)) return yield* append(path, before, known, progress)
  const ledgerId = yield* metadata.assign(path)
  yield* index.deleteLedger(before)
  return yield* append(path, ledgerId, 0, progress)
})

/** Appends the lines of a file from the `known`th on. */
export const append = Effect.fnUntraced(function* (
  path: string,
  ledgerId: LedgerId.LedgerId,
  known: number,
  progress: Progress
) {
  const index = yield* EntryLocationIndex.EntryLocationIndex
  const entryLog = yield* EntryLog.EntryLog
  let next = known
  yield* Lines.ofFile(path).pipe(
    Stream.drop(known),
    Lines.grouped(batchSize),
    Stream.runForEach(
      Effect.fnUntraced(function* (lines) {
        const entries = lines.map((payload, offset) => ({
          ledgerId,
          entryId: EntryId.make(BigInt(next + offset)),
          payload
        }))
        const locations = yield* entryLog.appendAll(entries)
        yield* entryLog.sync
        yield* index.addLocations(
          entries.flatMap(({ entryId }, at) => {
            const location = locations[at]
            return location === undefined ? [] : [{ ledgerId, entryId, location }]
          })
        )
        next += lines.length
        yield* progress.advance(lines.reduce((bytes, line) => bytes + line.length, 0))
      })
    )
  )
  return { ledgerId, known, added: next - known } satisfies Stored
})
