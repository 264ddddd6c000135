/**
 * The gate in front of a storage: refuses what comes after the close, and waits
 * for what came before.
 *
 * Once `close` has been called, every operation answers `Closed`. `idle` settles
 * when nothing is in flight, which after `close` is for good.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import * as LedgerStorageError from "../LedgerStorageError.ts"

type Error = LedgerStorageError.LedgerStorageError

/** What is in flight in one storage. */
export class InFlight {
  readonly storage: string
  readonly #idle = Latch.makeUnsafe(true)
  #count = 0
  #closed = false

  constructor(storage: string) {
    this.storage = storage
  }

  /** Whether every operation answers `Closed`. */
  get closed(): boolean {
    return this.#closed
  }

  /** Runs an operation, which is waited for until it ends or its fiber is interrupted. */
  run<A, E, R>(operation: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Error, R> {
    return Effect.suspend(() => {
      // A fiber may be interrupted between any two of its steps: so it counts from within what ends the count.
      let counts = false
      const counted = Effect.suspend((): Effect.Effect<A, E | Error, R> => {
        if (this.#closed) return Effect.fail(this.closedError(operation))
        this.#begin()
        counts = true
        return effect
      })
      return Effect.mapError(
        Effect.onExit(counted, () => (counts ? this.#end : Effect.void)),
        // A backend does not know what was called.
        (error) =>
          error instanceof LedgerStorageError.LedgerStorageError
            ? LedgerStorageError.inOperation(error, operation)
            : error
      )
    })
  }

  /** The elements of a stream, each reading of which is an operation: it fails with `Closed` once the storage is. */
  stream<A, E>(operation: string, stream: Stream.Stream<A, E>): Stream.Stream<A, E | Error> {
    return Stream.unwrap(
      Effect.map(Stream.toPull(stream), (pull) => Stream.fromPull(Effect.succeed(this.run(operation, pull))))
    )
  }

  /** The error of an operation that came too late. */
  closedError(operation: string): Error {
    return LedgerStorageError.closed({ operation, storage: this.storage })
  }

  /** Refuses new operations. */
  close(): void {
    this.#closed = true
  }

  /** Succeeds when nothing is in flight. */
  get idle(): Effect.Effect<void> {
    return this.#idle.await
  }

  #begin(): void {
    this.#count += 1
    if (this.#count === 1) this.#idle.closeUnsafe()
  }

  readonly #end: Effect.Effect<void> = Effect.sync(() => {
    this.#count -= 1
    if (this.#count === 0) this.#idle.openUnsafe()
  })
}
