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
import { RocksDBError } from "@effect-bookie/rocksdb"
import * as Deferred from "effect/Deferred"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { Changes } from "./Changes.ts"
import type { Unreadable } from "./Store.ts"

/** Takes changes to be committed. */
export interface Committer {
  /** Succeeds once the changes have been acknowledged. They must not change meanwhile. */
  readonly submit: (operation: string, changes: Changes) => Effect.Effect<void, RocksDBError.RocksDBError>
}

type Commit = (changes: Changes) => Effect.Effect<void, RocksDBError.RocksDBError | Unreadable>

/** Makes a committer in the current scope. `commit` is never called again before it has answered. */
export const make: (path: string, commit: Commit) => Effect.Effect<Committer, never, Scope.Scope> = Effect.fnUntraced(
  function* (path: string, commit: Commit) {
    const queue = yield* Queue.bounded<Request, Cause.Done>(maxWaiting)
    yield* Effect.acquireRelease(Effect.forkDetach(run(queue, commit)), (fiber) =>
      Effect.andThen(Queue.end(queue), Fiber.await(fiber))
    )
    return {
      submit: (operation, changes) =>
        Effect.suspend(() => {
          const done = Deferred.makeUnsafe<void, RocksDBError.RocksDBError>()
          return Effect.flatMap(Queue.offer(queue, { changes, done }), (isTaken) =>
            isTaken ? Deferred.await(done) : Effect.fail(RocksDBError.closed({ operation, path }))
          )
        })
    }
  }
)

interface Request {
  readonly changes: Changes
  readonly done: Deferred.Deferred<void, RocksDBError.RocksDBError>
}

/** How many requests wait in the queue before those that come wait to get in. */
const maxWaiting = 4096

/** How many adds and deletes share a commit; one request that has more is committed alone. */
const maxShared = 100_000

const run = (queue: Queue.Dequeue<Request, Cause.Done>, commit: Commit): Effect.Effect<void> =>
  Queue.takeAll(queue).pipe(
    Effect.flatMap((requests) =>
      Effect.forEach(groups(requests), (group) => commitGroup(group, commit), { discard: true })
    ),
    Effect.forever,
    Effect.catch(() => Effect.void)
  )

const commitGroup = (requests: ReadonlyArray<Request>, commit: Commit): Effect.Effect<void> =>
  Effect.suspend(() => commit(Changes.merge(requests.map(({ changes }) => changes)))).pipe(
    Effect.catchTag("Unreadable", ({ error }) =>
      requests.length === 1 ? Effect.fail(error) : commitHalves(requests, commit)
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

/** Cuts the requests, in their order, where a commit would become too large. */
const groups = (requests: ReadonlyArray<Request>): ReadonlyArray<ReadonlyArray<Request>> => {
  const all: Array<Array<Request>> = []
  let size = Infinity
  for (const request of requests) {
    size += request.changes.size
    const last = all.at(-1)
    if (last !== undefined && size <= maxShared) {
      last.push(request)
    } else {
      all.push([request])
      size = request.changes.size
    }
  }
  return all
}
