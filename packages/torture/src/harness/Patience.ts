/**
 * Waits with an end: what does not come back in time is left behind, also where
 * it cannot be interrupted, so that a hang is a finding.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"

/** The exit of an effect, or none if it has not come to its end in time: then it goes on, and nobody waits for it. */
export const exitWithin = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  duration: Duration.Input
): Effect.Effect<Option.Option<Exit.Exit<A, E>>, never, R> =>
  Effect.flatMap(Effect.forkDetach(self, { startImmediately: true }), (fiber) =>
    Effect.timeoutOption(Fiber.await(fiber), duration).pipe(
      Effect.onInterrupt(() => Effect.sync(() => fiber.interruptUnsafe()))
    )
  )

/** Interrupts a fiber; false if it has not come to its end in time. */
export const interruptWithin = (
  fiber: Fiber.Fiber<unknown, unknown>,
  duration: Duration.Input
): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    fiber.interruptUnsafe()
    return Effect.map(Effect.timeoutOption(Fiber.await(fiber), duration), Option.isSome)
  })
