/**
 * Whether the index may still be used.
 */
import { type RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"

/** Open until the index or its database is released. */
export class Gate {
  readonly path: string
  readonly #database: RocksDB.RocksDB["Service"]
  #closed = false

  constructor(database: RocksDB.RocksDB["Service"]) {
    this.path = database.path
    this.#database = database
  }

  /** Whether every operation answers `Closed`. */
  get closed(): boolean {
    return this.#closed || this.#database.isClosed()
  }

  /** From now on every operation answers `Closed`. */
  close(): void {
    this.#closed = true
  }

  /** The answer to an operation that came too late. */
  refuse(operation: string): Effect.Effect<never, RocksDBError.RocksDBError> {
    return Effect.fail(RocksDBError.closed({ operation, path: this.path }))
  }

  /** The answer to an operation with arguments that no index could accept. */
  refuseArgument(operation: string, problem: string): Effect.Effect<never, RocksDBError.RocksDBError> {
    return Effect.fail(RocksDBError.invalidArgument(problem, { operation, path: this.path }))
  }
}
