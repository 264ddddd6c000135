/**
 * A RocksDB database as a scoped service: open for as long as its scope, and
 * not usable one moment longer.
 *
 * When the scope closes, the database first answers `Closed` to everything new,
 * ends the streams that are open and waits for what is in flight; then it syncs
 * the write-ahead log; and only then lets the native handle go. There is no
 * `close`, and the handle cannot be reached.
 *
 * Writes are on disk before they are acknowledged unless their durability is
 * "buffered". Keys are ordered by their bytes, unsigned.
 *
 * A database that another program wrote is opened if it is of RocksDB's default
 * kind, and then marked. What its options tell is refused is left as it was; what
 * only RocksDB finds out, such as tables of a kind that it does not know, has been
 * locked by then, so a file `OWNER.lock` and a new LOG stay in the directory.
 *
 * Arguments count as they are when the effect runs: a list that is filled after
 * `write(list)` was called is checked and written as it is then, each time that
 * the effect runs. Lists, options and the bounds of ranges are copied there.
 * Keys and values are not: their bytes must stay as they are, neither be changed
 * nor transferred, until the operation has answered. Native code reads them where
 * they are, and one that loses them to another thread can end the process.
 */
import type * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Engine from "./Engine.ts"
import * as Arguments from "./internal/arguments.ts"
import { acquire, acquireTemporary, type OpenDatabase } from "./internal/acquire.ts"
import * as Cursor from "./internal/cursor.ts"
import * as Interval from "./internal/interval.ts"
import * as Refusal from "./internal/refusal.ts"
import * as NativeEngine from "./NativeEngine.ts"
import * as RocksDBError from "./RocksDBError.ts"

export type { Entry, Operation } from "./Engine.ts"

/** When a write is acknowledged: once it is on disk, or once the operating system has it. */
export type Durability = "sync" | "buffered"

/** The options of a write. */
export interface WriteOptions {
  /** By default the durability of the database. */
  readonly durability?: Durability | undefined
}

/** An interval of keys. Of two bounds on one side the tighter one holds; an absent side is open. */
export interface Range {
  readonly gt?: Uint8Array | undefined
  readonly gte?: Uint8Array | undefined
  readonly lt?: Uint8Array | undefined
  readonly lte?: Uint8Array | undefined
}

/** The options of a stream. */
export interface StreamOptions {
  /** From the last key to the first. */
  readonly reverse?: boolean | undefined
  /** How many entries at most: a whole number, or Infinity, the default. */
  readonly limit?: number | undefined
  /** Leaves the values empty, and unread. */
  readonly keysOnly?: boolean | undefined
}

/** How to open a database. */
export interface Options {
  /** The directory of the database: a path, not a URL. */
  readonly path: string
  /** Opens what is there without its lock and without writing to it. Default: false. */
  readonly readOnly?: boolean | undefined
  /** Default: true. */
  readonly createIfMissing?: boolean | undefined
  /** How much a memtable holds before it is flushed to an SST file, 64 GiB at most. Default: 64 MiB. */
  readonly writeBufferSize?: ByteSize.Input | undefined
  /** How much of the SST files is cached in memory; see each engine for its default and for what it can do. */
  readonly blockCacheSize?: ByteSize.Input | undefined
  /** The size of the bloom filter of an SST file, up to 64, 0 for none. Default: 10. */
  readonly bloomBitsPerKey?: number | undefined
  /** How many SST files are kept open, at least 1, or -1 for all. By default the choice of the engine. */
  readonly maxOpenFiles?: number | undefined
  /** The durability of writes that do not say. Default: "sync". */
  readonly durability?: Durability | undefined
  /**
   * How long the release waits for operations in flight, such as a compaction. Past it, it fails and says what it
   * was waiting for; the handle is let go once that has come back, never under it. Above 0. Default: 1 minute.
   */
  readonly shutdownDeadline?: Duration.Input | undefined
}

