/**
 * A series of Effect's metric registry that lives exactly as long as a scope.
 *
 * A gauge that outlives what it reads is the bug that these packages exist to
 * prevent, so every series of theirs is registered here: it appears when it is
 * acquired, and it is out of the registry before anything that was acquired
 * before it is released.
 *
 * A registry has room for one series of a name and attributes. Where two owners
 * want it, such as a reader beside the writer of one directory, the one that
 * came last answers; when it goes, in whichever order, the one that came last of
 * those that are left answers again.
 *
 * @example
 * ```ts
 * import { MetricSeries } from "@effect-bookie/lifecycle"
 * import { Console, Effect, Layer, Metric } from "effect"
 *
 * const jobs: Array<string> = []
 *
 * // Provided above what it reads, so that it is gone before that is released.
 * const options = { description: "How many jobs wait", attributes: { queue: "mail" } }
 * const MetricsLive = Layer.effectDiscard(MetricSeries.gauge("jobs_waiting", options, () => jobs.length))
 *
 * const scrape = Effect.map(Metric.snapshot, (metrics) => metrics.filter(({ id }) => id === "jobs_waiting").length)
 *
 * const program = Effect.gen(function* () {
 *   yield* Console.log(yield* Effect.provide(scrape, MetricsLive)) // 1
 *   yield* Console.log(yield* scrape) // 0
 * })
 *
 * await Effect.runPromise(program)
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Lifecycle from "./Lifecycle.ts"

/** A metric, and where its state is read at each scrape. */
export interface Series {
  /** Registers the series with the attributes and in the registry of the context. */
  readonly register: Effect.Effect<Metric.Registration>
}

/**
 * Makes the series of a metric. `get` is called when it is registered and at every snapshot; it reads plain memory, never
 * a native handle, and should not throw. Where it does, which would break the snapshot of every metric, the series keeps
 * its last state, and a warning says so once.
 */
export const make = <Input, State>(metric: Metric.Metric<Input, State>, get: () => State): Series => ({
  register: Effect.contextWith((context) =>
    Effect.sync(() => {
      const warn = (cause: unknown) =>
        Effect.runForkWith(context)(
          Effect.logWarning(`The series ${metric.id} keeps its last state: ${messageOf(cause)}`)
        )
      return register(metric, context, safe(get, warn))
    })
  )
})

/**
 * Registers all series of one metric name for the scope, and tells `Lifecycle` of the resource `gauge:<name>`. One name
 * has many series if they differ in their attributes.
 */
export const scoped = (name: string, series: ReadonlyArray<Series>): Effect.Effect<void, never, Scope.Scope> => {
  const registrations: Array<Metric.Registration> = []
  const removeAll = Effect.sync(() => {
    for (const registration of registrations) registration.remove()
  })
  return Lifecycle.scoped(
    `gauge:${name}`,
    Effect.forEach(series, ({ register }) => Effect.map(register, (registration) => registrations.push(registration)), {
      discard: true
    }).pipe(Effect.onExit((exit) => (Exit.isFailure(exit) ? removeAll : Effect.void))),
    removeAll
  )
}

/** What a series says of itself, and what tells it from others of its name. */
export interface Options {
  readonly description: string
  readonly attributes: { readonly [name: string]: string }
}

/** Registers a gauge for the scope, whose value is read at each scrape. */
export const gauge = (
  name: string,
  { attributes, description }: Options,
  get: () => number
): Effect.Effect<void, never, Scope.Scope> =>
  scoped(name, [make(Metric.gauge(name, { attributes, description }), () => ({ value: get() }))])

/** Registers a counter for the scope: `get` answers how many there have been. */
export const counter = (
  name: string,
  { attributes, description }: Options,
  get: () => number
): Effect.Effect<void, never, Scope.Scope> =>
  scoped(name, [
    make(Metric.counter(name, { attributes, description, incremental: true }), () => ({
      count: get(),
      incremental: true
    }))
  ])

/** Never throws once it has answered for the first time. */
const safe = <State>(get: () => State, warn: (cause: unknown) => void): (() => State) => {
  let last = get()
  let warned = false
  return () => {
    try {
      last = get()
    } catch (cause) {
      if (!warned) warn(cause)
      warned = true
    }
    return last
  }
}

/** What a registry holds of a series. */
type Entry = NonNullable<ReturnType<Metric.MetricRegistry["get"]>>

/** Of each registry and key in it, who has registered a series and not removed it, in the order in which they came. */
const owners = new WeakMap<Metric.MetricRegistry, Map<string, Array<Entry>>>()

const register = <Input, State>(
  metric: Metric.Metric<Input, State>,
  context: Context.Context<never>,
  get: () => State
): Metric.Registration => {
  const registry = Context.get(context, Metric.MetricRegistry)
  const registration = Metric.registerUnsafe(metric, context, { get, update: ignore, modify: ignore })
  const added = Array.from(registry).find(([, entry]) => entry.hooks.get === get)
  if (added === undefined) return registration
  const [key, entry] = added
  const keys = owners.get(registry) ?? new Map<string, Array<Entry>>()
  owners.set(registry, keys)
  keys.set(key, [...(keys.get(key) ?? []), entry])
  return { remove: () => remove(registry, keys, key, entry) }
}

const remove = (registry: Metric.MetricRegistry, keys: Map<string, Array<Entry>>, key: string, entry: Entry): void => {
  const left = (keys.get(key) ?? []).filter((other) => other !== entry)
  if (left.length === 0) keys.delete(key)
  else keys.set(key, left)
  // What somebody else has put there is theirs.
  if (registry.get(key) !== entry) return
  const before = left.at(-1)
  if (before === undefined) registry.delete(key)
  else registry.set(key, before)
}

/** What was thrown need not be an Error, nor one of this realm. */
const messageOf = (cause: unknown): string => {
  try {
    return String(Predicate.hasProperty(cause, "message") ? cause.message : cause)
  } catch {
    return "what was thrown cannot be read"
  }
}

const ignore = (): void => {}
