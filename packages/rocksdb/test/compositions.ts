/**
 * The ways in which an application may put a layer and the users of it
 * together. Whichever it takes, the users must be released first: the tests of
 * this package and of those above it go through all of them.
 */
import { Effect, Fiber, Latch, Layer, ManagedRuntime } from "effect"

/** One way. */
export interface Composition<E> {
  readonly name: string
  /** Builds everything, runs the effect while it is there, and releases everything. */
  readonly run: (inside: Effect.Effect<void>) => Effect.Effect<void, E>
}

/**
 * All ways to compose a database with two users of it. The layers must be
 * values that are made once, as an application has them: it is by the identity
 * of the layer that Effect knows to build a database once.
 */
export const compositions = <D, U, V, E>(
  database: Layer.Layer<D, E>,
  users: Layer.Layer<U, E, D>,
  others: Layer.Layer<V, E, D>
): ReadonlyArray<Composition<E>> => {
  const during =
    <A>(layer: Layer.Layer<A, E>) =>
    (inside: Effect.Effect<void>): Effect.Effect<void, E> =>
      Effect.provide(inside, layer)
  const all = Layer.provideMerge(Layer.merge(users, others), database)

  return [
    { name: "provide", run: during(Layer.provide(users, database)) },
    { name: "provideMerge", run: during(Layer.provideMerge(users, database)) },
    { name: "provide of several at once", run: during(Layer.provide(Layer.mergeAll(users, others), [database])) },
    {
      name: "the database merged before its users",
      run: during(Layer.merge(database, Layer.provide(users, database)))
    },
    { name: "the database merged after its users", run: during(Layer.merge(Layer.provide(users, database), database)) },
    {
      name: "a diamond",
      run: during(Layer.mergeAll(Layer.provide(users, database), Layer.provide(others, database)))
    },
    {
      name: "a diamond with the database beside it",
      run: during(Layer.mergeAll(Layer.provide(users, database), database, Layer.provideMerge(others, database)))
    },
    {
      name: "users over users",
      run: during(Layer.provide(others, Layer.provideMerge(users, database)))
    },
    {
      name: "users over users that keep everything",
      run: during(Layer.provideMerge(others, Layer.provideMerge(users, database)))
    },
    { name: "fresh users", run: during(Layer.provide(Layer.fresh(users), database)) },
    { name: "users twice, once fresh", run: during(Layer.provide(Layer.merge(users, Layer.fresh(users)), database)) },
    { name: "everything fresh", run: during(Layer.fresh(all)) },
    { name: "unwrapped", run: during(Layer.unwrap(Effect.succeed(all))) },
    {
      name: "users that are built from an effect",
      run: during(Layer.provide(Layer.unwrap(Effect.as(Effect.yieldNow, users)), database))
    },
    {
      name: "provided to the effect one after the other",
      run: (inside) => inside.pipe(Effect.provide(others), Effect.provide(users), Effect.provide(database))
    },
    {
      name: "provided to the effect as a list",
      run: (inside) => Effect.provide(inside, [Layer.provide(users, database), Layer.provide(others, database)])
    },
    {
      name: "built in a scope",
      run: (inside) => Effect.scoped(Effect.andThen(Layer.build(all), inside))
    },
    {
      name: "users that are launched beside an effect in a scope of the database",
      run: (inside) =>
        Effect.gen(function* () {
          const up = yield* Latch.make()
          const app = Layer.provideMerge(Layer.effectDiscard(up.open), users)
          yield* Effect.forkScoped(Layer.launch(app))
          yield* up.await
          yield* inside
        }).pipe(Effect.scoped, Effect.provide(database))
    },
    {
      name: "a ManagedRuntime",
      run: (inside) =>
        Effect.acquireUseRelease(
          Effect.sync(() => ManagedRuntime.make(all)),
          (runtime) => Effect.flatMap(runtime.contextEffect, (context) => Effect.provide(inside, context)),
          (runtime) => runtime.disposeEffect
        )
    },
    {
      name: "Layer.launch, interrupted",
      run: (inside) =>
        Effect.gen(function* () {
          const up = yield* Latch.make()
          const app = yield* Effect.forkChild(Layer.launch(Layer.provideMerge(Layer.effectDiscard(up.open), all)))
          yield* Effect.raceFirst(up.await, Fiber.join(app))
          yield* inside
          yield* Fiber.interrupt(app)
        })
    },
    {
      name: "an effect that is interrupted",
      run: (inside) =>
        Effect.gen(function* () {
          const up = yield* Latch.make()
          const app = yield* Effect.forkChild(
            Effect.provide(Effect.andThen(Effect.andThen(inside, up.open), Effect.never), all)
          )
          yield* Effect.raceFirst(up.await, Fiber.join(app))
          yield* Fiber.interrupt(app)
        })
    },
    {
      name: "an effect that dies",
      run: (inside) =>
        Effect.catchDefect(Effect.provide(Effect.andThen(inside, Effect.die("dead")), all), (defect) =>
          defect === "dead" ? Effect.void : Effect.die(defect)
        )
    }
  ]
}
