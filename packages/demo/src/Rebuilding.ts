/**
 * The index built once more, from the entry logs alone and beside the live one,
 * without the ledgers that no longer exist; and compared with the live one,
 * entry by entry.
 */
import { EntryLocationIndex, IndexRebuild } from "@effect-bookie/entry-location-index"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Comparison } from "./Comparison.ts"
import type { LedgerMetadata } from "./LedgerMetadata.ts"
import * as Progress from "./Progress.ts"

/** Rebuilds into the directory `database`, compares, and removes it. */
export const show = Effect.fnUntraced(function* (
  { database, entryLogs }: { readonly database: string; readonly entryLogs: string },
  metadata: LedgerMetadata,
  comparison: Comparison
) {
  const fs = yield* FileSystem.FileSystem
  const live = yield* EntryLocationIndex.EntryLocationIndex
  yield* fs.remove(database, { recursive: true, force: true })
  const progress = yield* Progress.start("rebuilt", 1)
  let done = 0
  const summary = yield* IndexRebuild.rebuild({
    entryLogs,
    database,
    includes: metadata.includes,
    onProgress: ({ bytes, totalBytes }) => {
      const more = bytes / totalBytes - done
      done += more
      return progress.advance(more)
    }
  })
  const rebuilt = Layer.provide(EntryLocationIndex.layer(), RocksDB.layer({ path: database, readOnly: true }))
  const [left, right] = yield* EntryLocationIndex.EntryLocationIndex.use((index) =>
    compare(live, index, comparison)
  ).pipe(Effect.provide(rebuilt))
  yield* fs.remove(database, { recursive: true })
  yield* progress.done(
    `${summary.entries} entries of ${summary.ledgers} ledgers from ${summary.logs} logs; live ${left}, rebuilt ${right}`
  )
})

type Index = EntryLocationIndex.EntryLocationIndex["Service"]

/** Compares two indexes entry by entry, and answers how many each has. */
const compare = Effect.fnUntraced(function* (live: Index, rebuilt: Index, { check }: Comparison) {
  const counts = [yield* live.entryCount, yield* rebuilt.entryCount] as const
  yield* check(counts[0] === counts[1], `as many entries after the rebuild: ${counts[0]} and ${counts[1]}`)
  yield* Stream.zipWith(all(live), all(rebuilt), (left, right) => ({ left, right })).pipe(
    Stream.runForEach(({ left, right }) =>
      check(
        left.ledgerId === right.ledgerId && left.entryId === right.entryId && left.location === right.location,
        `entry ${left.ledgerId}:${left.entryId} after the rebuild`
      )
    )
  )
  return counts
})

const all = (index: Index) => Stream.flatMap(index.ledgers, (ledgerId) => index.entries(ledgerId))
