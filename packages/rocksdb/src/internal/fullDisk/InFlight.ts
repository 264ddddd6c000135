/**
 * Counts native calls that have not answered yet.
 */

/** The calls of one kind. */
export class InFlight {
  #count = 0
  #waiting: Array<() => void> = []

  /** Makes a call, and counts it until it has answered. One that throws has answered, too. */
  run<A, T>(target: T, call: (target: T) => Promise<A>): Promise<A> {
    this.#count += 1
    try {
      return call(target).then(this.#succeeded, this.#failed)
    } catch (cause) {
      return this.#failed(cause)
    }
  }

  /** Settles when none is in flight. */
  async idle(): Promise<void> {
    while (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  // Of the counter, not of a call: these run at each of them.
  readonly #succeeded = <A>(answer: A): A => {
    this.#settle()
    return answer
  }

  readonly #failed = (cause: unknown): Promise<never> => {
    this.#settle()
    return Promise.reject(cause)
  }

  #settle(): void {
    this.#count -= 1
    if (this.#count > 0 || this.#waiting.length === 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
