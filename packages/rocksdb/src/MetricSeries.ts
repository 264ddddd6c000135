/**
 * A series of Effect's metric registry that lives exactly as long as a scope.
 *
 * A gauge that outlives what it reads is the bug that these packages exist to
 * prevent, so every series of theirs is registered here: it appears when it is
 * acquired, and it is out of the registry before anything that was acquired
 * before it is released.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as Lifecycle from "./Lifecycle.ts"

/** A metric, and where its state is read at each scrape. */
export interface Series {
  /** Registers the series with the attributes and in the registry of the context. */
  readonly register: Effect.Effect<Metric.Registration>
}

/**
 * Makes the series of a metric. `get` is called at every snapshot and must not throw, because one throwing callback
 * breaks the snapshot of every metric; it reads plain memory, never a native handle.
 */
export const make = <Input, State>(metric: Metric.Metric<Input, State>, get: () => State): Series => ({
  register: Effect.contextWith((context) =>
    Effect.sync(() => Metric.registerUnsafe(metric, context, { get, update: ignore, modify: ignore }))
  )
})

/**
 * Registers all series of one metric name for the scope, and tells `Lifecycle` of the resource `gauge:<name>`. One name
 * has many series if they differ in their attributes.
 */
export const scoped = (name: string, series: ReadonlyArray<Series>): Effect.Effect<void, never, Scope.Scope> => {
  const registrations: Array<Metric.Registration> = []
  return Lifecycle.scoped(
    `gauge:${name}`,
    Effect.forEach(series, ({ register }) => Effect.map(register, (registration) => registrations.push(registration)), {
      discard: true
    }),
    Effect.sync(() => {
      for (const registration of registrations) registration.remove()
    })
  )
}

const ignore = (): void => {}
