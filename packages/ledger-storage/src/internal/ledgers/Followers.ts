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
  #wakes = 0

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** How many times they were woken: to be read before one looks for something new. */
  get wakes(): number {
    return this.#wakes
  }

  /**
   * Waits until they are woken again, which may have been since `wakes` was read: a fiber may be made to give way between
   * its look and its wait.
   */
  waitAfter(wakes: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const wake = () => resume(Effect.void)
      if (this.#wakes !== wakes) return wake()
      this.#waiting.add(wake)
      return Effect.sync(() => this.#waiting.delete(wake))
    })
  }

  /** Wakes all who wait. */
  wake(): void {
    this.#wakes += 1
    if (this.#waiting.size === 0) return
    const woken = this.#waiting
    this.#waiting = new Set()
    for (const wake of woken) wake()
  }
}
