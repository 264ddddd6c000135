/**
 * Asserts in a test in which order a Layer releases its resources.
 *
 * A shutdown that runs in the wrong order works on most days, and loses data or
 * crashes on the others. {@link expectOrder} builds a Layer, uses it, lets it go
 * and looks at what `Lifecycle` was told meanwhile: every resource that was
 * acquired has been released, once, and those that the test names in the order
 * in which it names them.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Lifecycle from "./Lifecycle.ts"

/** The Layer did not release what the test expects, or not in that order. */
export class UnexpectedShutdown extends Schema.TaggedError<UnexpectedShutdown>(
  "@effect-bookie/lifecycle/Shutdown/UnexpectedShutdown"
)("UnexpectedShutdown", {
  /** What is wrong, and what was released in which order. */
  message: Schema.String,
  /** The names of what was released, in that order. */
  released: Schema.Array(Schema.String)
}) {}

/** The options of {@link expectOrder}. */
export interface Options<A, E, R> {
  /** Runs with the Layer before it is let go, such as a write whose end the release has to wait for. */
  readonly use?: Effect.Effect<unknown, E, R | A> | undefined
}

/**
 * Builds a Layer, lets it go, and fails unless the resources that are named were released in the order in which they are
 * named, and everything that was acquired was released once. What is not named may be released at any time.
 *
 * A name may end in `*`: `gauge:*` stands for every gauge, all of which have to be released before what is named next. A
 * name for which nothing was released is a failure, too. Answers the names of all that was released, in order. A release
 * that fails or dies makes this fail with its cause.
 *
 * @example
 * ```ts
 * import { Shutdown } from "@effect-bookie/lifecycle"
 * import { PropertyGauge, RocksDB } from "@effect-bookie/rocksdb"
 * import { it } from "@effect/vitest"
 * import { Layer } from "effect"
 *
 * const ApplicationLive = Layer.provideMerge(PropertyGauge.layerAll, RocksDB.layerTemp())
 *
 * it.effect("the gauges go before the database", () =>
 *   Shutdown.expectOrder(ApplicationLive, ["gauge:*", "rocksdb.operations", "rocksdb.wal", "rocksdb"]))
 * ```
 */
export const expectOrder: <A, E, R, E2 = never, R2 = never>(
  layer: Layer.Layer<A, E, R>,
  names: ReadonlyArray<string>,
  options?: Options<A, E2, R2> | undefined
) => Effect.Effect<ReadonlyArray<string>, E | E2 | UnexpectedShutdown, R | Exclude<R2, A>> = Effect.fnUntraced(
  function* <A, E, R, E2 = never, R2 = never>(
    layer: Layer.Layer<A, E, R>,
    names: ReadonlyArray<string>,
    options?: Options<A, E2, R2> | undefined
  ) {
    const events: Array<Lifecycle.Event> = []
    const listener: Lifecycle.Listener = (event) => Effect.sync(() => events.push(event))
    yield* run(Layer.provide(layer, Lifecycle.layer(listener)), options?.use ?? Effect.void)
    const released = namesOf(events, "Released")
    const problem = problemWith(namesOf(events, "Acquired"), released, names)
    if (problem === undefined) return released
    const order = released.length === 0 ? "Nothing was released." : `Released: ${released.join(", ")}.`
    return yield* new UnexpectedShutdown({ message: `${problem} ${order}`, released })
  }
)

/** With a memo map of its own: a Layer that the test shares with others would not be let go here. */
const run = <A, E, R, E2, R2>(
  layer: Layer.Layer<A, E, R>,
  use: Effect.Effect<unknown, E2, R2 | A>
): Effect.Effect<void, E | E2, R | Exclude<R2, A>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const context = yield* Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope)
      yield* Effect.provideContext(use, context)
    })
  )

const namesOf = (events: ReadonlyArray<Lifecycle.Event>, tag: Lifecycle.Event["_tag"]): ReadonlyArray<string> =>
  events.filter(({ _tag }) => _tag === tag).map(({ resource }) => resource)

const problemWith = (
  acquired: ReadonlyArray<string>,
  released: ReadonlyArray<string>,
  names: ReadonlyArray<string>
): string | undefined => {
  const kept = withoutEach(acquired, released)
  if (kept.length > 0) return `Acquired and not released: ${kept.join(", ")}.`
  const extra = withoutEach(released, acquired)
  if (extra.length > 0) return `Released more often than acquired: ${extra.join(", ")}.`
  let before: { readonly name: string; readonly last: number } | undefined
  for (const name of names) {
    const places = released.flatMap((resource, place) => (isNamed(resource, name) ? [place] : []))
    const first = places[0]
    if (first === undefined) return `Nothing named ${name} was released.`
    if (before !== undefined && first < before.last) {
      return `${released[first]} was released before ${released[before.last]}, and should go after ${before.name}.`
    }
    before = { name, last: places.at(-1) ?? first }
  }
  return undefined
}

const isNamed = (resource: string, name: string): boolean =>
  name.endsWith("*") ? resource.startsWith(name.slice(0, -1)) : resource === name

/** What is left of some names when each of the others has taken one away. */
const withoutEach = (names: ReadonlyArray<string>, others: ReadonlyArray<string>): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const name of others) counts.set(name, (counts.get(name) ?? 0) + 1)
  return names.filter((name) => {
    const count = counts.get(name) ?? 0
    counts.set(name, count - 1)
    return count <= 0
  })
}
