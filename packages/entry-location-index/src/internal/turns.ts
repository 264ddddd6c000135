/**
 * Long work on the main thread in steps, so that nobody waits for the whole of
 * it: timers, sockets and other fibers have their turn every few milliseconds.
 */
import * as Effect from "effect/Effect"

/** How long work goes on before others have a turn, in milliseconds. */
const longest = 4

/**
 * Runs steps, each of a few milliseconds at most, until one answers that it was the last one. Work of one step costs
 * no more than the step.
 */
export const inTurns = (step: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (step()) return Effect.void
    const turn = new Turn()
    while (!turn.isOver) if (step()) return Effect.void
    return Effect.andThen(Effect.yieldNow, inTurns(step))
  })

/** A list in parts of so many items, the last one of what is left. */
export const inParts = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> => {
  if (items.length <= size) return [items]
  const parts: Array<ReadonlyArray<A>> = []
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size))
  return parts
}

/** A turn on the main thread, for work that has a loop of its own. */
export class Turn {
  #end = performance.now() + longest

  /** Whether it has lasted so long that others are to have one. */
  get isOver(): boolean {
    return performance.now() >= this.#end
  }

  /** Lets others have theirs; then it begins anew. */
  readonly pass: Effect.Effect<void> = Effect.map(Effect.yieldNow, () => {
    this.#end = performance.now() + longest
  })
}
