/**
 * Whether the index may still be used.
 */
import { type RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

type Refusal = Effect.Effect<never, RocksDBError.RocksDBError>

/** What is behind the gate. */
interface Store {
  readonly path: string
  readonly database: RocksDB.RocksDB["Service"]
  /** Whether nothing is answered any more. */
  readonly isBroken: boolean
  /** The answer to an operation then. */
  readonly refuse: (operation: string) => Refusal
}

/** Open until the index or its database is released, or the store is broken. */
export class Gate {
  readonly path: string
  readonly #store: Store
  readonly #database: RocksDB.RocksDB["Service"]
  readonly #closing = Latch.makeUnsafe()
  #isClosed = false

  constructor(store: Store) {
    this.path = store.path
    this.#store = store
    this.#database = store.database
  }

  /** Whether every operation is refused. */
  get closed(): boolean {
    return this.#isClosed || this.#store.isBroken || this.#database.isClosed()
  }

  /** From now on every operation answers `Closed`. */
  close(): void {
    this.#isClosed = true
    this.#closing.openUnsafe()
  }

  /** The answer to an operation that is refused. */
  refuse(operation: string): Refusal {
    const isReleased = this.#isClosed || this.#database.isClosed()
    return isReleased ? this.#refuseClosed(operation) : this.#store.refuse(operation)
  }

  /** The answer to an operation with arguments that no index could accept. */
  refuseArgument(operation: string, problem: string): Refusal {
    return Effect.fail(RocksDBError.invalidArgument(problem, { operation, path: this.path }))
  }

  /** Runs an effect for as long as the gate is open; then it is interrupted, and the answer is `Closed`. */
  whileOpen<A>(
    operation: string,
    self: Effect.Effect<A, RocksDBError.RocksDBError>
  ): Effect.Effect<A, RocksDBError.RocksDBError> {
    return Effect.raceFirst(self, Effect.andThen(this.#closing.await, this.#refuseClosed(operation)))
  }

  #refuseClosed(operation: string): Refusal {
    return Effect.fail(RocksDBError.closed({ operation, path: this.path }))
  }
}
