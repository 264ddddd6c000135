/**
 * What was acquired and released, and in which order.
 *
 * Every resource of these packages tells the `Lifecycle` reference when it has
 * been acquired and when it has been released: `gauge:<metric>`,
 * `ledger-storage`, `entry-location-index`, `entry-log`, `rocksdb.operations`,
 * `rocksdb.wal`, `rocksdb`. Unless an application sets the reference, nothing happens. Resources
 * of an application tell it with {@link scoped}, and `Shutdown.expectOrder` lets
 * a test assert in which order all of them are released.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** One acquisition or release. */
export interface Event {
  readonly _tag: "Acquired" | "Released"
  /** The name of the resource, such as `rocksdb.wal`. */
  readonly resource: string
  /** Counts up by one with each event of this process. */
  readonly sequence: number
}

/** Is told of each event, as it happens. */
export interface Listener {
  (event: Event): Effect.Effect<void>
}

/** The listener of the application; by default it does nothing. */
export const Lifecycle: Context.Reference<Listener> = Context.Reference<Listener>(
  "@effect-bookie/lifecycle/Lifecycle",
  {
    defaultValue: () => () => Effect.void
  }
)

/**
 * Sets the listener for the layers that this layer is provided to.
 *
 * @example
 * ```ts
 * import { Lifecycle } from "@effect-bookie/lifecycle"
 * import { Console, Effect, Layer } from "effect"
 *
 * const ListenerLive = Layer.effectDiscard(
 *   Lifecycle.scoped("http", Console.log("listen"), Console.log("stop listening"))
 * )
 * const TellLive = Lifecycle.layer(({ _tag, resource }) => Console.log(`${_tag} ${resource}`))
 *
 * // listen, Acquired http, stop listening, Released http
 * await Effect.runPromise(Effect.provide(Effect.void, Layer.provide(ListenerLive, TellLive)))
 * ```
 */
export const layer = (listener: Listener): Layer.Layer<never> => Layer.succeed(Lifecycle)(listener)

/** Tells the listener that a resource has been acquired. */
export const acquired = (resource: string): Effect.Effect<void> => tell("Acquired", resource)

/** Tells the listener that a resource has been released. */
export const released = (resource: string): Effect.Effect<void> => tell("Released", resource)

/**
 * Tells the listener that a resource has been acquired and, when the scope
 * closes, runs `release` and then tells of the release, even if it failed.
 */
export const scoped = <E, R>(
  resource: string,
  acquire: Effect.Effect<void, E, R>,
  release: Effect.Effect<void>
): Effect.Effect<void, E, R | Scope.Scope> =>
  Effect.acquireRelease(acquire, () => Effect.ensuring(release, released(resource))).pipe(
    Effect.andThen(acquired(resource))
  )

let sequence = 0

const tell = (tag: Event["_tag"], resource: string): Effect.Effect<void> =>
  Effect.flatMap(Lifecycle, (listener) => {
    sequence += 1
    const told = listener({ _tag: tag, resource, sequence })
    if (Effect.isEffect(told)) return told
    // Plain JavaScript may answer anything, at which the fiber would end without a release.
    return Effect.die(new TypeError(`a listener of Lifecycle must answer an Effect, not ${typeof told}`))
  })
