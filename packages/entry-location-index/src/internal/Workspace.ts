/**
 * The directory beside a database in which its successor is built, and the one
 * step that puts it in place.
 *
 * - `<database>.rebuild` holds a `lock` file and the new database, `index`. One
 *   that a killed rebuild has left is emptied; one that another rebuild works in
 *   is `Locked`.
 * - The old database is opened first: one that is in use is `Locked`, one that
 *   this package could not have written is refused. If it is corrupt or missing,
 *   so be it. Then its `LOCK` file is held, so that nobody opens it meanwhile.
 *   (RocksDB itself cannot hold it, since it deletes files by their paths when
 *   it closes.)
 * - `install` exchanges the two directories with one system call, so at any
 *   moment `database` is one of them, whole.
 * - When the scope closes, what is in the workspace goes: the new database after
 *   a failure, the old one after a success.
 */
import { type Engine, RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Errors from "./errors.ts"
import * as FileLock from "./FileLock.ts"
import * as Keys from "./keys.ts"
import { syncDirectory } from "./syncDirectory.ts"

/** A place to build a database in. */
export interface Workspace {
  /** Where the new database is to be built. */
  readonly path: string
  /** Puts the new database, closed by now, in place of the old one. */
  readonly install: Effect.Effect<void, RocksDBError.RocksDBError>
}

/** Makes the workspace of a database in the current scope. */
export const open: (
  database: string
) => Effect.Effect<Workspace, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> = Effect.fnUntraced(function* (
  database: string
) {
  if (typeof database !== "string" || database === "" || database.includes("\0")) {
    return yield* Effect.fail(
      RocksDBError.invalidArgument("the database must be the path of a directory", {
        operation,
        path: String(database)
      })
    )
  }
  const target = yield* attempt(database, () => resolve(database))
  const directory = `${target}.rebuild`
  yield* Effect.acquireRelease(
    attempt(target, () => lockWorkspace(directory)),
    (lock) => (lock === undefined ? Effect.void : removeWorkspace(directory, lock))
  ).pipe(
    Effect.filterOrFail(
      (lock) => lock !== undefined,
      () => locked(directory, "Another rebuild of it is under way")
    )
  )
  yield* attempt(target, () => empty(directory))
  yield* holdOld(target)
  const path = Path.join(directory, indexName)
  return { path, install: Effect.uninterruptible(attempt(target, () => install(path, target))) }
})

const operation = "rebuild"
const lockName = "lock"
const indexName = "index"

const attempt = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, RocksDBError.RocksDBError> =>
  Effect.tryPromise({ try: run, catch: (cause) => RocksDBError.fromNative(cause, { operation, path }) })

const locked = (path: string, why: string): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.Locked({
      operation,
      path,
      message: `${operation}: the database at ${path} is in use. ${why}: wait until it has ended.`
    })
  })

/** The path of the database without symbolic links; its parent is created if it is missing. */
const resolve = async (database: string): Promise<string> => {
  const path = Path.resolve(database)
  await Fs.mkdir(Path.dirname(path), { recursive: true })
  const target = await Fs.realpath(path).catch(ifMissing(undefined))
  return target ?? Path.join(await Fs.realpath(Path.dirname(path)), Path.basename(path))
}

/** Makes the directory and takes its lock, or answers `undefined` if another rebuild has it. */
const lockWorkspace = async (directory: string): Promise<FileLock.FileLock | undefined> => {
  while (true) {
    await Fs.mkdir(directory, { recursive: true })
    const lock = await FileLock.take(Path.join(directory, lockName)).catch(ifMissing("again" as const))
    // The rebuild before this one may just have removed the file, or the directory.
    if (lock !== "again") return lock
  }
}

/** Removes everything but the lock. */
const empty = async (directory: string): Promise<void> => {
  for (const name of await Fs.readdir(directory)) {
    if (name !== lockName) await Fs.rm(Path.join(directory, name), { recursive: true, force: true })
  }
}

/** Removes everything, the lock last. What is left if that fails, the next rebuild removes. */
const removeWorkspace = (directory: string, lock: FileLock.FileLock): Effect.Effect<void> =>
  attempt(directory, async () => {
    try {
      await empty(directory)
      await Fs.rm(Path.join(directory, lockName))
      // Another rebuild may have come by since.
      await Fs.rmdir(directory).catch(ifMissing(undefined, "ENOENT", "ENOTEMPTY"))
    } finally {
      await lock.release()
    }
  }).pipe(Effect.catch((error) => Effect.logWarning(`What a rebuild left is not removed: ${error.message}`)))

/** Sees that the old database is not in use and that a rebuild may replace it; then keeps others from opening it. */
const holdOld: (target: string) => Effect.Effect<void, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> =
  Effect.fnUntraced(function* (target: string) {
    const names = yield* attempt(target, () => Fs.readdir(target).catch(ifMissing([])))
    if (names.length === 0) return
    if (!names.some((name) => databaseFile.test(name))) {
      return yield* Effect.fail(
        RocksDBError.invalidArgument(`${target} is not empty, and not a database: name another directory`, {
          operation,
          path: target
        })
      )
    }
    // Read-only first, which leaves a database that is not to be replaced as it is.
    const foreign = yield* readable(target, true, (database) => database.first({ gte: Keys.everything.lt }))
    if (foreign !== undefined) {
      return yield* Effect.fail(
        Errors.unsupportedFormat("the database holds more than an index", { operation, path: target })
      )
    }
    yield* readable(target, false, () => Effect.void)
    yield* Effect.acquireRelease(
      attempt(target, () => FileLock.take(Path.join(target, "LOCK"))),
      (lock) => (lock === undefined ? Effect.void : Effect.promise(lock.release))
    ).pipe(
      Effect.filterOrFail(
        (lock) => lock !== undefined,
        () => locked(target, "It was opened a moment ago")
      )
    )
  })

/** Opens the old database to use it, unless it is broken. */
const readable = <A>(
  path: string,
  readOnly: boolean,
  use: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<A, RocksDBError.RocksDBError>
): Effect.Effect<A | undefined, RocksDBError.RocksDBError, Engine.Engine> =>
  RocksDB.make({ path, readOnly, createIfMissing: false }).pipe(
    Effect.flatMap(use),
    Effect.scoped,
    Effect.catchIf(isBroken, (error) =>
      Effect.as(Effect.logWarning(`The index to be replaced cannot be read: ${error.message}`), undefined)
    )
  )

const databaseFile = /^(CURRENT|ENGINE|IDENTITY|MANIFEST-\d+)$/

/** Whether a database is one that a rebuild is there for. */
const isBroken = ({ reason }: RocksDBError.RocksDBError): boolean =>
  reason._tag === "Corruption" || reason._tag === "IOError" || reason._tag === "MissingDatabase"

const install = async (path: string, target: string): Promise<void> => {
  await syncDirectory(path)
  if ((await Fs.readdir(target).catch(ifMissing([]))).length > 0) {
    await FileLock.native.swap(path, target)
  } else {
    await Fs.rename(path, target)
  }
  await syncDirectory(Path.dirname(target))
  await syncDirectory(Path.dirname(path))
}

/** Answers `instead` if there is nothing at a path. */
const ifMissing =
  <A>(instead: A, ...codes: ReadonlyArray<string>) =>
  (cause: unknown): A => {
    const expected = codes.length === 0 ? ["ENOENT"] : codes
    if (cause instanceof Error && "code" in cause && expected.includes(String(cause.code))) return instead
    throw cause
  }
