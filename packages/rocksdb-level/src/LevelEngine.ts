/**
 * The opt-in engine: `rocksdb` 5.2.1 (Level), RocksDB 6.17, for those who have
 * it already or who need the size of the block cache.
 *
 * It is a peer dependency, and `layer` fails with `EngineUnavailable` where
 * this Node cannot load it. The table format (4) and the bloom filter (10 bits)
 * are fixed in the binding, so only those may be asked for. It has no native
 * range delete: a `removeRange` becomes a delete of each key, still in the one
 * atomic batch, while other writes wait. Its scans do not verify checksums.
 * Once a write has failed, all do until the directory is opened anew, as with
 * the default engine (see `internal/LevelWriter.ts`). A release waits where its
 * RocksDB recovers from a full disk (see `internal/LevelRecovery.ts`).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type Binding from "rocksdb"
import { existsSync } from "node:fs"
import * as Engine from "@effect-bookie/rocksdb/Engine"
import * as Support from "@effect-bookie/rocksdb/EngineSupport"
import * as RocksDBError from "@effect-bookie/rocksdb/RocksDBError"
import * as levelBinding from "./internal/levelBinding.ts"
import { LevelFlush } from "./internal/LevelFlush.ts"
import * as LevelPath from "./internal/levelPath.ts"
import { LevelRecovery } from "./internal/LevelRecovery.ts"
import { LevelWriter, toBuffer } from "./internal/LevelWriter.ts"

/** The name that a directory of this engine carries. */
export const name = "rocksdb"

/** Provides `rocksdb` as the engine, or says what to do where it does not load. */
export const layer: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError> = Layer.effect(
  Engine.Engine,
  Effect.tryPromise({
    try: () => levelBinding.load(),
    catch: (cause) =>
      Support.unavailable(
        name,
        Support.Thrown.messageOf(cause),
        `Install it and compile it for this Node with "npm rebuild rocksdb", or leave LevelEngine out to use the ` +
          `default engine.`,
        cause
      )
  }).pipe(
    Effect.map((binding) => Engine.Engine.of(Support.withFullDisk({ name, open: (options) => open(binding, options) })))
  )
)

/** The bits a key of the bloom filter that the binding always builds. */
const bloomBitsPerKey = 10

const open = (
  binding: typeof Binding,
  options: Engine.OpenOptions
): Effect.Effect<Engine.Database, RocksDBError.RocksDBError> => {
  const where = { operation: "open", path: options.path }
  if (options.bloomBitsPerKey !== undefined && options.bloomBitsPerKey !== bloomBitsPerKey) {
    return Effect.fail(
      RocksDBError.invalidArgument(`${name} always has ${bloomBitsPerKey} bloomBitsPerKey: leave it out`, where)
    )
  }
  for (const size of [options.writeBufferSize, options.blockCacheSize ?? 0]) {
    if (size > maxUint32) {
      return Effect.fail(
        RocksDBError.invalidArgument(`${name} takes sizes of at most ${maxUint32} bytes, not ${size}`, where)
      )
    }
  }
  return Effect.tryPromise({
    try: () => openBinding(binding, options),
    catch: (cause) => RocksDBError.fromNative(cause, where)
  })
}

const openBinding = async (binding: typeof Binding, options: Engine.OpenOptions): Promise<Engine.Database> => {
  // A log file that it cannot read this RocksDB passes over, and then removes: the binding turns paranoid_checks off.
  if (existsSync(options.path)) await Support.LogRecords.readThrough(options.path)
  const level = new binding(LevelPath.of(options.path))
  const open = (callback: (error: Error | null | undefined, value: void) => void) =>
    level.open(
      {
        createIfMissing: options.createIfMissing,
        readOnly: options.readOnly,
        writeBufferSize: options.writeBufferSize,
        ...(options.blockCacheSize === undefined ? {} : { cacheSize: options.blockCacheSize }),
        ...(options.maxOpenFiles === undefined ? {} : { maxOpenFiles: options.maxOpenFiles })
      },
      callback
    )
  await answer(open).catch((cause) => {
    LevelPath.failed(options.path, cause)
    throw cause
  })
  const version = async () => level.getProperty("rocksdb.current-super-version-number") || undefined
  const wal = new Support.WalSync(options.path, version)
  try {
    if (!options.readOnly) await wal.open()
  } catch (cause) {
    await answer((callback) => level.close(callback))
    throw cause
  }
  return new LevelDatabase(level, wal, options)
}

