/**
 * A call that waits for what it asked for.
 *
 * A call with much to write is cut into several requests, which come one after
 * another and are answered together: it succeeds with its last request, and
 * fails with the first that fails, after which the others are not to be written.
 */
import type * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { LedgerStorageError } from "../../LedgerStorageError.ts"

/** Why something was not done. */
export type Failure = Cause.Cause<LedgerStorageError>

/** Is told how a call ended. */
export interface Resume<A> {
  (exit: Exit.Exit<A, LedgerStorageError>): void
}

/** A call under way. */
export class Call<A> {
  /** The operation, as callers name it. */
  readonly operation: string
  /** A moment of `performance.now()`. */
  readonly startedAt: number = performance.now()
  readonly #resume: Resume<A>
  readonly #join: (before: A, value: A) => A
  #value: { readonly joined: A } | undefined
  #requests: number
  #failed = false

  /** `join` makes one answer of those of two requests. */
  constructor(operation: string, requests: number, resume: Resume<A>, join: (before: A, value: A) => A) {
    this.operation = operation
    this.#requests = requests
    this.#resume = resume
    this.#join = join
  }

  /** Whether a request of it has failed. */
  get failed(): boolean {
    return this.#failed
  }

  /** A request of it has succeeded. */
  succeed(value: A): void {
    const joined = this.#value === undefined ? value : this.#join(this.#value.joined, value)
    this.#requests -= 1
    if (this.#requests === 0) this.#resume(Exit.succeed(joined))
    else this.#value = { joined }
  }

  /** A request of it has failed. */
  fail(failure: Failure): void {
    if (this.#failed) return
    this.#failed = true
    this.#resume(Exit.failCause(failure))
  }
}
