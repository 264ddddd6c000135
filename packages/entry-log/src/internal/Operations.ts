/**
 * The gate in front of the files: counts what is in flight, refuses what comes
 * after the close, and waits for the rest.
 *
 * - An operation counts as in flight until the operating system has answered,
 *   also when the fiber that asked for it has long been interrupted.
 * - Once `close` has been called, every operation answers `Closed`.
 * - `idle` settles when nothing is in flight, which after `close` is for good.
 */
import * as Effect from "effect/Effect"
import * as EntryLogError from "../EntryLogError.ts"

/** The operations on one open directory. */
export class Operations {
  readonly path: string
  #inFlight = 0
  #closed = false
  #waiting: Array<() => void> = []

  constructor(path: string) {
    this.path = path
  }

  /** Runs a call, which is waited for at close even if the fiber is interrupted. */
  run<A>(operation: string, call: () => Promise<A>): Effect.Effect<A, EntryLogError.EntryLogError> {
    return Effect.callback((resume) => {
      const where = { operation, path: this.path }
      if (this.#closed) return resume(Effect.fail(EntryLogError.closed(where)))
      this.#track(call).then(
        (value) => resume(Effect.succeed(value)),
        (cause) => resume(Effect.fail(EntryLogError.fromSystem(cause, where)))
      )
    })
  }

  /** Refuses new operations. */
  close(): void {
    this.#closed = true
  }

  /** Settles when nothing is in flight. */
  async idle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  async #track<A>(call: () => Promise<A>): Promise<A> {
    this.#inFlight += 1
    try {
      return await call()
    } finally {
      this.#inFlight -= 1
      if (this.#inFlight === 0) {
        const waiting = this.#waiting
        this.#waiting = []
        for (const resolve of waiting) resolve()
      }
    }
  }
}
