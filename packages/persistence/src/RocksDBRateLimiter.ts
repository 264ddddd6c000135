/**
 * The store of Effect's `RateLimiter` in a RocksDB database: limits that hold
 * over a restart.
 *
 * - Each call is one atomic step, by the clock of its caller at the moment of
 *   the step.
 * - Fractions of tokens are kept as they are.
 * - A refusal writes nothing.
 * - State that no longer says anything is removed in the background.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type * as Scope from "effect/Scope"
import { checkInterval } from "./internal/arguments.ts"
import { Expiring } from "./internal/Expiring.ts"
import type { Kind } from "./internal/keys.ts"
import * as KeySpace from "./internal/KeySpace.ts"
import * as Adaptive from "./internal/limits/adaptive.ts"
import * as Limits from "./internal/limits/limits.ts"
import { Shared } from "./internal/Shared.ts"
import { States } from "./internal/States.ts"
import type { View } from "./internal/Transactions.ts"

/** How to open the store. */
export interface Options extends KeySpace.Options {
  /** How often state that no longer says anything is removed; infinite for never. Default: 5 minutes. */
  readonly sweepInterval?: Duration.Input | undefined
}

/** Opens the store in the current scope. */
export const make: (
  options?: Options | undefined
) => Effect.Effect<RateLimiter.RateLimiterStore["Service"], RocksDBError.RocksDBError, RocksDB.RocksDB | Scope.Scope> =
  Effect.fnUntraced(function* (options?: Options | undefined) {
    const problem = checkInterval("sweepInterval", options?.sweepInterval)
    const { database, durability, prefix } = yield* KeySpace.settings(kind, options, problem)
    const space = yield* spaces.get(database, prefix, KeySpace.open(kind, prefix, database))
    const records = new Expiring(space, { records: 2, index: 3 })
    yield* records.sweepEvery(options?.sweepInterval ?? "5 minutes", { durability })
    const windows = new States(space, records, 0, Limits.FixedWindow)
    const buckets = new States(space, records, 1, Limits.TokenBucket)
    const learned = new States(space, records, 2, Adaptive.Adaptive)

    const step = <A>(
      method: string,
      body: (view: View, now: number) => A
    ): Effect.Effect<A, RateLimiter.RateLimiterError> =>
      Effect.clockWith((clock) =>
        space.run(method, (view) => body(view, clock.currentTimeMillisUnsafe()), { durability })
      ).pipe(Effect.mapError((cause) => storeError(method, cause)))

    return RateLimiter.RateLimiterStore.of({
      fixedWindow: (asked) => step("fixedWindow", (view, now) => Limits.consumeFixedWindow(windows, view, now, asked)),
      tokenBucket: (asked) => step("tokenBucket", (view, now) => Limits.consumeTokenBucket(buckets, view, now, asked)),
      adaptiveConsume: (asked) => step("adaptiveConsume", (view, now) => Adaptive.consume(learned, view, now, asked)),
      adaptiveFeedback: (told) => step("adaptiveFeedback", (view, now) => Adaptive.learn(learned, view, now, told))
    })
  })

/** Provides `RateLimiterStore` with a store in the database. */
export const layer = (
  options?: Options | undefined
): Layer.Layer<RateLimiter.RateLimiterStore, RocksDBError.RocksDBError, RocksDB.RocksDB> =>
  Layer.effect(RateLimiter.RateLimiterStore, make(options))

const kind: Kind = { name: "rate-limiter", firstByte: 0x73, format: 1 }

const spaces = new Shared<KeySpace.KeySpace>()

const storeError = (method: string, cause: RocksDBError.RocksDBError): RateLimiter.RateLimiterError =>
  new RateLimiter.RateLimiterError({
    reason: new RateLimiter.RateLimitStoreError({ message: `Failed to execute ${method}: ${cause.message}`, cause })
  })
