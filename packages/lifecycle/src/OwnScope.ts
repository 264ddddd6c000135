/**
 * A scope of its own for a resource that is opened in steps, below the current
 * one.
 *
 * - Its finalizers follow one another, also where those around them run at once.
 * - A failure or an interruption half-way leaves nothing open.
 * - In a scope that is closed, or is closed while the resource opens, it does not
 *   open: a resource that had been released by the time that its caller gets it
 *   would be of no use. Who closes the scope waits until nothing is open.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"

/** Opens a resource in a scope of its own. Fails with what `closed` answers if the current one is closed. */
export const open = <A, E, R, E2>(
  resource: Effect.Effect<A, E, R>,
  closed: () => E2
): Effect.Effect<A, E | E2, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const around = yield* Effect.scope
      if (isClosed(around)) return yield* Effect.fail(closed())
      const own = yield* Scope.make("sequential")
      const settled = yield* Latch.make()
      // It is closed with the one around, and forgotten there as soon as it is closed before.
      const link = yield* Scope.fork(around)
      yield* Scope.addFinalizerExit(link, (exit) => Effect.andThen(settled.await, Scope.close(own, exit)))
      const opened = yield* Effect.exit(restore(Scope.provide(resource, own)))
      if (Exit.isSuccess(opened) && !isClosed(link)) {
        yield* settled.open
        return opened.value
      }
      yield* Effect.ensuring(
        Scope.close(own, Exit.isSuccess(opened) ? Exit.void : opened),
        Effect.andThen(settled.open, Scope.close(link, Exit.void))
      )
      return yield* Exit.isSuccess(opened) ? Effect.fail(closed()) : opened
    })
  )

const isClosed = (scope: Scope.Scope): boolean => scope.state._tag === "Closed"
