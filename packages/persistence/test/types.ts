/**
 * What the compiler refuses, beside what it takes: `npm run check` compiles
 * this file, and nothing runs it. An `@ts-expect-error` that stands alone could
 * hold for any reason; so the line before each differs from it only in what is
 * to be refused.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import type * as PersistedQueue from "effect/persistence/PersistedQueue"
import type * as Persistence from "effect/persistence/Persistence"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import {
  type RocksDBCircuitBreaker,
  RocksDBKeyValueStore,
  type RocksDBPersistedQueue,
  RocksDBPersistence,
  type RocksDBRateLimiter
} from "@effect-bookie/persistence"
import type * as Public from "@effect-bookie/persistence/RocksDBKeyValueStore"
// @ts-expect-error: what is internal is closed to other packages.
import type * as Internal from "@effect-bookie/persistence/internal/KeySpace"
import { RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"

export type Modules = [typeof Public, typeof Internal]

/** A layer that needs a database, and nothing else. */
type On<A> = Layer.Layer<A, RocksDBError.RocksDBError, RocksDB.RocksDB>

/** `true` if both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Each layer provides its contract, needs a database alone, and may fail only as one does. */
export const layers: [
  Same<ReturnType<typeof RocksDBKeyValueStore.layer>, On<KeyValueStore.KeyValueStore>>,
  Same<ReturnType<typeof RocksDBPersistence.layer>, On<Persistence.Persistence | Persistence.BackingPersistence>>,
  Same<ReturnType<typeof RocksDBPersistence.layerBacking>, On<Persistence.BackingPersistence>>,
  Same<ReturnType<typeof RocksDBPersistedQueue.layer>, On<PersistedQueue.PersistedQueueStore>>,
  Same<ReturnType<typeof RocksDBRateLimiter.layer>, On<RateLimiter.RateLimiterStore>>,
  Same<ReturnType<typeof RocksDBCircuitBreaker.layer>, On<CircuitBreaker.CircuitBreakerStore>>
] = [true, true, true, true, true, true]

/** A store cannot be without a database, nor outlive its scope. */
export const opening = () => {
  const size = KeyValueStore.KeyValueStore.use((store) => store.size)
  const database = RocksDB.layer({ path: "database" })
  Effect.runFork(Effect.provide(size, Layer.provide(RocksDBKeyValueStore.layer(), database)))
  // @ts-expect-error: the store has no database.
  Effect.runFork(Effect.provide(size, RocksDBKeyValueStore.layer()))

  Effect.runFork(Effect.scoped(Effect.provide(RocksDBKeyValueStore.make(), database)))
  // @ts-expect-error: nothing says when the store ends.
  Effect.runFork(Effect.provide(RocksDBKeyValueStore.make(), database))
}

/** Options say what they mean. */
export const options = () => {
  RocksDBKeyValueStore.layer({ prefix: "a", durability: "buffered" })
  // @ts-expect-error: there is no such durability.
  RocksDBKeyValueStore.layer({ prefix: "a", durability: "later" })

  RocksDBPersistence.layer({ sweepInterval: "1 minute" })
  // @ts-expect-error: a time has a unit.
  RocksDBPersistence.layer({ sweepInterval: "1" })
}
