/**
 * What an effect that must fail fails with.
 */
import { Effect } from "effect"
import type { RocksDBError } from "@effect-bookie/rocksdb"

/** The reason for which the effect fails; a success is a defect. */
export const reasonOf = <A, R>(
  self: Effect.Effect<A, RocksDBError.RocksDBError, R>
): Effect.Effect<RocksDBError.Reason, never, R> =>
  Effect.matchEffect(self, {
    onFailure: (error) => Effect.succeed(error.reason),
    onSuccess: (value) => Effect.die(new Error(`expected a failure, but got ${JSON.stringify(value)}`))
  })

/** The tag of the reason for which the effect fails. */
export const tagOf = <A, R>(
  self: Effect.Effect<A, RocksDBError.RocksDBError, R>
): Effect.Effect<RocksDBError.Reason["_tag"], never, R> => Effect.map(reasonOf(self), (reason) => reason._tag)
