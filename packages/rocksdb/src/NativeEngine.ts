/**
 * The default engine: `rocksdb-native`, RocksDB 10 with prebuilt binaries for
 * Linux, macOS and Windows, no install script.
 *
 * The binding has no `sync` option and no WAL flush, so a "sync" write is
 * followed by an fdatasync of the live log files (see `internal/WalSync.ts`);
 * concurrent writers share one. It has no option for the size of the block
 * cache either: `blockCacheSize` may be 0 (no cache) or be left out (RocksDB's
 * own 32 MiB). Values it returns are not copied; bytes passed to a write must
 * not change until the write has been acknowledged.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type Binding from "rocksdb-native"
import { existsSync } from "node:fs"
import * as Engine from "./Engine.ts"
import * as Arguments from "./internal/arguments.ts"
import * as LogRecords from "./internal/logRecords.ts"
import * as CompactionRoom from "./internal/compactionRoom.ts"
import * as nativeBinding from "./internal/nativeBinding.ts"
import * as Thrown from "./internal/thrown.ts"
import { unavailable } from "./internal/unavailable.ts"
import { WalSync } from "./internal/WalSync.ts"
import * as RocksDBError from "./RocksDBError.ts"

/** The name that a directory of this engine carries. */
export const name = "rocksdb-native"

/** Provides `rocksdb-native` as the engine, or says what to do where it cannot be loaded. */
export const layer: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError> = Layer.effect(
  Engine.Engine,
  Effect.try({
    try: () => nativeBinding.load(),
    catch: (cause) => unavailable(name, loaderSaying(cause), advice, cause)
  }).pipe(Effect.map((binding) => Engine.Engine.of({ name, open: (options) => open(binding, options) })))
)

const advice =
  "It has prebuilt binaries for Linux with glibc, macOS and Windows, each for x64 and arm64, and needs a Node that may " +
  "load addons: not one that runs with --no-addons, or with --permission and without --allow-addons. Elsewhere use " +
  "LevelEngine with a binding that is compiled there."

/** The loader wraps what Node says of the file that it found. */
const loaderSaying = (cause: unknown): string => {
  const inner = Thrown.property(cause, "cause") ?? cause
  return Thrown.messageOf(inner).split("\n", 1).join()
}

/**
 * Pinned, so that a directory does not change its format with the binding's
 * next release. Version 6 checks the footer and needs RocksDB 8.6 to read.
 */
const tableFormatVersion = 6

const open = (
  binding: typeof Binding,
  options: Engine.OpenOptions
): Effect.Effect<Engine.Database, RocksDBError.RocksDBError> => {
  if (options.blockCacheSize !== undefined && options.blockCacheSize !== 0) {
    return Effect.fail(
      RocksDBError.invalidArgument(
        `${name} cannot set blockCacheSize to ${options.blockCacheSize} bytes: leave it out for RocksDB's default ` +
          `cache, pass 0 for none, or use LevelEngine`,
        { operation: "open", path: options.path }
      )
    )
  }
  return Effect.tryPromise({
    try: () => openDatabase(binding, options),
    catch: (cause) => RocksDBError.fromNative(cause, { operation: "open", path: options.path })
  })
}

const openDatabase = async (RocksDB: typeof Binding, options: Engine.OpenOptions): Promise<Engine.Database> => {
  // Where there is no directory yet, RocksDB says so or makes one.
  if (existsSync(options.path)) await LogRecords.check(options.path)
  const bits = options.bloomBitsPerKey ?? 10
  const binding = new RocksDB(options.path, {
    readOnly: options.readOnly,
    createIfMissing: options.createIfMissing,
    writeBufferSize: options.writeBufferSize,
    blockCache: options.blockCacheSize === undefined,
    // RocksDB refuses to keep them in a cache that there is not.
    tableCacheIndexAndFilterBlocks: options.blockCacheSize === undefined,
    filterPolicy: bits === 0 ? null : new RocksDB.BloomFilterPolicy(bits),
    tableFormatVersion,
    ...(options.maxOpenFiles === undefined ? {} : { maxOpenFiles: options.maxOpenFiles })
  })
  await binding.ready()
  const version = async () => (await binding.getProperty("rocksdb.current-super-version-number")) ?? undefined
  const wal = new WalSync(options.path, version)
  try {
    if (!options.readOnly) await wal.open()
  } catch (cause) {
    await binding.close()
    throw cause
  }
  return new NativeDatabase(binding, wal, options)
}

