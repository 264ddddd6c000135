/**
 * Removes a log: its name goes from the directory, also on disk, and its
 * descriptor as soon as nobody reads from it.
 */
import * as Fs from "node:fs/promises"
import * as EntryLogError from "../EntryLogError.ts"
import type { Descriptors } from "./Descriptors.ts"
import { logPath } from "./directory.ts"
import * as Files from "./files.ts"

/** Removes a log that is not being written. `NotFound` if it is not there. */
export const removeLog = (directory: string, descriptors: Descriptors, logId: number): Promise<void> => {
  const path = logPath(directory, logId)
  return Files.withDirectory(directory, async (syncNames) => {
    await Fs.unlink(path).catch((cause: unknown) => {
      throw EntryLogError.hasCode(cause, "ENOENT") ? EntryLogError.missingLog({ operation: "removeLog", path }) : cause
    })
    await descriptors.forget(logId)
    await syncNames()
  })
}
