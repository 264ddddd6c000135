/**
 * What the index counts as it works: plain numbers, updated in place, which
 * gauges read without touching the index or its database.
 */

/** Counts of an index, since it was built. Read them; they change by themselves. */
export interface Statistics {
  /** How many entries the index holds. */
  readonly entries: number
  /** How much memory its decoded pages and ledger records take up, about. */
  readonly pageCacheBytes: number
  /** How much memory what is in the journal and not in pages takes up, about. */
  readonly memtableBytes: number
  /** How many checkpoints have failed since the last one that has not. Commits fail too once the memtables are full. */
  readonly checkpointFailures: number
  /** How many lookups of an entry found its page in memory. */
  readonly pageCacheHits: number
  /** How many lookups of an entry had to read its page. */
  readonly pageCacheMisses: number
  /** The lookups of an entry, by outcome. */
  readonly lookups: Outcomes
  /** The lookups of a last entry, by outcome. */
  readonly lastEntries: Outcomes
}

/** How lookups ended. */
export interface Outcomes {
  readonly found: Durations
  /** There was no such entry or ledger. */
  readonly missing: Durations
  /** It could not be read. */
  readonly failed: Durations
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
  1e-6, 1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
]

/** A histogram that can be added to. */
export class Timer implements Durations {
  count = 0
  sum = 0
  min = Number.MAX_VALUE
  max = -Number.MAX_VALUE
  readonly #buckets = new Float64Array(boundaries.length + 1)

  /** Adds so many durations of so many seconds. */
  record(seconds: number, times = 1): void {
    this.count += times
    this.sum += seconds * times
    if (seconds < this.min) this.min = seconds
    if (seconds > this.max) this.max = seconds
    let bucket = 0
    while (seconds > (boundaries[bucket] ?? Infinity)) bucket += 1
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + times
  }

  buckets = (): ReadonlyArray<[boundary: number, count: number]> => {
    let count = 0
    return boundaries.map((boundary, at) => {
      count += this.#buckets[at] ?? 0
      return [boundary, count]
    })
  }
}

/** A timer for each outcome. */
export class Timers implements Outcomes {
  readonly found = new Timer()
  readonly missing = new Timer()
  readonly failed = new Timer()
}

/** The counts of an index, to be updated. */
export class Counts implements Statistics {
  entries = 0
  checkpointFailures = 0
  pageCacheHits = 0
  pageCacheMisses = 0
  readonly lookups = new Timers()
  readonly lastEntries = new Timers()
  readonly #cache: Sized
  readonly #memtables: Sized

  constructor(cache: Sized, memtables: Sized) {
    this.#cache = cache
    this.#memtables = memtables
  }

  get pageCacheBytes(): number {
    return this.#cache.bytes
  }

  get memtableBytes(): number {
    return this.#memtables.bytes
  }
}

/** Something that knows how many bytes it takes up. */
interface Sized {
  readonly bytes: number
}
