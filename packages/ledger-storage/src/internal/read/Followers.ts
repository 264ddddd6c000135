/**
 * Those who wait for something new in one ledger.
 *
 * To wake them costs as much as there are who wait at that moment: a follower
 * that is busy with what it got, however slowly, is not among them.
 */
import * as Effect from "effect/Effect"

/** The followers of a ledger that wait. */
export class Followers {
  #waiting = new Set<() => void>()

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Waits until the next `wake`. Whoever waits looks for something new first, in the same step: what comes in between
   * would be missed.
   */
  readonly wait: Effect.Effect<void> = Effect.callback((resume) => {
    const wake = () => resume(Effect.void)
    this.#waiting.add(wake)
    return Effect.sync(() => this.#waiting.delete(wake))
  })

  /** Wakes all who wait. */
  wake(): void {
    if (this.#waiting.size === 0) return
    const woken = this.#waiting
    this.#waiting = new Set()
    for (const wake of woken) wake()
  }
}
