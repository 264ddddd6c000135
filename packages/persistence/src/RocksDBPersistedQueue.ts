/**
 * The store of Effect's `PersistedQueue` in a RocksDB database.
 *
 * - First in, first out, by the time from which an element may be taken; one
 *   that is given back keeps its place.
 * - An attempt is counted when the element is claimed, on disk before it is
 *   handed out, and given back if its taker is interrupted.
 * - An id is known until `cleanup` forgets it: a second offer of it does nothing.
 * - An element is never taken before its delay has passed, by Effect's `Clock`.
 * - Claims end with their process: the next one that opens the database delivers
 *   those elements again. There are no locks to be refreshed, and no polling.
 * - A failed element stays, with its last failure, until `cleanup` is told to
 *   forget failed ones too.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Kind } from "./internal/keys.ts"
import * as KeySpace from "./internal/KeySpace.ts"
import { type Claimed, QueueStore, type Settlement, type WriteOptions } from "./internal/queue/QueueStore.ts"
import { Shared } from "./internal/Shared.ts"
import * as Strings from "./internal/strings.ts"

/** How to open the store. */
export interface Options extends KeySpace.Options {}

/** Opens the store in the current scope. */
export const make: (
  options?: Options | undefined
) => Effect.Effect<
  PersistedQueue.PersistedQueueStore["Service"],
  RocksDBError.RocksDBError,
  RocksDB.RocksDB | Scope.Scope
> = Effect.fnUntraced(function* (options?: Options | undefined) {
  const { database, durability, prefix } = yield* KeySpace.settings(kind, options)
  const opening = Effect.flatMap(KeySpace.open(kind, prefix, database), QueueStore.make)
  const store = yield* stores.get(database, prefix, opening)
  return service(store, yield* Clock.Clock, { durability })
})

/** Provides `PersistedQueueStore` with a store in the database. */
export const layer = (
  options?: Options | undefined
): Layer.Layer<PersistedQueue.PersistedQueueStore, RocksDBError.RocksDBError, RocksDB.RocksDB> =>
  Layer.effect(PersistedQueue.PersistedQueueStore, make(options))

const kind: Kind = { name: "persisted-queue", firstByte: 0x72, format: 1 }

const stores = new Shared<QueueStore>()

type Store = PersistedQueue.PersistedQueueStore["Service"]

type TakeOptions = Parameters<Store["take"]>[0]

const service = (store: QueueStore, clock: Clock.Clock, options: WriteOptions): Store => {
  const take: Store["take"] = (taken) =>
    Effect.uninterruptibleMask((restore) =>
      attempt(
        "Failed to take an element from a persisted queue",
        store.claim(taken.name, taken.maxAttempts, clock, restore, options)
      ).pipe(
        Effect.flatMap((claimed) => {
          const element = parse(claimed.content)
          if (element === undefined) {
            const failure = "The element is no JSON"
            return Effect.andThen(settle(store, claimed, { _tag: "fail", failure }, clock, options), take(taken))
          }
          return Effect.as(
            Effect.addFinalizer((exit) =>
              Effect.flatMap(settlementOf(exit, claimed.attempts, taken), (settlement) =>
                settle(store, claimed, settlement, clock, options)
              )
            ),
            { id: claimed.id, attempts: claimed.attempts, element: element.value }
          )
        })
      )
    )
  return PersistedQueue.PersistedQueueStore.of({
    offer: ({ delay, element, id, name }) =>
      attempt(
        "Failed to offer an element to a persisted queue",
        Effect.flatMap(stringify(element), (content) => {
          const after = delay === undefined ? 0 : Duration.toMillis(delay)
          return store.offer({ queue: name, id }, content, () => clock.currentTimeMillisUnsafe() + after, options)
        })
      ),
    take,
    cleanup: ({ failedTimeToLive, timeToLive }) =>
      attempt(
        "Failed to clean up a persisted queue",
        Effect.suspend(() => {
          const now = clock.currentTimeMillisUnsafe()
          const completed = store.forget("completed", now - Duration.toMillis(timeToLive), options)
          if (failedTimeToLive === undefined) return completed
          return Effect.andThen(completed, store.forget("failed", now - Duration.toMillis(failedTimeToLive), options))
        })
      )
  })
}

const settlementOf = (
  exit: Exit.Exit<unknown, unknown>,
  attempts: number,
  { maxAttempts, retryDelay }: TakeOptions
): Effect.Effect<Settlement> => {
  if (exit._tag === "Success") return Effect.succeed({ _tag: "complete" })
  for (const reason of exit.cause.reasons) {
    if (!Cause.isFailReason(reason) || !isDeadLetter(reason.error)) continue
    const { cause } = reason.error
    return Effect.succeed({ _tag: "fail", failure: Cause.isCause(cause) ? Cause.pretty(cause) : String(cause) })
  }
  if (Cause.hasInterruptsOnly(exit.cause)) return Effect.succeed({ _tag: "giveBack" })
  const failure = Cause.pretty(exit.cause)
  if (attempts >= maxAttempts) return Effect.succeed({ _tag: "fail", failure })
  return Effect.map(retryDelay(attempts), (delay): Settlement => ({ _tag: "retry", delay, failure }))
}

/** What the factory fails with if an element does not fit its schema: it will never be processed. */
const isDeadLetter = (error: unknown): error is { readonly cause: unknown } =>
  Predicate.isTagged(error, "~effect/persistence/PersistedQueue/DeadLetter") && "cause" in error

/** Settles a claim; a disk that is full may have room again. */
const settle = (
  store: QueueStore,
  claimed: Claimed,
  settlement: Settlement,
  clock: Clock.Clock,
  options: WriteOptions
): Effect.Effect<void> =>
  store
    .settle(claimed, settlement, clock, options)
    .pipe(Effect.retry({ schedule: settleSchedule, while: (error) => error.isRetryable }), Effect.orDie)

const settleSchedule = Schedule.min([Schedule.exponential("200 millis", 1.5), Schedule.spaced("5 seconds")]).pipe(
  Schedule.upTo({ duration: "2 minutes" })
)

const stringify = (element: unknown): Effect.Effect<Uint8Array, TypeError> =>
  Effect.try({
    try: () => {
      const json = JSON.stringify(element)
      if (json === undefined) throw new TypeError("there is no JSON of the element")
      return new TextEncoder().encode(json)
    },
    catch: (cause) => (cause instanceof TypeError ? cause : new TypeError(String(cause)))
  })

const parse = (content: Uint8Array): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(Strings.utf8(content)) }
  } catch {
    return undefined
  }
}

const attempt = <A, R>(
  message: string,
  effect: Effect.Effect<A, RocksDBError.RocksDBError | TypeError, R>
): Effect.Effect<A, PersistedQueue.PersistedQueueError, R> =>
  Effect.mapError(
    effect,
    (cause) => new PersistedQueue.PersistedQueueError({ message: `${message}: ${cause.message}`, cause })
  )