const maxUint32 = 0xffff_ffff

const maxInt32 = 0x7fff_ffff

class LevelDatabase implements Engine.Database {
  readonly #level: Binding
  readonly #path: string
  readonly #wal: Support.WalSync
  readonly #writer: LevelWriter
  readonly #recovery: LevelRecovery
  readonly #flush: LevelFlush

  constructor(level: Binding, wal: Support.WalSync, { path, writeBufferSize }: Engine.OpenOptions) {
    this.#level = level
    this.#path = path
    this.#wal = wal
    const property = (name: string) => Number(level.getProperty(`rocksdb.${name}`))
    this.#recovery = new LevelRecovery(path, property)
    this.#flush = new LevelFlush(path, writeBufferSize, property, (operation) => this.#writer.write([operation], false))
    this.#writer = new LevelWriter({
      keys: (range) => keys(level, range),
      prepare: (size) => this.#recovery.prevent(size),
      batch: (operations, sync) => answer((callback) => level.batch(operations, { sync }, callback))
    })
  }

  getMany = (keys: ReadonlyArray<Uint8Array>): Promise<ReadonlyArray<Uint8Array | undefined>> => {
    Support.checkKeys(keys, this.#path)
    return answer((callback) => this.#level.getMany(keys.map(toBuffer), callback))
  }

  write = (operations: ReadonlyArray<Engine.Operation>, sync: boolean): Promise<void> => {
    Support.checkOperations(operations, this.#path)
    return this.#writer.write(operations, sync)
  }

  cursor = (options: Engine.CursorOptions): Engine.Cursor => new LevelCursor(this.#level, options)

  property = async (property: string): Promise<string | undefined> => {
    const value = this.#level.getProperty(property)
    return value === "" ? undefined : value
  }

  compact = async ({ lower, upper }: Engine.Interval): Promise<void> => {
    const start = toBuffer(lower?.key ?? empty)
    // The binding wants both ends. Those of the live keys would leave out what was removed before and after them.
    const end = toBuffer(upper?.key ?? new Uint8Array(Support.maxKeyLength).fill(0xff))
    await this.#flush.compact(() => answer((callback) => this.#level.compactRange(start, end, callback)))
  }

  syncWal = (): Promise<void> => this.#wal.sync()

  isRecovering = (): Promise<boolean> => this.#recovery.mayBeUnderWay(this.#writer.failure)

  close = async (): Promise<void> => {
    try {
      await answer((callback) => this.#level.close(callback))
    } finally {
      await this.#wal.close()
    }
  }
}

/** How many entries one read returns. */
const entriesPerRead = 256

class LevelCursor implements Engine.Cursor {
  readonly #iterator: Binding.Iterator

  constructor(level: Binding, { keysOnly, limit, lower, reverse, upper }: Engine.CursorOptions) {
    this.#iterator = level.iterator({
      ...(lower && (lower.inclusive ? { gte: toBuffer(lower.key) } : { gt: toBuffer(lower.key) })),
      ...(upper && (upper.inclusive ? { lte: toBuffer(upper.key) } : { lt: toBuffer(upper.key) })),
      reverse,
      values: !keysOnly,
      limit: limit > maxInt32 ? -1 : limit
    })
  }

  next = async (): Promise<ReadonlyArray<Engine.Entry>> => {
    const entries: Array<Engine.Entry> = []
    while (entries.length < entriesPerRead) {
      const entry = await nextEntry(this.#iterator)
      if (entry === undefined) break
      entries.push(entry)
    }
    return entries
  }

  end = (): Promise<void> => answer((callback) => this.#iterator.end(callback))
}

const nextEntry = (iterator: Binding.Iterator): Promise<Engine.Entry | undefined> =>
  new Promise((resolve, reject) => {
    iterator.next((error, key, value) => {
      if (error) return reject(error)
      resolve(key === undefined ? undefined : { key, value: value ?? empty })
    })
  })

async function* keys(level: Binding, range: Binding.Range): AsyncGenerator<Buffer> {
  const iterator = level.iterator({ ...range, values: false })
  try {
    while (true) {
      const entry = await nextEntry(iterator)
      if (entry === undefined) return
      yield toBuffer(entry.key)
    }
  } finally {
    await answer((callback) => iterator.end(callback))
  }
}

/** Settles when the native callback has come. */
const answer = <A = void>(call: (callback: (error: Error | null | undefined, value: A) => void) => void): Promise<A> =>
  new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)))
  })

const empty = new Uint8Array(0)
