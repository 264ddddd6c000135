/**
 * What the index counts as it works: plain numbers, updated in place, which
 * gauges read without touching the index or its database.
 */
import { type Durations, Timer } from "@effect-bookie/lifecycle/Timer"

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
  /** The commits, each of what came at the same time, by outcome, with their waits for room. */
  readonly commits: Endings
  /** The checkpoints, which write memtables into pages, by outcome. One that the release has stopped is not counted. */
  readonly checkpoints: Endings
  /** How long commits waited for room in the memtables, of those that had to. */
  readonly roomWaits: Durations
}

/** How commits or checkpoints ended. */
export interface Endings {
  readonly done: Durations
  readonly failed: Durations
}

/** How lookups ended. */
export interface Outcomes {
  readonly found: Durations
  /** There was no such entry or ledger. */
  readonly missing: Durations
  /** It could not be read. */
  readonly failed: Durations
}

/** A timer for each outcome. */
export class Timers implements Outcomes {
  readonly found = new Timer()
  readonly missing = new Timer()
  readonly failed = new Timer()
}

/** A timer for each way to end. */
export class EndingTimers implements Endings {
  readonly done = new Timer()
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
  readonly commits = new EndingTimers()
  readonly checkpoints = new EndingTimers()
  readonly roomWaits = new Timer()
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
