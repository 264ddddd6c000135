/**
 * Files out: every line read back through the index from the entry logs, and
 * compared with the file byte for byte.
 */
import { EntryId, EntryLocationIndex, type LedgerId } from "@effect-bookie/entry-location-index"
import { EntryLog } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Comparison } from "./Comparison.ts"
import * as Lines from "./Lines.ts"
import type { Progress } from "./Progress.ts"

/** How many lines share a lookup. */
const batchSize = 1_000

/** How many entries are read from the logs at once. */
const readConcurrency = 16

/** Whether the first lines of a file are the entries of a ledger, as many as it has. */
export const startsWith = Effect.fnUntraced(function* (path: string, ledgerId: LedgerId.LedgerId, known: number) {
  let count = 0
  let equal = true
  yield* pairs(Stream.take(Lines.ofFile(path), known), ledgerId).pipe(
    Stream.runForEach(({ entry, line }) =>
      Effect.sync(() => {
        count += 1
        equal &&= entry !== undefined && Buffer.compare(entry, line) === 0
      })
    )
  )
  return equal && count === known
})

/** Compares every line of a file with its entry, and the number of lines with that of the entries. */
export const compare = Effect.fnUntraced(function* (
  path: string,
  ledgerId: LedgerId.LedgerId,
  { check }: Comparison,
  progress: Progress
) {
  const index = yield* EntryLocationIndex.EntryLocationIndex
  let count = 0
  yield* pairs(Lines.ofFile(path), ledgerId).pipe(
    Stream.runForEach(({ entry, line }) => {
      count += 1
      const equal = entry !== undefined && Buffer.compare(entry, line) === 0
      return Effect.andThen(check(equal, `line ${count} of ${path}`), progress.advance(line.length))
    })
  )
  const last = yield* index.getLastEntryInLedger(ledgerId)
  const expected = count === 0 ? undefined : EntryId.make(BigInt(count - 1))
  yield* check(last === expected, `the last entry of ledger ${ledgerId}: ${last} for ${count} lines of ${path}`)
  return count
})

/** Each line with its entry, or `undefined` where the index has no location for it. */
const pairs = <E, R>(lines: Stream.Stream<Uint8Array, E, R>, ledgerId: LedgerId.LedgerId) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const index = yield* EntryLocationIndex.EntryLocationIndex
      const entryLog = yield* EntryLog.EntryLog
      let next = 0n
      return lines.pipe(
        Lines.grouped(batchSize),
        Stream.mapEffect(
          Effect.fnUntraced(function* (batch) {
            const ids = batch.map((_, offset) => ({ ledgerId, entryId: EntryId.make(next + BigInt(offset)) }))
            next += BigInt(batch.length)
            const locations = yield* index.getLocations(ids)
            return yield* Effect.forEach(
              batch,
              (line, at) => {
                const id = ids[at]
                const location = locations[at]
                const entry =
                  id === undefined || location === undefined
                    ? Effect.undefined
                    : entryLog.read(ledgerId, id.entryId, location)
                return Effect.map(entry, (entry) => ({ line, entry }))
              },
              { concurrency: readConcurrency }
            )
          })
        ),
        Stream.flattenIterable
      )
    })
  )
