/**
 * What a storage counts as it works: plain numbers, updated in place, which
 * gauges read without touching the storage.
 */

import { type Durations, Timer } from "@effect-bookie/lifecycle/Timer"
import type { Entry } from "../LedgerStorage.ts"

/** Counts of a storage, since it was built. Read them; they change by themselves. */
export interface Statistics {
  /** How many entries were appended and acknowledged. */
  readonly appendedEntries: number
  /** How many bytes their payloads had. */
  readonly appendedBytes: number
  /** How many groups of appends and records shared a write. */
  readonly groups: number
  /** Appends, from the call to the acknowledgement. */
  readonly appends: Durations
  /** Syncs, each of which brought a group to disk. */
  readonly syncs: Durations
  /** Commits, each of which made a group visible to readers. */
  readonly commits: Durations
  /** How many bytes the appends in flight take up, about. */
  readonly bytesInFlight: number
  /** How many calls wait because of the bytes in flight. */
  readonly waiting: number
  /** How many entries readers got from those that are kept in memory because they came last. */
  readonly recentReads: number
  /** How many entries readers got from where they are stored. */
  readonly storedReads: number
  /** How many bytes the payloads of all entries had that readers got. */
  readonly readBytes: number
  /** How many tails there are. */
  readonly followers: number
}

/** The counts of a storage, to be updated. */
export class Counts implements Statistics {
  appendedEntries = 0
  appendedBytes = 0
  groups = 0
  readonly appends = new Timer()
  readonly syncs = new Timer()
  readonly commits = new Timer()
  bytesInFlight = 0
  waiting = 0
  recentReads = 0
  storedReads = 0
  readBytes = 0
  followers = 0

  /** Counts entries that a reader got out of memory. */
  readRecently(entries: ReadonlyArray<Entry | undefined>): void {
    this.recentReads += this.#read(entries)
  }

  /** Counts entries that a reader got from where they are stored. */
  readStored(entries: ReadonlyArray<Entry | undefined>): void {
    this.storedReads += this.#read(entries)
  }

  #read(entries: ReadonlyArray<Entry | undefined>): number {
    let count = 0
    for (const entry of entries) {
      if (entry === undefined) continue
      this.readBytes += entry.payload.length
      count += 1
    }
    return count
  }
}
