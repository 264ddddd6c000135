/**
 * What a storage counts as it works: plain numbers, updated in place, which
 * gauges read without touching the storage.
 */

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

/** A histogram of durations in seconds. */
export interface Durations {
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  /** How many durations were not above each of the {@link boundaries}. */
  readonly buckets: () => ReadonlyArray<[boundary: number, count: number]>
}

/** The boundaries of the buckets, in seconds. */
export const boundaries: ReadonlyArray<number> = [
  1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
]

/** A histogram that can be added to. */
export class Timer implements Durations {
  count = 0
  sum = 0
  min = Number.MAX_VALUE
  max = -Number.MAX_VALUE
  readonly #buckets = new Float64Array(boundaries.length + 1)

  /** Adds what has passed since a moment of `performance.now()`, which is in milliseconds. */
  recordSince(start: number): void {
    const seconds = (performance.now() - start) / 1000
    this.count += 1
    this.sum += seconds
    if (seconds < this.min) this.min = seconds
    if (seconds > this.max) this.max = seconds
    let bucket = 0
    while (seconds > (boundaries[bucket] ?? Infinity)) bucket += 1
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
  }

  buckets = (): ReadonlyArray<[boundary: number, count: number]> => {
    let count = 0
    return boundaries.map((boundary, at) => {
      count += this.#buckets[at] ?? 0
      return [boundary, count]
    })
  }
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
