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
      if (this.#closed) return resume(Effect.fail(EntryLogError.closed({ operation, path: this.path })))
      this.#inFlight += 1
      answerOf(call).then(
        (value) => {
          this.#settle()
          resume(Effect.succeed(value))
        },
        (cause) => {
          this.#settle()
          const error = EntryLogError.fromSystem(cause, { operation, path: this.path })
          resume(Effect.fail(EntryLogError.inOperation(error, operation)))
        }
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

  #settle(): void {
    this.#inFlight -= 1
    if (this.#inFlight > 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** The promise of a call; one that throws has answered, too. */
const answerOf = <A>(call: () => Promise<A>): Promise<A> => {
  try {
    return call()
  } catch (cause) {
    return Promise.reject(cause)
  }
}
