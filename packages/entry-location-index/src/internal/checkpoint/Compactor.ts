/**
 * Gives back the room of deleted ledgers, in the background.
 *
 * A round writes what the memtables hold into pages, so that those of the
 * ledgers that were deleted since the round before are gone, and compacts where
 * they were; there is at most one an interval. The ledgers are kept as a bounded
 * number of spans of ids. What a round could not do, for want of room or because
 * a compaction failed, is done by a later one, later each time up to ten minutes
 * or the interval; what is wrong is logged when it is something else than before.
 * On release the round under way ends after the compaction that runs, which
 * RocksDB waits for, and what is left waits for a compaction by hand or by RocksDB.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Errors from "../errors.ts"
import * as Keys from "../pages/keys.ts"
import { addSpan, type Span } from "./spans.ts"

export { addToSpans, maxSpans, type Span } from "./spans.ts"

/** What has the room. */
export interface Store {
  readonly database: RocksDB.RocksDB["Service"]
  /** Writes everything into the pages. */
  readonly flush: Effect.Effect<void, RocksDBError.RocksDBError>
}

/** Is told where ledgers have been deleted. */
export interface Compactor {
  readonly add: (spans: ReadonlyArray<Span>) => void
}

/** Makes a compactor in the current scope. */
export const make: (store: Store, interval: Duration.Duration) => Effect.Effect<Compactor, never, Scope.Scope> =
  Effect.fnUntraced(function* (store: Store, interval: Duration.Duration) {
    const work = new Work()
    yield* Effect.forkScoped(Effect.forever(untilDone(store, work, interval)))
    return work
  })

/** What is to be compacted. */
class Work implements Compactor {
  /** Open while there is some. */
  readonly #due = Latch.makeUnsafe()
  #spans: ReadonlyArray<Span> = []

  readonly due: Effect.Effect<void> = this.#due.await

  add(spans: ReadonlyArray<Span>): void {
    for (const span of spans) this.#spans = addSpan(this.#spans, span)
    if (this.#spans.length > 0) this.#due.openUnsafe()
  }

  /** All of it, which is then no longer here. */
  take(): ReadonlyArray<Span> {
    const spans = this.#spans
    this.#spans = []
    this.#due.closeUnsafe()
    return spans
  }
}

/** How long after a round that failed the next one begins, at least, and at most if the interval is not longer. */
const shortestPause = Duration.seconds(1)
const longestPause = Duration.minutes(10)

/** Waits for work, and makes a round an interval until nothing of it is left over. */
const untilDone: (store: Store, work: Work, interval: Duration.Duration) => Effect.Effect<void> = Effect.fnUntraced(
  function* (store: Store, work: Work, interval: Duration.Duration) {
    yield* work.due
    yield* Effect.sleep(interval)
    let said: string | undefined
    for (let pause = Duration.max(interval, shortestPause); ;) {
      const problem = yield* round(store, work)
      if (problem === undefined) return
      if (problem !== said) {
        yield* Effect.logWarning(`The room of deleted ledgers is not given back, and will be later: ${problem}`)
        said = problem
      }
      yield* Effect.sleep(pause)
      pause = Duration.max(interval, Duration.min(Duration.times(pause, 2), longestPause))
    }
  }
)

/** Does the work; what cannot be done stays, and the answer is what is wrong with the last of it. */
const round = Effect.fnUntraced(function* (store: Store, work: Work) {
  const spans = work.take()
  const flushed = yield* problemOf(store.flush)
  if (flushed !== undefined) {
    work.add(spans)
    return flushed
  }
  let problem: string | undefined
  for (const span of spans) {
    const found = yield* problemOf(store.database.compact(Keys.pagesOf(span.first, span.last)))
    if (found === undefined) continue
    work.add([span])
    problem = found
  }
  return problem
})

/** What is wrong if an effect fails, also by a defect. */
const problemOf = (self: Effect.Effect<void, RocksDBError.RocksDBError>): Effect.Effect<string | undefined> =>
  Effect.flatMap(Effect.exit(self), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.succeed(undefined)
    return Cause.hasInterruptsOnly(exit.cause) ? Effect.interrupt : Effect.succeed(Errors.describe(exit.cause))
  })
