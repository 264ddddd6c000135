/**
 * Lets a scan see the memtables and the database of one moment: while scans
 * take their snapshots no checkpoint writes, and while one writes no scan takes
 * its snapshot. Neither keeps the other waiting for long, since they take turns.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"

/** A lock that many scans hold together, or one checkpoint alone. */
export class SnapshotLock {
  readonly #turn = Semaphore.makeUnsafe(1)
  readonly #permits = Semaphore.makeUnsafe(maxScans)

  /** Runs alone. */
  exclusive<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.#turn.withPermits(1)(this.#permits.withPermits(maxScans)(self))
  }

  /** Holds the lock together with others until the effect that this answers is run, or the scope closes. */
  readonly share: Effect.Effect<Effect.Effect<void>, never, Scope.Scope> = Effect.acquireRelease(
    Effect.map(this.#turn.withPermits(1)(this.#permits.take(1)), () => {
      let isHeld = true
      return Effect.suspend(() => {
        if (!isHeld) return Effect.void
        isHeld = false
        return Effect.asVoid(this.#permits.release(1))
      })
    }),
    (letGo) => letGo
  )
}

/** How many scans may take their snapshot at once. */
const maxScans = 1024
