/**
 * Runs checkpoints in the background, so that no writer waits for one unless
 * writes come faster than pages can be written.
 *
 * One that fails, also by a defect, is tried again, later each time up to a
 * minute; what is wrong is logged when it is something else than before, and
 * `checkpointFailures` counts. A writer that has to wait for it tries at once,
 * and is told why it fails. The journal has everything as long as it takes.
 */
import type { RocksDBError } from "@effect-bookie/rocksdb"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Errors from "../errors.ts"

/** What is checkpointed. */
export interface Store {
  /** Open while there is something to checkpoint. */
  readonly checkpointDue: Latch.Latch
  readonly checkpoint: Effect.Effect<void, RocksDBError.RocksDBError>
}

/** Runs the checkpoints of a store in the current scope. */
export const run = (store: Store): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.forkScoped(Effect.forever(untilDone(store))))

/** How long after one that failed the next one waits: at first, and at most. */
const shortestPause = Duration.seconds(1)
const longestPause = Duration.minutes(1)

/** Waits for something to checkpoint, and tries until it has been. */
const untilDone: (store: Store) => Effect.Effect<void> = Effect.fnUntraced(function* (store: Store) {
  yield* store.checkpointDue.await
  let said: string | undefined
  let pause = shortestPause
  while (true) {
    const exit = yield* Effect.exit(store.checkpoint)
    if (Exit.isSuccess(exit)) break
    if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
    const problem = Errors.describe(exit.cause)
    if (problem !== said) yield* Effect.logWarning(`A checkpoint of the index will be tried again: ${problem}`)
    said = problem
    yield* Effect.sleep(pause)
    pause = Duration.min(Duration.times(pause, 2), longestPause)
  }
  if (said !== undefined) yield* Effect.logInfo("The checkpoint of the index that had failed is done")
})