class NativeDatabase implements Engine.Database {
  readonly #binding: Binding
  readonly #wal: WalSync
  readonly #options: Engine.OpenOptions

  constructor(binding: Binding, wal: WalSync, options: Engine.OpenOptions) {
    this.#binding = binding
    this.#wal = wal
    this.#options = options
  }

  getMany = async (keys: ReadonlyArray<Uint8Array>): Promise<ReadonlyArray<Uint8Array | undefined>> => {
    Arguments.checkKeys(keys, this.#options.path)
    const batch = this.#binding.read({ capacity: keys.length, autoDestroy: true })
    const pending: Array<Promise<Uint8Array | null>> = []
    for (const key of keys) pending.push(batch.get(key))
    batch.tryFlush()
    // Every value settles in the same native callback, so nothing is in flight once one has failed.
    const values = await Promise.all(pending)
    return values.map(orUndefined)
  }

  write = async (operations: ReadonlyArray<Engine.Operation>, sync: boolean): Promise<void> => {
    Arguments.checkOperations(operations, this.#options.path)
    const batch = this.#binding.write({ capacity: operations.length, autoDestroy: true })
    for (const operation of operations) {
      switch (operation.type) {
        case "put":
          batch.tryPut(operation.key, operation.value)
          break
        case "remove":
          batch.tryDelete(operation.key)
          break
        case "removeRange":
          batch.tryDeleteRange(operation.gte, operation.lt)
          break
      }
    }
    await batch.flush()
    if (sync) await this.#wal.sync()
  }

  cursor = (options: Engine.CursorOptions): Engine.Cursor => new NativeCursor(this.#binding, options)

  property = async (property: string): Promise<string | undefined> =>
    (await this.#binding.getProperty(property)) ?? undefined

  // The method of this name that the binding exports takes a key that is an object for its options, and compacts everything.
  compact = async ({ lower, upper }: Engine.Interval): Promise<void> => {
    const { path, writeBufferSize } = this.#options
    await CompactionRoom.ask(path, writeBufferSize, async () =>
      Number(await this.#binding.getProperty("rocksdb.background-errors"))
    )
    await this.#binding._state.compactRange(this.#binding, lower?.key ?? null, upper?.key ?? null, { exclusive: false })
  }

  syncWal = (): Promise<void> => this.#wal.sync()

  // A close ends the recovery of this RocksDB.
  isRecovering = async (): Promise<boolean> => false

  close = async (): Promise<void> => {
    try {
      await this.#binding.close()
    } finally {
      await this.#wal.close()
    }
  }
}

/** How many entries one crossing into native code brings. */
const entriesPerRead = 256

/** Reads the binding's stream in the chunks in which native code fills it. */
class NativeCursor implements Engine.Cursor {
  readonly #iterator: Binding.Iterator
  readonly #closed: Promise<void>
  #ended = false
  #failure: unknown
  #wake: (() => void) | undefined

  constructor(binding: Binding, { keysOnly, limit, lower, reverse, upper }: Engine.CursorOptions) {
    this.#iterator = binding.iterator(
      {
        ...(lower && (lower.inclusive ? { gte: lower.key } : { gt: lower.key })),
        ...(upper && (upper.inclusive ? { lte: upper.key } : { lt: upper.key }))
      },
      { reverse, limit, values: !keysOnly, capacity: Math.min(entriesPerRead, limit) }
    )
    this.#closed = new Promise((resolve) => this.#iterator.once("close", resolve))
    this.#iterator.on("readable", () => this.#wake?.())
    this.#iterator.once("end", () => {
      this.#ended = true
      this.#wake?.()
    })
    this.#iterator.once("error", (cause) => {
      this.#failure = cause
      this.#wake?.()
    })
  }

  next = async (): Promise<ReadonlyArray<Engine.Entry>> => {
    while (true) {
      if (this.#failure !== undefined) throw this.#failure
      const entries: Array<Engine.Entry> = []
      for (let entry = this.#iterator.read(); entry !== null; entry = this.#iterator.read()) {
        entries.push({ key: entry.key, value: entry.value ?? empty })
      }
      if (entries.length > 0 || this.#ended) return entries
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  end = (): Promise<void> => {
    this.#iterator.destroy()
    return this.#closed
  }
}

const empty = new Uint8Array(0)

const orUndefined = <A>(value: A | null): A | undefined => value ?? undefined
