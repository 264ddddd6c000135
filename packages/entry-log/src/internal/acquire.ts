/**
 * The life of an open directory: acquire in order, release in the opposite one.
 *
 * Released first: the operations (refuse, wait). Then the log that is being
 * written (sync, close), the descriptors for reading, and last the lock. Each
 * step follows the one before it, whatever became of that; one that fails is
 * logged and makes the exit a failure. `Lifecycle` is told of the resource
 * `entry-log` once all of it is open, and once all of it is closed.
 */
import * as Lifecycle from "@effect-bookie/lifecycle/Lifecycle"
import * as OwnScope from "@effect-bookie/lifecycle/OwnScope"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Preamble } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import { Appender } from "./Appender.ts"
import { Descriptors } from "./Descriptors.ts"
import * as Directory from "./directory.ts"
import * as Lock from "./lock.ts"
import { Logs } from "./Logs.ts"
import { LogSequence } from "./LogSequence.ts"
import { Operations } from "./Operations.ts"
import type { Settings } from "./options.ts"
import { Counts, type Statistics } from "./Statistics.ts"

/** A directory that is open, and the gate in front of it. */
export interface OpenDirectory {
  readonly operations: Operations
  readonly descriptors: Descriptors
  readonly logs: Logs
  readonly statistics: Statistics
  /** `undefined` if it was opened read-only. */
  readonly writing: Writing | undefined
}

/** What writes to a directory. */
export interface Writing {
  readonly sequence: LogSequence
  readonly appender: Appender
  /** Makes another appender, to logs of its own. It is closed with the others. */
  readonly makeAppender: (preamble: Preamble | undefined) => Appender
}

/**
 * Opens a directory in the current scope: as a whole, so that a failure half-way leaves nothing open, and in a scope of
 * its own below it, so that the steps follow one another even where the finalizers around them run at once.
 */
export const acquire: (settings: Settings) => Effect.Effect<OpenDirectory, EntryLogError.EntryLogError, Scope.Scope> = (
  settings
) => OwnScope.open(open(settings), () => EntryLogError.closed({ operation: "open", path: settings.directory }))

const open = Effect.fnUntraced(function* (settings: Settings) {
  const { directory, readOnly } = settings
  let isOpen = false
  yield* Effect.addFinalizer(() => (isOpen ? Lifecycle.released("entry-log") : Effect.void))
  const tryLock = readOnly ? undefined : yield* attempt(directory, async () => Lock.load(directory))
  yield* attempt(directory, () => (readOnly ? Directory.find(directory) : Directory.create(directory)))
  const lock =
    tryLock === undefined
      ? undefined
      : yield* Effect.acquireRelease(
          attempt(directory, () => Lock.acquire(directory, tryLock)),
          (lock) => step("unlock", directory, () => lock.release())
        )
  const listing = yield* attempt(directory, () => Directory.list(directory))
  if (listing.foreign.length > 0) {
    yield* Effect.logWarning(
      `Left alone in ${directory}, because they are no files that are named as entry logs are: ${listing.foreign.slice(0, 10).join(", ")}`
    )
  }
  const descriptors = yield* Effect.acquireRelease(
    Effect.sync(() => new Descriptors(directory)),
    (descriptors) => step("close", directory, () => descriptors.close())
  )
  const statistics = new Counts()
  const writing =
    lock === undefined
      ? undefined
      : yield* Effect.map(
          attempt(directory, () => Directory.nextLogId(directory, listing)),
          (nextLogId) => new LogSequence(settings, lock, nextLogId)
        ).pipe(Effect.flatMap((sequence) => acquireWriting(settings, sequence, statistics)))
  const operations = yield* Effect.acquireRelease(
    Effect.sync(() => new Operations(directory)),
    (operations) => {
      operations.close()
      return Effect.promise(() => operations.idle())
    }
  )
  isOpen = true
  yield* Lifecycle.acquired("entry-log")
  return { operations, descriptors, writing, logs: new Logs(settings, descriptors, writing?.sequence), statistics }
})

const acquireWriting = Effect.fnUntraced(function* (settings: Settings, sequence: LogSequence, statistics: Counts) {
  const { directory } = settings
  const appenders = new Set<Appender>()
  const makeAppender = (preamble: Preamble | undefined): Appender => {
    for (const appender of appenders) if (appender.isClosed) appenders.delete(appender)
    const appender = new Appender(settings, sequence, preamble, statistics)
    appenders.add(appender)
    return appender
  }
  yield* Effect.addFinalizer(() =>
    Effect.forEach(
      appenders,
      (appender) =>
        Effect.ensuring(
          appender.isClosed ? Effect.void : step("sync", directory, () => appender.sync()),
          step("close", directory, () => appender.close())
        ),
      { discard: true }
    )
  )
  return { sequence, appender: makeAppender(settings.preamble), makeAppender }
})

/** A step of the open, which is not abandoned. */
const attempt = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, EntryLogError.EntryLogError> =>
  Effect.uninterruptible(
    Effect.tryPromise({ try: run, catch: (cause) => EntryLogError.fromSystem(cause, { operation: "open", path }) })
  )

/** A step of the release, which has no error channel: a failure is logged here, and is a defect of the exit. */
const step = (operation: string, path: string, run: () => Promise<void>): Effect.Effect<void> =>
  Effect.tryPromise({ try: run, catch: (cause) => EntryLogError.fromSystem(cause, { operation, path }) }).pipe(
    Effect.catch((error) => Effect.andThen(Effect.logError(error.message), Effect.die(error)))
  )
