/**
 * The lock of a database directory: who holds it owns the directory, and
 * nobody else opens it for writing meanwhile, in this process, in a thread of it
 * or in another one.
 *
 * `RocksDB` takes it by itself, from before the open until the native handle has
 * gone. Take it yourself for work on the files of a database that is closed:
 * whoever opens it meanwhile gets `Locked`, and so do you if it is open. It is on
 * the directory itself and not on its name, and a killed owner leaves none
 * behind. Read-only opens neither take it nor heed it.
 *
 * **Example**
 *
 * ```ts
 * import { DirectoryLock } from "@effect-bookie/rocksdb"
 * import { Effect } from "effect"
 * import * as Fs from "node:fs/promises"
 *
 * const backup = Effect.scoped(
 *   Effect.gen(function* () {
 *     const { path } = yield* DirectoryLock.acquire("data")
 *     yield* Effect.promise(() => Fs.cp(path, "backup", { recursive: true }))
 *   })
 * )
 * ```
 */
import * as OwnScope from "@effect-bookie/lifecycle/OwnScope"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as OwnerLock from "./internal/ownerLock.ts"
import * as Thrown from "./internal/thrown.ts"
import * as RocksDBError from "./RocksDBError.ts"

/** A directory that is locked. */
export interface DirectoryLock {
  /** The directory, without symbolic links. */
  readonly path: string
  /** Fails with an `IOError` unless the directory that is locked still is at this path. */
  readonly check: Effect.Effect<void, RocksDBError.RocksDBError>
}

/** The name of the file in the directory that is locked. It is created if it is missing, is empty, and stays. */
export const fileName: string = OwnerLock.fileName

/**
 * Locks a directory until the scope closes, or fails at once: `Locked` if somebody has it, `MissingDatabase` if it is
 * not there, `IOError` if its file system has no locks, `EngineUnavailable` where this Node cannot lock at all.
 * `operation` is what the errors call this; by default `lock`.
 */
export const acquire: (
  path: string,
  operation?: string | undefined
) => Effect.Effect<DirectoryLock, RocksDBError.RocksDBError, Scope.Scope> = Effect.fnUntraced(function* (
  path: string,
  operation: string = "lock"
) {
  const where = { operation, path: yield* attempt({ operation, path }, () => resolve({ operation, path })) }
  const lock = yield* OwnScope.open(
    Effect.acquireRelease(
      attempt(where, () => OwnerLock.take(where)),
      ({ release }) => Effect.promise(release)
    ),
    () => RocksDBError.closed(where)
  )
  return { path: where.path, check: attempt(where, lock.check) }
})

const attempt = <A>(where: RocksDBError.Where, run: () => Promise<A>): Effect.Effect<A, RocksDBError.RocksDBError> =>
  Effect.tryPromise({ try: run, catch: (cause) => RocksDBError.fromNative(cause, where) })

/** The path of a directory that is there, without symbolic links. */
const resolve = async ({ operation, path }: RocksDBError.Where): Promise<string> => {
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw RocksDBError.invalidArgument("the path must be the one of a directory", { operation, path: String(path) })
  }
  return Fs.realpath(path).catch((cause) => {
    throw Thrown.codeOf(cause) === "ENOENT" ? missing({ operation, path: Path.resolve(path) }, cause) : cause
  })
}

const missing = ({ operation, path }: RocksDBError.Where, cause: unknown) =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.MissingDatabase({
      operation,
      path,
      cause,
      message: `${operation}: there is no directory at ${path}. Check the path, or create it first.`
    })
  })
