/**
 * The life of a database: acquire in order, release in the opposite one.
 *
 * Released first: the operations (refuse, end streams, wait). Then the
 * write-ahead log (sync). Then the native handle, and last the lock of the
 * directory. Each step runs whatever became of the one before it; one that fails
 * is logged and makes the exit a failure.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { setTimeout } from "node:timers/promises"
import * as Engine from "../Engine.ts"
import * as Lifecycle from "@effect-bookie/lifecycle/Lifecycle"
import * as OwnScope from "@effect-bookie/lifecycle/OwnScope"
import type { Durability, Options } from "../RocksDB.ts"
import * as RocksDBError from "../RocksDBError.ts"
import * as Directory from "./directory.ts"
import { Operations } from "./Operations.ts"
import { resolve, type Settings } from "./options.ts"
import * as RecoveringDatabase from "./RecoveringDatabase.ts"

/** A database that is open, and the gate in front of it. */
export interface OpenDatabase {
  readonly path: string
  readonly readOnly: boolean
  readonly durability: Durability
  readonly native: RecoveringDatabase.Database
  readonly operations: Operations
  /** Opens once the native handle has gone: with the release, or later where that could not wait for it. */
  readonly gone: Latch.Latch
}

/** Opens a database in the current scope. */
export const acquire = (
  options: Options
): Effect.Effect<OpenDatabase, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> =>
  OwnScope.open(open(options), () => RocksDBError.closed({ operation: "open", path: String(options.path) }))

/** Opens a database in a new directory, which is removed once the handle has gone. */
export const acquireTemporary = (
  options: Omit<Options, "path"> | undefined
): Effect.Effect<OpenDatabase, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> =>
  OwnScope.open(
    Effect.gen(function* () {
      let gone = Latch.makeUnsafe(true)
      const path = yield* Effect.acquireRelease(temporaryDirectory, (path) =>
        Effect.suspend(() => (gone.isOpen() ? remove(path) : later(Effect.andThen(gone.await, remove(path)))))
      )
      const database = yield* open({ ...options, path })
      gone = database.gone
      return database
    }),
    () => RocksDBError.closed({ operation: "open", path: Os.tmpdir() })
  )

const open: (options: Options) => Effect.Effect<OpenDatabase, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> =
  Effect.fnUntraced(function* (options: Options) {
    const engine = yield* Engine.Engine
    const settings = yield* resolve(options)
    const handle = yield* Effect.acquireRelease(openHandle(engine, settings), releaseHandle)
    const { directory, native, operations } = handle
    yield* Lifecycle.acquired("rocksdb")
    yield* directory.opened
    yield* Lifecycle.scoped(
      "rocksdb.wal",
      Effect.void,
      settings.open.readOnly ? Effect.void : step("sync the write-ahead log", directory.path, () => syncAtLast(handle))
    )
    yield* Lifecycle.scoped("rocksdb.operations", Effect.void, drain(native, operations, settings.shutdownDeadline))
    return {
      path: directory.path,
      readOnly: settings.open.readOnly,
      durability: settings.durability,
      native,
      operations,
      gone: handle.gone
    }
  })

/** A native database in a directory that is locked for as long as it may touch the files in it. */
interface Handle {
  readonly directory: Directory.Directory
  readonly native: RecoveringDatabase.Database
  readonly operations: Operations
  readonly gone: Latch.Latch
}

const openHandle = (engine: Engine.Service, settings: Settings): Effect.Effect<Handle, RocksDBError.RocksDBError> =>
  Effect.gen(function* () {
    const directory = yield* Directory.prepare({ ...settings.open, engine: engine.name })
    const { path } = directory
    const native = yield* RecoveringDatabase.open(engine, { ...settings.open, path }, directory.check).pipe(
      Effect.withSpan("RocksDB.open", { attributes: { path } }),
      Effect.onError(() => Effect.promise(directory.release))
    )
    return { directory, native, operations: new Operations(path), gone: Latch.makeUnsafe() }
  })

/** Lets the handle go at once if nothing is in flight, else as soon as that is so; and with it the directory. */
const releaseHandle = ({ directory, gone, native, operations }: Handle): Effect.Effect<void> => {
  const close = step("close", operations.path, async () => {
    await settle(native, operations)
    await native.close()
  }).pipe(
    Effect.ensuring(Effect.promise(directory.release)),
    Effect.ensuring(gone.open),
    Effect.ensuring(Lifecycle.released("rocksdb"))
  )
  // Past the deadline: the step before this one has failed already and said why.
  return Effect.suspend(() => (operations.inFlight === "" ? close : later(close)))
}

/** For what must be done, and what the release does not wait for. */
const later = (self: Effect.Effect<void>): Effect.Effect<void> => Effect.asVoid(Effect.forkDetach(self))

/** There is no later call that could succeed where the operating system was short of something for a moment. */
const syncAtLast = async ({ directory: { path }, native }: Handle): Promise<void> => {
  for (let attempts = 1; ; attempts++) {
    try {
      return await native.syncWal()
    } catch (cause) {
      if (attempts === mostAttempts || !RocksDBError.fromNative(cause, { operation: "syncWal", path }).isRetryable) {
        throw cause
      }
    }
    await setTimeout(timeBetweenAttempts)
  }
}

const mostAttempts = 10

/** In milliseconds. */
const timeBetweenAttempts = 100

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

const temporaryDirectory = Effect.tryPromise({
  try: () => Fs.mkdtemp(Path.join(Os.tmpdir(), "effect-bookie-")),
  catch: (cause) => RocksDBError.fromNative(cause, { operation: "open", path: Os.tmpdir() })
})

/** Tries again where the operating system is short of something for a moment. */
const remove = (path: string): Effect.Effect<void> =>
  Effect.promise(() => Fs.rm(path, { recursive: true, force: true, maxRetries: 10 }))
