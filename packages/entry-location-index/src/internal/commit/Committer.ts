/**
 * Commits that come at the same time share one write and one sync.
 *
 * One fiber takes all the requests that are waiting, in their order, and
 * commits them as one. If that fails, every request of it fails, and nothing of
 * any is there; but if something that they are about cannot be read, they are
 * committed in halves, so that only those fail that are about it. A caller that
 * is interrupted leaves; its request is committed all the same once it is in the
 * queue.
 *
 * On release new requests get `Closed`, and those in the queue are committed.
 */
import { type RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Deferred from "effect/Deferred"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { WriteBatch } from "../WriteBatch.ts"
import type { Moves } from "./Moves.ts"
import type { Unreadable } from "./Unreadable.ts"

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** A write batch to be committed, and how. */
export interface Submission {
  /** They must not change before they have been committed, but for what fills them. */
  readonly changes: WriteBatch
  /** How many there are. */
  readonly size: number
  /** Fills them when their turn has come, if they are not complete yet. */
  readonly fill?: Answer<void> | undefined
  /** When it is acknowledged. By default as the index says. */
  readonly durability?: RocksDB.Durability | undefined
  /** Moves to be made of what the entries are then; they are committed alone, and have no other changes. */
  readonly moves?: Moves | undefined
}

/** Takes changes to be committed. */
export interface Committer {
  /** Succeeds once the changes have been acknowledged. */
  readonly submit: (operation: string, submission: Submission) => Answer<void>
}

/** How changes are committed. */
export type How = Pick<Submission, "durability" | "moves">

type Commit = (changes: WriteBatch, how: How) => Effect.Effect<void, RocksDBError.RocksDBError | Unreadable>

/** Makes a committer in the current scope. `commit` is never called again before it has answered. */
export const make: (path: string, commit: Commit) => Effect.Effect<Committer, never, Scope.Scope> = Effect.fnUntraced(
  function* (path: string, commit: Commit) {
    const queue = yield* Queue.bounded<Request, Cause.Done>(maxWaiting)
    yield* Effect.acquireRelease(Effect.forkDetach(run(queue, commit)), (fiber) =>
      Effect.andThen(Queue.end(queue), Fiber.await(fiber))
    )
    return {
      submit: (operation, submission) =>
        Effect.suspend(() => {
          const done = Deferred.makeUnsafe<void, RocksDBError.RocksDBError>()
          return Effect.flatMap(Queue.offer(queue, { submission, done }), (isTaken) =>
            isTaken ? Deferred.await(done) : Effect.fail(RocksDBError.closed({ operation, path }))
          )
        })
    }
  }
)

interface Request {
  readonly submission: Submission
  readonly done: Deferred.Deferred<void, RocksDBError.RocksDBError>
}

/** How many requests wait in the queue before those that come wait to get in. */
const maxWaiting = 4096

/** How many adds and deletes share a commit; one request that has more is committed alone. */
const maxShared = 100_000

const run = (queue: Queue.Dequeue<Request, Cause.Done>, commit: Commit): Effect.Effect<void> =>
  Queue.takeAll(queue).pipe(
    Effect.flatMap((requests) =>
      Effect.forEach(
        groups(requests),
        (group) => Effect.flatMap(fill(group), (filled) => commitGroup(filled, commit)),
        { discard: true }
      )
    ),
    Effect.forever,
    Effect.catch(() => Effect.void)
  )

/** Fills the changes that are not complete. Those that cannot be are answered, and not committed. */
const fill = (requests: ReadonlyArray<Request>): Effect.Effect<ReadonlyArray<Request>> =>
  requests.every(({ submission }) => submission.fill === undefined)
    ? Effect.succeed(requests)
    : Effect.filter(requests, ({ done, submission }) =>
        Effect.map(Effect.exit(submission.fill ?? Effect.void), (exit) => {
          if (Exit.isFailure(exit)) Deferred.doneUnsafe(done, exit)
          return Exit.isSuccess(exit)
        })
      )

const commitGroup = (requests: ReadonlyArray<Request>, commit: Commit): Effect.Effect<void> =>
  Effect.suspend(() =>
    commit(WriteBatch.merge(requests.map(({ submission }) => submission.changes)), howOf(requests))
  ).pipe(
    Effect.catchTag("Unreadable", ({ error }) =>
      requests.length <= 1 ? Effect.fail(error) : commitHalves(requests, commit)
    ),
    Effect.exit,
    Effect.map((exit) => {
      // Those that were committed in halves have their answers by now, and keep them.
      for (const { done } of requests) Deferred.doneUnsafe(done, exit)
    })
  )

const commitHalves = (requests: ReadonlyArray<Request>, commit: Commit): Effect.Effect<void> => {
  const half = Math.floor(requests.length / 2)
  return Effect.andThen(commitGroup(requests.slice(0, half), commit), commitGroup(requests.slice(half), commit))
}

/** One that is to be on disk takes those along that need not be. */
const howOf = (requests: ReadonlyArray<Request>): How => {
  const [first] = requests
  const isSame = requests.every(({ submission }) => submission.durability === first?.submission.durability)
  return { durability: isSame ? first?.submission.durability : "sync", moves: first?.submission.moves }
}

/** Cuts the requests, in their order, where a commit would become too large, and around moves. */
const groups = (requests: ReadonlyArray<Request>): ReadonlyArray<ReadonlyArray<Request>> => {
  const all: Array<Array<Request>> = []
  let size = Infinity
  for (const request of requests) {
    size += request.submission.size
    const last = all.at(-1)
    const isAlone = request.submission.moves !== undefined || last?.[0]?.submission.moves !== undefined
    if (last !== undefined && size <= maxShared && !isAlone) {
      last.push(request)
    } else {
      all.push([request])
      size = request.submission.size
    }
  }
  return all
}
