/**
 * What an entry log counts as it works: plain numbers, updated in place, which
 * metrics read without touching a file.
 */

/** Counts of an entry log, since it was opened. Read them; they change by themselves. */
export interface Statistics {
  /** How many entries have been appended. */
  readonly appendedEntries: number
  /** How many bytes these take up in the logs, size fields included. */
  readonly appendedBytes: number
  /** How many logs have been created. */
  readonly createdLogs: number
  /** How many syncs of a log's bytes have succeeded. */
  readonly syncs: number
  /** How many syncs have failed: one, as the first is final, or none. */
  readonly failedSyncs: number
  /** How long the syncs have taken together, in seconds. */
  readonly syncSeconds: number
}

/** The counts of an entry log, to be updated. */
export class Counts implements Statistics {
  appendedEntries = 0
  appendedBytes = 0
  createdLogs = 0
  syncs = 0
  failedSyncs = 0
  syncSeconds = 0
}
