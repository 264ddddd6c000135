/**
 * What `EntryLog` says is in a directory, which it opens read-only.
 */
import { EntryLog } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { WrittenEntry } from "@effect-bookie/testing/bookkeeperLogs"
import * as Table from "./Table.ts"

/** Every entry that a scan finds, in its order. */
export const scan = (directory: string, fromLog?: number): Promise<ReadonlyArray<WrittenEntry>> =>
  withLog(directory, (log) =>
    Stream.runCollect(log.scan({ fromLog }).pipe(Stream.map((entry) => Table.rowOf(entry, entry.location))))
  )

/** Each row as it is read back at its location. */
export const read = (directory: string, rows: ReadonlyArray<WrittenEntry>): Promise<ReadonlyArray<WrittenEntry>> =>
  withLog(directory, (log) =>
    Effect.forEach(
      rows,
      ({ entryId, ledgerId, location }) =>
        Effect.map(log.read(ledgerId, entryId, location), (payload) =>
          Table.rowOf({ ledgerId, entryId, payload }, location)
        ),
      { concurrency: 64 }
    )
  )

/** The logs by their ids. */
export const logs = (directory: string): Promise<ReadonlyArray<EntryLog.LogFile>> =>
  withLog(directory, (log) => log.logs)

const withLog = <A, E>(
  directory: string,
  use: (log: EntryLog.EntryLog["Service"]) => Effect.Effect<A, E>
): Promise<A> => Effect.runPromise(Effect.scoped(Effect.flatMap(EntryLog.make({ directory, readOnly: true }), use)))
