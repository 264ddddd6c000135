/**
 * Brings the entry logs of a directory to disk.
 *
 * A rebuild also indexes what a writer had appended and not synced when it was
 * killed, or has not synced yet. Were the index on disk before those entries, a
 * power loss would leave it pointing past the logs.
 */
import { EntryLogError } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs/promises"
import * as LogFiles from "./logFiles.ts"
import { syncDirectory } from "./syncDirectory.ts"

/** Succeeds when what the logs hold now is on disk. */
export const sync = (directory: string): Effect.Effect<void, EntryLogError.EntryLogError> =>
  Effect.tryPromise({
    try: async () => {
      for (const { path } of await LogFiles.list(directory)) await syncFile(path)
      await syncDirectory(directory)
    },
    catch: (cause) => EntryLogError.fromSystem(cause, { operation: "rebuild", path: directory })
  })

const syncFile = async (path: string): Promise<void> => {
  // Windows only syncs what may be written to.
  const file = await Fs.open(path, process.platform === "win32" ? "r+" : "r")
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}
