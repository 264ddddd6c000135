/**
 * The store of Effect's `CircuitBreaker` in a RocksDB database: circuits that
 * stay open, and remember their backoff, over a restart.
 *
 * - Each call is one atomic step, by the clock of its caller at the moment of
 *   the step. A refusal, and a success of a circuit that has seen no failure,
 *   write nothing.
 * - A probe ends with its process: after a restart the next call is the probe. One
 *   whose scope closes without an outcome holds the circuit for 10 seconds more.
 * - Circuits that have been idle start again as closed, and are removed in the
 *   background.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type * as Scope from "effect/Scope"
import { checkInterval } from "./internal/arguments.ts"
import { CircuitRecord } from "./internal/circuits/Circuit.ts"
import { Circuits } from "./internal/circuits/Circuits.ts"
import { Expiring } from "./internal/Expiring.ts"
import type { Kind } from "./internal/keys.ts"
import * as KeySpace from "./internal/KeySpace.ts"
import { Shared } from "./internal/Shared.ts"
import { States } from "./internal/States.ts"
import type { View } from "./internal/Transactions.ts"

/** How to open the store. */
export interface Options extends KeySpace.Options {
  /**
   * How long a circuit that is not used is kept: an open one past its open time, and one that is being probed as long
   * as it is. Default: 1 hour.
   */
  readonly idleTimeToLive?: Duration.Input | undefined
}

/** Opens the store in the current scope. */
export const make: (
  options?: Options | undefined
) => Effect.Effect<
  CircuitBreaker.CircuitBreakerStore["Service"],
  RocksDBError.RocksDBError,
  RocksDB.RocksDB | Scope.Scope
> = Effect.fnUntraced(function* (options?: Options | undefined) {
  const problem = checkInterval("idleTimeToLive", options?.idleTimeToLive)
  const { database, durability, prefix } = yield* KeySpace.settings(kind, options, problem)
  const circuits = yield* stores.get(database, prefix, open(prefix, database))
  yield* circuits.records.sweepEvery("5 minutes", { durability })
  const idle = Duration.toMillis(Duration.fromInputUnsafe(options?.idleTimeToLive ?? "1 hour"))
  return service(circuits.circuits, idle, durability)
})

/** Provides `CircuitBreakerStore` with a store in the database. */
export const layer = (
  options?: Options | undefined
): Layer.Layer<CircuitBreaker.CircuitBreakerStore, RocksDBError.RocksDBError, RocksDB.RocksDB> =>
  Layer.effect(CircuitBreaker.CircuitBreakerStore, make(options))

const kind: Kind = { name: "circuit-breaker", firstByte: 0x74, format: 1 }

interface Store {
  readonly circuits: Circuits
  readonly records: Expiring
}

const stores = new Shared<Store>()

const open = (prefix: string, database: RocksDB.RocksDB["Service"]) =>
  Effect.map(KeySpace.open(kind, prefix, database), (space): Store => {
    const records = new Expiring(space, { records: 2, index: 3 })
    return { records, circuits: new Circuits(space, new States(space, records, 0, CircuitRecord)) }
  })

const service = (
  circuits: Circuits,
  idle: number,
  durability: RocksDB.Durability | undefined
): CircuitBreaker.CircuitBreakerStore["Service"] => {
  const step = <A>(method: string, key: string, body: (view: View, now: number) => A) =>
    Effect.clockWith((clock) =>
      circuits.space.run(method, (view) => body(view, clock.currentTimeMillisUnsafe()), { durability })
    ).pipe(
      Effect.tapError(() => Effect.sync(() => circuits.forget(key))),
      Effect.mapError((cause) => storeError(method, cause))
    )
  const admit = (key: string) =>
    Effect.flatMap(
      step("admit", key, (view, now) => circuits.admit(view, key, now, idle)),
      (answer) =>
        answer._tag === "admitted"
          ? Effect.succeed(answer.admission)
          : Effect.fail(new CircuitBreaker.CircuitBreakerError({ reason: answer.reason }))
    )
  return CircuitBreaker.CircuitBreakerStore.of({
    admit: (key) =>
      Effect.acquireRelease(admit(key), ({ generation }) =>
        Effect.map(Clock.currentTimeMillis, (now) => circuits.leave(key, generation, now + leaveMillis))
      ),
    record: (options) => step("record", options.key, (view, now) => circuits.record(view, options, now, idle)),
    state: (key) => step("state", key, (view, now) => circuits.state(view, key, now, idle))
  })
}

/** How long a probe that has gone without an outcome holds its circuit. */
const leaveMillis = 10_000

const storeError = (method: string, cause: RocksDBError.RocksDBError): CircuitBreaker.CircuitBreakerError =>
  new CircuitBreaker.CircuitBreakerError({
    reason: new CircuitBreaker.CircuitBreakerStoreError({ message: `Failed to ${method}: ${cause.message}`, cause })
  })
