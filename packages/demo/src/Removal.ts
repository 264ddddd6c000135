/**
 * A ledger deleted: a scratch ledger is stored for this alone, so that the
 * user's own stay.
 */
import { EntryId, EntryLocationIndex } from "@effect-bookie/entry-location-index"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Comparison } from "./Comparison.ts"
import * as Ingest from "./Ingest.ts"
import type { LedgerMetadata } from "./LedgerMetadata.ts"
import type { Progress } from "./Progress.ts"

const scratchName = "(scratch)"

/** Stores a file once more in a ledger of its own, deletes that ledger, and shows it gone. */
export const show = Effect.fnUntraced(function* (path: string, metadata: LedgerMetadata, comparison: Comparison) {
  const index = yield* EntryLocationIndex.EntryLocationIndex
  const before = yield* index.entryCount
  const ledgerId = yield* metadata.assign(scratchName)
  const { added } = yield* Ingest.append(path, ledgerId, 0, silent)
  yield* comparison.check(
    (yield* index.entryCount) === before + BigInt(added),
    `the number of entries with the scratch ledger ${ledgerId}`
  )
  yield* metadata.remove(scratchName)
  yield* index.deleteLedger(ledgerId)
  const left = yield* Stream.runCount(index.entries(ledgerId))
  yield* comparison.check((yield* index.entryCount) === before, "the number of entries after the delete")
  yield* comparison.check((yield* index.getLastEntryInLedger(ledgerId)) === undefined, "no last entry after the delete")
  yield* comparison.check(
    (yield* index.getLocation(ledgerId, EntryId.make(0n))) === undefined,
    "no location after the delete"
  )
  yield* comparison.check(left === 0, "no entries after the delete")
  yield* Console.log(`deleted    ledger ${ledgerId} and its ${added} entries: ${left} left`)
})

const silent: Progress = { advance: () => Effect.void, done: () => Effect.void }
