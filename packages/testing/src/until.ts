/**
 * Waits for what no effect tells of.
 */
import { Effect } from "effect"
import { TestClock } from "effect/testing"

/** Waits, by the real clock, until something holds. */
export const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!condition()) yield* Effect.sleep("2 millis")
  }).pipe(TestClock.withLive)
