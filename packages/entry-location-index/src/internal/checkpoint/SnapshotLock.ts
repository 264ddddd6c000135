/**
 * Lets a scan see the memtables and the database of one moment: while scans
 * take their snapshots no checkpoint writes, and while one writes no scan takes
 * its snapshot. Neither keeps the other waiting for long, since they take turns,
 * and a scan has its snapshot after one read.
 *
 * Whoever waits for the lock can be interrupted.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

/** A lock that many scans hold together, or one checkpoint alone. */
export class SnapshotLock {
  readonly #turn = Semaphore.makeUnsafe(1)
  readonly #permits = Semaphore.makeUnsafe(maxScans)

  /** Runs alone, and is not interrupted once it has begun. */
  exclusive<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.#turn.withPermit(this.#permits.withPermits(maxScans)(Effect.uninterruptible(self)))
  }

  /** Runs together with others. */
  shared<A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> {
    // A scan that comes later does not overtake a checkpoint that waits.
    const permit = this.#turn.withPermit(this.#permits.takeScoped(1))
    return Effect.scoped(Effect.andThen(permit, self))
  }
}

/** How many scans may take their snapshot at once. */
const maxScans = 1024
