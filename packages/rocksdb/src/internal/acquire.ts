/**
 * The life of a database: acquire in order, release in the opposite one.
 *
 * Released first: the operations (refuse, end streams, wait). Then the
 * write-ahead log (sync). Last: the native handle. Each step runs whatever
 * became of the one before it; one that fails is logged and makes the exit a
 * failure.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { setTimeout } from "node:timers/promises"
import * as Engine from "../Engine.ts"
import * as Lifecycle from "@effect-bookie/lifecycle/Lifecycle"
import type { Durability, Options } from "../RocksDB.ts"
import * as RocksDBError from "../RocksDBError.ts"
import * as Directory from "./directory.ts"
import { Operations } from "./Operations.ts"
import { resolve } from "./options.ts"
import * as RecoveringDatabase from "./RecoveringDatabase.ts"

/** A database that is open, and the gate in front of it. */
export interface OpenDatabase {
  readonly path: string
  readonly readOnly: boolean
  readonly durability: Durability
  readonly native: Engine.Database
  readonly operations: Operations
}

/**
 * Opens a database in the current scope: as a whole, so that a failure half-way leaves nothing open, and in a scope of
 * its own below it, so that the steps follow one another even where the finalizers around them run at once.
 */
export const acquire: (
  options: Options
) => Effect.Effect<OpenDatabase, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> = Effect.fnUntraced(function* (
  options: Options
) {
  const scope = yield* Scope.fork(yield* Effect.scope, "sequential")
  return yield* open(options).pipe(
    Scope.provide(scope),
    Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
  )
})

const open = Effect.fnUntraced(function* (options: Options) {
  const engine = yield* Engine.Engine
  const settings = yield* resolve(options)
  const directory = yield* Directory.prepare({ ...settings.open, engine: engine.name })
  const path = directory.path
  const operations = new Operations(path)

  const native = yield* Effect.acquireRelease(
    RecoveringDatabase.open(engine, { ...settings.open, path }).pipe(
      Effect.withSpan("RocksDB.open", { attributes: { path } })
    ),
    (native) => releaseHandle(native, operations)
  )
  yield* Lifecycle.acquired("rocksdb")
  yield* directory.opened
  yield* Lifecycle.scoped(
    "rocksdb.wal",
    Effect.void,
    settings.open.readOnly ? Effect.void : step("sync the write-ahead log", path, () => native.syncWal())
  )
  yield* Lifecycle.scoped("rocksdb.operations", Effect.void, drain(native, operations, settings.shutdownDeadline))
  return { path, readOnly: settings.open.readOnly, durability: settings.durability, native, operations }
})

/** Lets the handle go at once if nothing is in flight, else as soon as that is so. */
const releaseHandle = (native: Engine.Database, operations: Operations): Effect.Effect<void> => {
  const close = Effect.ensuring(
    step("close", operations.path, async () => {
      await settle(native, operations)
      await native.close()
    }),
    Lifecycle.released("rocksdb")
  )
  return Effect.suspend(() => {
    // Past the deadline: the step before this one has failed already and said why.
    if (operations.inFlight !== "") return Effect.asVoid(Effect.forkDetach(close))
    return close
  })
}

/** Refuses new operations, ends open streams, and waits for what is in flight, but not past the deadline. */
const drain = (native: Engine.Database, operations: Operations, deadline: Duration.Duration): Effect.Effect<void> =>
  Effect.suspend(() => {
    operations.close()
    return Effect.promise(() => settle(native, operations)).pipe(
      Effect.timeoutOrElse({
        duration: deadline,
        orElse: () =>
          fail(
            new Error(
              `The database at ${operations.path} was still waiting for ${operations.inFlight} after ` +
                `${Duration.format(deadline)}. Its handle is let go when that has come back; ` +
                `give shutdownDeadline more time to wait for it.`
            )
          )
      })
    )
  })

/** Waits until nothing is in flight and RocksDB does not recover from a full disk, which counts as in flight, too. */
const settle = async (native: Engine.Database, operations: Operations): Promise<void> => {
  await operations.idle()
  await operations.track("recovery from a full disk", async () => {
    while (await native.isRecovering()) await setTimeout(RecoveringDatabase.recoveryPollInterval)
  })
}

/** A step of the release. */
const step = (what: string, path: string, run: () => Promise<void>): Effect.Effect<void> =>
  Effect.tryPromise({ try: run, catch: (cause) => RocksDBError.fromNative(cause, { operation: what, path }) }).pipe(
    Effect.catch(fail)
  )

/** A release has no error channel: a failure of one is logged here, and is a defect of the exit. */
const fail = (error: Error): Effect.Effect<never> => Effect.andThen(Effect.logError(error.message), Effect.die(error))
