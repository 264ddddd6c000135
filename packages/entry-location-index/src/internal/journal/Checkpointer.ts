/**
 * Runs checkpoints in the background, so that no writer waits for one unless
 * writes come faster than pages can be written.
 *
 * A checkpoint that fails is logged, and tried again some time later; a writer
 * that has to wait for it tries at once, and is told why it fails. On release
 * the one under way stops after the write that runs: the journal still has
 * everything.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Store } from "../Store.ts"

/** Runs the checkpoints of a store in the current scope. */
export const run = (store: Store): Effect.Effect<void, never, Scope.Scope> =>
  store.checkpointDue.await.pipe(
    Effect.andThen(store.checkpoint),
    Effect.catch((error) =>
      Effect.andThen(
        Effect.logWarning(`A checkpoint of the index will be tried again: ${error.message}`),
        Effect.sleep(pause)
      )
    ),
    Effect.forever,
    Effect.forkScoped,
    Effect.asVoid
  )

/** How long after one that failed the next one waits. */
const pause = "1 second"