/** A RocksDB database. */
export interface Service {
  /** The directory of the database, without symbolic links. */
  readonly path: string
  /** Whether the database has been released, or is being released, so that every operation answers `Closed`. */
  readonly isClosed: () => boolean
  /** The value of a key, or `undefined`. */
  readonly get: (key: Uint8Array) => Effect.Effect<Uint8Array | undefined, RocksDBError.RocksDBError>
  /** The values of many keys in their order, for one crossing into native code. */
  readonly getMany: (
    keys: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, RocksDBError.RocksDBError>
  /** The entry with the lowest key of a range, or `undefined`. */
  readonly first: (range?: Range | undefined) => Effect.Effect<Engine.Entry | undefined, RocksDBError.RocksDBError>
  /** The entry with the highest key of a range, or `undefined`. */
  readonly last: (range?: Range | undefined) => Effect.Effect<Engine.Entry | undefined, RocksDBError.RocksDBError>
  /**
   * The entries of a range as they stood when the stream began, in the order of their keys. A stream that is still
   * open when the database closes fails with `Closed`, and one that cannot read fails: it never ends early.
   *
   * @example
   * ```ts
   * import { RocksDB } from "@effect-bookie/rocksdb"
   * import { Console, Effect, Stream } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const database = yield* RocksDB.RocksDB
   *   for (const name of ["user:ada", "user:bob", "user:eve"]) yield* database.put(Buffer.from(name), Buffer.from("1"))
   *
   *   // The keys that begin with "user:", the last ones first; ";" comes after ":".
   *   const users = database.stream(
   *     { gte: Buffer.from("user:"), lt: Buffer.from("user;") },
   *     { reverse: true, limit: 2, keysOnly: true }
   *   )
   *   yield* Stream.runForEach(users, ({ key }) => Console.log(String(key)))
   * })
   *
   * await Effect.runPromise(Effect.provide(program, RocksDB.layerTemp()))
   * ```
   */
  readonly stream: (
    range?: Range | undefined,
    options?: StreamOptions | undefined
  ) => Stream.Stream<Engine.Entry, RocksDBError.RocksDBError>
  /** Sets the value of a key. The bytes must stay as they are until the write is acknowledged. */
  readonly put: (
    key: Uint8Array,
    value: Uint8Array,
    options?: WriteOptions | undefined
  ) => Effect.Effect<void, RocksDBError.RocksDBError>
  /** Removes a key; it need not be there. */
  readonly remove: (
    key: Uint8Array,
    options?: WriteOptions | undefined
  ) => Effect.Effect<void, RocksDBError.RocksDBError>
  /**
   * Writes all the operations or none, in their order. The bytes must stay as they are until it is acknowledged.
   *
   * @example
   * ```ts
   * import { RocksDB } from "@effect-bookie/rocksdb"
   * import { Console, Effect } from "effect"
   *
   * // Moves a value to another key: no crash and no reader comes in between.
   * const move = Effect.fn(function* (from: Uint8Array, to: Uint8Array) {
   *   const database = yield* RocksDB.RocksDB
   *   const value = yield* database.get(from)
   *   if (value === undefined) return
   *   yield* database.write([
   *     { type: "put", key: to, value },
   *     { type: "remove", key: from }
   *   ])
   * })
   *
   * const program = Effect.gen(function* () {
   *   const database = yield* RocksDB.RocksDB
   *   yield* database.put(Buffer.from("draft"), Buffer.from("text"))
   *   yield* move(Buffer.from("draft"), Buffer.from("page"))
   *   yield* Console.log(yield* database.get(Buffer.from("draft"))) // undefined
   * })
   *
   * await Effect.runPromise(Effect.provide(program, RocksDB.layerTemp()))
   * ```
   */
  readonly write: (
    operations: ReadonlyArray<Engine.Operation>,
    options?: WriteOptions | undefined
  ) => Effect.Effect<void, RocksDBError.RocksDBError>
  /** The value of a RocksDB property such as `rocksdb.stats`, or `undefined` if the engine lacks it. */
  readonly property: (name: string) => Effect.Effect<string | undefined, RocksDBError.RocksDBError>
  /** Rewrites the SST files of a range, which gives back the room of what was removed. */
  readonly compact: (range?: Range | undefined) => Effect.Effect<void, RocksDBError.RocksDBError>
  /** Brings every acknowledged write to disk, also the "buffered" ones. */
  readonly syncWal: Effect.Effect<void, RocksDBError.RocksDBError>
}

/** The service of a database: `yield* RocksDB.RocksDB` answers a {@link Service}. */
export class RocksDB extends Context.Service<RocksDB, Service>()("@effect-bookie/rocksdb/RocksDB") {}

/** Opens a database in the current scope, with the engine of the context. */
export const make: (
  options: Options
) => Effect.Effect<Service, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> = (options) =>
  Effect.map(acquire(options), service)

/** Provides a database that the engine of the context opens: `LevelEngine.layer`, or one of your own. */
export const layerWithoutEngine = (options: Options): Layer.Layer<RocksDB, RocksDBError.RocksDBError, Engine.Engine> =>
  Layer.effect(RocksDB, make(options))

/** Provides a database that the default engine opens. */
export const layer = (options: Options): Layer.Layer<RocksDB, RocksDBError.RocksDBError> =>
  Layer.provide(layerWithoutEngine(options), NativeEngine.layer)

/**
 * Every option from the environment, or wherever the `ConfigProvider` looks: `ROCKSDB_PATH`, `ROCKSDB_READ_ONLY`,
 * `ROCKSDB_CREATE_IF_MISSING`, `ROCKSDB_WRITE_BUFFER_SIZE="64 MiB"`, `ROCKSDB_BLOCK_CACHE_SIZE`,
 * `ROCKSDB_BLOOM_BITS_PER_KEY`, `ROCKSDB_MAX_OPEN_FILES`, `ROCKSDB_DURABILITY="sync"` and
 * `ROCKSDB_SHUTDOWN_DEADLINE="1 minute"`. All but the path may be absent.
 *
 * Each is about this database, and only that: `ROCKSDB_WRITE_BUFFER_SIZE` is RocksDB's `write_buffer_size`, and
 * `ROCKSDB_DURABILITY` is of the writes that go through this service and do not say. What is built on top of a database,
 * such as an index of entry locations, has options of its own, and writes with a durability of its own.
 */
export const config: Config.Config<Options> = Config.all({
  path: Config.NonEmptyString("ROCKSDB_PATH"),
  readOnly: optional(Config.Boolean("ROCKSDB_READ_ONLY")),
  createIfMissing: optional(Config.Boolean("ROCKSDB_CREATE_IF_MISSING")),
  writeBufferSize: optional(Config.ByteSize("ROCKSDB_WRITE_BUFFER_SIZE")),
  blockCacheSize: optional(Config.ByteSize("ROCKSDB_BLOCK_CACHE_SIZE")),
  bloomBitsPerKey: optional(Config.Finite("ROCKSDB_BLOOM_BITS_PER_KEY")),
  maxOpenFiles: optional(Config.Int("ROCKSDB_MAX_OPEN_FILES")),
  durability: optional(Config.Literals(["sync", "buffered"], "ROCKSDB_DURABILITY")),
  shutdownDeadline: optional(Config.Duration("ROCKSDB_SHUTDOWN_DEADLINE"))
})

/**
 * Provides a database whose options come from Effect's Config: by default all of them, as {@link config} reads them.
 *
 * @example
 * ```ts
 * import { RocksDB } from "@effect-bookie/rocksdb"
 * import { Config, ConfigProvider, Console, Effect, Layer } from "effect"
 *
 * // The path from DATA, where the other options have their defaults.
 * const DatabaseLive = RocksDB.layerConfig({ path: Config.NonEmptyString("DATA") })
 *
 * // In a test: what the environment has otherwise.
 * const EnvironmentTest = ConfigProvider.layer(ConfigProvider.fromUnknown({ DATA: "data" }))
 *
 * const program = Effect.andThen(RocksDB.RocksDB, ({ path }) => Console.log(path.endsWith("/data"))) // true
 *
 * await Effect.runPromise(Effect.provide(program, Layer.provide(DatabaseLive, EnvironmentTest)))
 * ```
 */
export const layerConfig = (
  options: Config.Wrap<Options> = config
): Layer.Layer<RocksDB, RocksDBError.RocksDBError | Config.ConfigError> =>
  Layer.unwrap(
    Refusal.taken({ operation: "open", path: "" }, () => {
      if (isWrapped(options)) return Config.unwrap(options)
      throw new Refusal.Refusal(
        `the options must be a Config, or an object of Configs such as { path: Config.String("DATA") }`
      )
    }).pipe(Effect.flatMap((config) => Effect.map(config, layer)))
  )

/**
 * Provides a real database in a new directory, which is removed after the last finalizer of the database has run.
 * For tests, and for data that need not outlive the scope.
 */
export const layerTemp = (
  options?: Omit<Options, "path"> | undefined
): Layer.Layer<RocksDB, RocksDBError.RocksDBError> => Layer.provide(layerTempWithoutEngine(options), NativeEngine.layer)

/** Like {@link layerTemp}, with the engine of the context. */
export const layerTempWithoutEngine = (
  options?: Omit<Options, "path"> | undefined
): Layer.Layer<RocksDB, RocksDBError.RocksDBError, Engine.Engine> =>
  Layer.effect(
    RocksDB,
    Refusal.taken({ operation: "open", path: "a new directory" }, () => {
      Arguments.record(options, "options")
      return { ...options }
    }).pipe(Effect.flatMap((taken) => Effect.map(acquireTemporary(taken), service)))
  )

/** Whether all of it comes from Configs, as plain JavaScript may not know; Effect does not stop at what is none. */
function isWrapped(options: unknown): boolean {
  return Config.isConfig(options) || (Predicate.isObject(options) && Object.values(options).every(isWrapped))
}

/** Where a config is absent, so is the option. */
function optional<A>(self: Config.Config<A>): Config.Config<A | undefined> {
  return Config.withDefault(self, undefined)
}

const service = (database: OpenDatabase): Service => {
  const { native, operations, path, readOnly } = database

  /** Takes the arguments and calls the engine with them, both at the moment when the effect runs. */
  const run = <A, B>(
    operation: string,
    take: () => A,
    call: (taken: A) => Promise<B>
  ): Effect.Effect<B, RocksDBError.RocksDBError> =>
    operations.run(operation, () => call(Refusal.take({ operation, path }, take)))

  const write = (
    operation: string,
    take: () => ReadonlyArray<Engine.Operation>,
    options: WriteOptions | undefined
  ): Effect.Effect<void, RocksDBError.RocksDBError> =>
    operations.runInterruptible(operation, (interruption) => {
      const { batch, durability } = Refusal.take({ operation, path }, () => ({
        batch: take(),
        durability: Arguments.durability(options, database.durability)
      }))
      if (readOnly) throw readOnlyError(operation, path)
      const effective = Interval.withoutEmptyRanges(batch)
      return effective.length === 0 ? Promise.resolve() : native.write(effective, durability === "sync", interruption)
    })

  const edge = (operation: string, range: Range | undefined, reverse: boolean) =>
    run(
      operation,
      () => Interval.fromRange(Arguments.range(range)),
      async (interval) => {
        if (interval === undefined) return undefined
        const cursor = Cursor.open(native, { ...interval, reverse, limit: 1, keysOnly: false })
        try {
          return (await cursor.next())[0]
        } finally {
          await cursor.end()
        }
      }
    )

  return RocksDB.of({
    path,
    isClosed: () => operations.closed,
    get: (key) =>
      Effect.map(
        run(
          "get",
          () => [Arguments.key(key)],
          (keys) => native.getMany(keys)
        ),
        first
      ),
    getMany: (keys) =>
      run(
        "getMany",
        () => Arguments.keys(keys),
        (taken) => (taken.length === 0 ? Promise.resolve([]) : native.getMany(taken))
      ),
    first: (range) => edge("first", range, false),
    last: (range) => edge("last", range, true),
    stream: (range, options) => stream(database, range, options),
    put: (key, value, options) => write("put", () => [Arguments.put(key, value)], options),
    remove: (key, options) => write("remove", () => [Arguments.remove(key)], options),
    write: (batch, options) => write("write", () => Arguments.operations(batch), options),
    property: (name) =>
      run(
        "property",
        () => Arguments.property(name),
        (taken) => native.property(taken)
      ),
    compact: (range) =>
      run(
        "compact",
        () => Interval.fromRange(Arguments.range(range)),
        (interval) => {
          if (readOnly) throw readOnlyError("compact", path)
          return interval === undefined ? Promise.resolve() : native.compact(interval)
        }
      ).pipe(Effect.withSpan("RocksDB.compact")),
    syncWal: operations.run("syncWal", () => (readOnly ? Promise.resolve() : native.syncWal()))
  })
}

const stream = (
  { native, operations, path }: OpenDatabase,
  range: Range | undefined,
  options: StreamOptions | undefined
): Stream.Stream<Engine.Entry, RocksDBError.RocksDBError> => {
  const take = Refusal.taken({ operation: "stream", path }, () => ({
    interval: Interval.fromRange(Arguments.range(range)),
    options: Arguments.streamOptions(options)
  }))
  return Stream.unwrap(
    Effect.gen(function* () {
      if (operations.closed) return Stream.fail(operations.closedError("stream"))
      const { interval, options } = yield* take
      if (interval === undefined || options.limit === 0) return Stream.empty
      const cursor = yield* Effect.acquireRelease(
        operations.openCursor("stream", () => Cursor.open(native, { ...interval, ...options })),
        (cursor) => Effect.promise(() => cursor.end())
      )
      const pull = Effect.flatMap(cursor.next("stream"), (entries) =>
        isNonEmpty(entries) ? Effect.succeed(entries) : Cause.done()
      )
      return Stream.fromPull(Effect.succeed(pull))
    })
  )
}

const first = <A>(values: ReadonlyArray<A>): A | undefined => values[0]

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is readonly [A, ...Array<A>] => values.length > 0

const readOnlyError = (operation: string, path: string) =>
  new RocksDBError.RocksDBError({
    reason: new RocksDBError.ReadOnly({
      operation,
      path,
      message: `${operation}: the database at ${path} was opened read-only. Open it without readOnly to write to it.`
    })
  })
