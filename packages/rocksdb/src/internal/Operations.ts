/**
 * The gate in front of a native database: counts what is in flight, refuses
 * what comes after the close, and waits for the rest.
 *
 * - An operation counts as in flight until the native side has answered, also
 *   when the fiber that asked for it has long been interrupted.
 * - Once `close` has begun, every operation answers `Closed`.
 * - `close` ends the open cursors, each after its read under way has come back.
 * - `idle` settles when nothing is in flight, which after `close` is for good.
 */
import * as Effect from "effect/Effect"
import type { Cursor, Entry, Interruption } from "../Engine.ts"
import * as RocksDBError from "../RocksDBError.ts"

/** The operations on one open database. */
export class Operations {
  readonly path: string
  /** How many of each name; names stay, for there are few. */
  readonly #counts = new Map<string, number>()
  #total = 0
  readonly #cursors = new Set<TrackedCursor>()
  #waiting: Array<() => void> = []
  #closed = false

  constructor(path: string) {
    this.path = path
  }

  /** Whether the database answers `Closed`. */
  get closed(): boolean {
    return this.#closed
  }

  /** Says what is in flight: `compact, write (2)`. */
  get inFlight(): string {
    const names = Array.from(this.#counts).filter(([, count]) => count > 0)
    return names.map(([name, count]) => (count === 1 ? name : `${name} (${count})`)).join(", ")
  }

  /** Runs a native call, which is waited for at close even if the fiber is interrupted. */
  run<A>(operation: string, call: () => Promise<A>): Effect.Effect<A, RocksDBError.RocksDBError> {
    return Effect.callback((resume) => this.#start(operation, call, resume))
  }

  /** The same for a call that may still be given up where its fiber has been interrupted. */
  runInterruptible<A>(
    operation: string,
    call: (interruption: Interruption) => Promise<A>
  ): Effect.Effect<A, RocksDBError.RocksDBError> {
    return Effect.callback((resume) => {
      const interruption = { happened: false }
      this.#start(operation, () => call(interruption), resume)
      return Effect.sync(() => (interruption.happened = true))
    })
  }

  #start<A>(
    operation: string,
    call: () => Promise<A>,
    resume: (effect: Effect.Effect<A, RocksDBError.RocksDBError>) => void
  ): void {
    if (this.#closed) return resume(Effect.fail(this.closedError(operation)))
    this.#begin(operation)
    answerOf(call).then(
      (value) => {
        this.#settle(operation)
        resume(Effect.succeed(value))
      },
      (cause) => {
        this.#settle(operation)
        const error = RocksDBError.fromNative(cause, { operation, path: this.path })
        resume(Effect.fail(RocksDBError.inOperation(error, operation)))
      }
    )
  }

  /** Counts a native call from now until it has answered. */
  async track<A>(operation: string, call: () => Promise<A>): Promise<A> {
    this.#begin(operation)
    try {
      return await call()
    } finally {
      this.#settle(operation)
    }
  }

  /** Opens a cursor that `close` ends if its reader has not. */
  openCursor(operation: string, open: () => Cursor): Effect.Effect<TrackedCursor, RocksDBError.RocksDBError> {
    return Effect.suspend(() => {
      if (this.#closed) return Effect.fail(this.closedError(operation))
      const cursor = new TrackedCursor(this, open(), () => this.#cursors.delete(cursor))
      this.#cursors.add(cursor)
      return Effect.succeed(cursor)
    })
  }

  closedError(operation: string): RocksDBError.RocksDBError {
    return RocksDBError.closed({ operation, path: this.path })
  }

  /** Refuses new operations and begins to end the open cursors. */
  close(): void {
    this.#closed = true
    // A cursor that fails to end has nothing left to end; the count is what `idle` waits for.
    for (const cursor of this.#cursors) cursor.end().catch(() => {})
  }

  /** Settles when nothing is in flight. */
  async idle(): Promise<void> {
    if (this.#total > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #begin(operation: string): void {
    this.#counts.set(operation, (this.#counts.get(operation) ?? 0) + 1)
    this.#total += 1
  }

  #settle(operation: string): void {
    this.#counts.set(operation, (this.#counts.get(operation) ?? 0) - 1)
    this.#total -= 1
    if (this.#total > 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** A cursor whose reads are counted, and which ends once. */
export class TrackedCursor {
  readonly #operations: Operations
  readonly #cursor: Cursor
  readonly #onEnd: () => void
  #reading: Promise<unknown> = Promise.resolve()
  #ending: Promise<void> | undefined

  constructor(operations: Operations, cursor: Cursor, onEnd: () => void) {
    this.#operations = operations
    this.#cursor = cursor
    this.#onEnd = onEnd
  }

  /** The next entries; `Closed` once the database is. */
  next(operation: string): Effect.Effect<ReadonlyArray<Entry>, RocksDBError.RocksDBError> {
    return Effect.flatMap(
      this.#operations.run(operation, () => {
        const reading = this.#cursor.next()
        this.#reading = reading
        return reading
      }),
      // A read that was under way when the database closed tells its reader so, too.
      (entries) =>
        this.#operations.closed ? Effect.fail(this.#operations.closedError(operation)) : Effect.succeed(entries)
    )
  }

  /** Ends the native iterator once its read under way has come back. Later calls await the first. */
  end(): Promise<void> {
    this.#ending ??= this.#operations.track("end of a cursor", async () => {
      try {
        await this.#reading.catch(() => {})
        await this.#cursor.end()
      } finally {
        this.#onEnd()
      }
    })
    return this.#ending
  }
}

/** The promise of a call; an engine that throws has answered, too. */
const answerOf = <A>(call: () => Promise<A>): Promise<A> => {
  try {
    return call()
  } catch (cause) {
    return Promise.reject(cause)
  }
}
