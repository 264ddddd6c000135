/**
 * An engine's database that takes writes again after the disk was full.
 *
 * RocksDB answers every write with the same error once one has found no space,
 * until it resumes by itself, which it does not on a small device; and neither
 * binding has its `DB::Resume`. So a write that is refused looks whether there
 * is room by now, for itself and for what follows, and if so opens the directory
 * anew and tries once more. Also the first one: RocksDB may have found the disk
 * full long before, in the background.
 *
 * - Where there is no room writes fail at once, also those that RocksDB would
 *   hold back until there is some (see `WriteStall.ts`); reads and cursors go on.
 * - While the directory is opened anew, operations wait; a cursor that was open
 *   fails, because the snapshot that it read is gone.
 * - Where that fails, the directory is opened for reading, and the next write
 *   tries once more. Where that fails too, the next operation does.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { setTimeout } from "node:timers/promises"
import type * as Engine from "../Engine.ts"
import * as RocksDBError from "../RocksDBError.ts"
import * as Room from "./room.ts"
import { WriteStall } from "./WriteStall.ts"

/** Opens a database with an engine. */
export const open = (
  engine: Engine.Engine["Service"],
  options: Engine.OpenOptions
): Effect.Effect<Engine.Database, RocksDBError.RocksDBError> =>
  Effect.contextWith((context) => {
    const runPromise = Effect.runPromiseWith(context)
    const reopen = (readOnly: boolean) => runPromise(engine.open({ ...options, readOnly }))
    return Effect.map(engine.open(options), (native) => new RecoveringDatabase(options, native, reopen))
  })

class RecoveringDatabase implements Engine.Database {
  readonly #path: string
  readonly #open: (readOnly: boolean) => Promise<Engine.Database>
  readonly #stall: WriteStall
  readonly #cursors = new Set<RecoveringCursor>()
  /** Absent only where not even an open for reading has succeeded. */
  #native: Engine.Database | undefined
  /** What found the disk full, until writes work again. */
  #full: unknown
  #inFlight = 0
  #idle: (() => void) | undefined
  #recovering: Promise<void> | undefined

  constructor(
    { path, writeBufferSize }: Engine.OpenOptions,
    native: Engine.Database,
    open: (readOnly: boolean) => Promise<Engine.Database>
  ) {
    this.#path = path
    this.#native = native
    this.#open = open
    this.#stall = new WriteStall(path, writeBufferSize, async (name) => Number(await this.property(name)))
  }

  getMany = (keys: ReadonlyArray<Uint8Array>): Promise<ReadonlyArray<Uint8Array | undefined>> =>
    this.use((native) => native.getMany(keys))

  write = async (operations: ReadonlyArray<Engine.Operation>, sync: boolean): Promise<void> => {
    try {
      await this.#write(operations, sync)
    } catch (cause) {
      if (Room.isRefusal(cause)) throw cause
      if (this.#isNoSpace(cause)) this.#full ??= cause
      // What is open for reading alone refuses with an error of its own.
      const full = this.#full
      if (full === undefined) throw cause
      if (!(await hasRoom(this.#path, Room.sizeOf(operations)))) throw full
      await this.#recover()
      if (this.#full !== undefined) throw this.#full
      await this.#write(operations, sync)
    }
  }

  // What has no room for a compaction may have some for a write, and is not worth its streams.
  compact = (interval: Engine.Interval): Promise<void> => this.use((native) => native.compact(interval))

  syncWal = (): Promise<void> => this.use((native) => native.syncWal())

  property = (name: string): Promise<string | undefined> => this.use((native) => native.property(name))

  cursor = (options: Engine.CursorOptions): Engine.Cursor => {
    const cursor: RecoveringCursor = new RecoveringCursor(this, options, () => this.#cursors.delete(cursor))
    this.#cursors.add(cursor)
    return cursor
  }

  isRecovering = async (): Promise<boolean> => (await this.#native?.isRecovering()) ?? false

  close = async (): Promise<void> => {
    await this.#recovering?.catch(() => {})
    await this.#native?.close()
  }

  /** Runs with the native database, which stays until then. */
  use<A>(run: (native: Engine.Database) => Promise<A>): Promise<A> {
    if (this.#recovering !== undefined) return this.#recovering.catch(() => {}).then(() => this.use(run))
    if (this.#native === undefined) return this.#recover().then(() => this.use(run))
    return this.#count(this.#native, run)
  }

  async #write(operations: ReadonlyArray<Engine.Operation>, sync: boolean): Promise<void> {
    await this.#stall.prevent(Room.sizeOf(operations))
    await this.use((native) => native.write(operations, sync))
    // A compaction may succeed where no write does yet.
    this.#full = undefined
  }

  #count<A>(native: Engine.Database, run: (native: Engine.Database) => Promise<A>): Promise<A> {
    this.#inFlight += 1
    try {
      return run(native).then(this.#succeeded, this.#failed)
    } catch (cause) {
      return this.#failed(cause)
    }
  }

  // Of the database, not of a call: these run at each of them.
  readonly #succeeded = <A>(answer: A): A => {
    this.#leave()
    return answer
  }

  readonly #failed = (cause: unknown): Promise<never> => {
    this.#leave()
    return Promise.reject(cause)
  }

  #leave(): void {
    this.#inFlight -= 1
    if (this.#inFlight === 0) this.#idle?.()
  }

  #recover(): Promise<void> {
    this.#recovering ??= this.#reopen().finally(() => {
      this.#recovering = undefined
    })
    return this.#recovering
  }

  async #reopen(): Promise<void> {
    const full = this.#full
    // RocksDB has resumed meanwhile: a write that was in flight has succeeded.
    if (this.#native !== undefined && full === undefined) return
    for (const cursor of this.#cursors) await cursor.fail(full)
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    this.#idle = undefined
    const before = this.#native
    if (before !== undefined && !(await this.#isReady(before))) return
    this.#native = undefined
    await before?.close()
    try {
      this.#native = await this.#open(false)
      this.#full = undefined
    } catch (cause) {
      this.#full = cause
      this.#native = await this.#open(true)
    }
  }

  /** Whether it can be closed. If there is no room after all, it stays. */
  async #isReady(native: Engine.Database): Promise<boolean> {
    while (await native.isRecovering()) {
      if (!(await hasRoom(this.#path, 0))) return false
      await setTimeout(recoveryPollInterval)
    }
    return true
  }

  #isNoSpace(cause: unknown): boolean {
    return RocksDBError.fromNative(cause, { operation: "write", path: this.#path }).reason._tag === "NoSpace"
  }
}

/** In milliseconds. */
export const recoveryPollInterval = 50

/** A cursor that knows when its native iterator has been ended under it. */
class RecoveringCursor implements Engine.Cursor {
  readonly #database: RecoveringDatabase
  readonly #options: Engine.CursorOptions
  readonly #onEnd: () => void
  #cursor: Engine.Cursor | undefined
  #reading: Promise<unknown> = Promise.resolve()
  #failure: { readonly cause: unknown } | undefined

  constructor(database: RecoveringDatabase, options: Engine.CursorOptions, onEnd: () => void) {
    this.#database = database
    this.#options = options
    this.#onEnd = onEnd
  }

  next = (): Promise<ReadonlyArray<Engine.Entry>> =>
    this.#database.use((native) => {
      if (this.#failure !== undefined) throw this.#failure.cause
      this.#cursor ??= native.cursor(this.#options)
      const reading = this.#cursor.next()
      this.#reading = reading
      return reading
    })

  end = async (): Promise<void> => {
    this.#onEnd()
    const cursor = this.#cursor
    this.#cursor = undefined
    await cursor?.end()
  }

  /** Ends the native iterator once its read under way has come back; later reads fail. */
  async fail(cause: unknown): Promise<void> {
    this.#failure = { cause }
    await this.#reading.catch(() => {})
    await this.end()
  }
}

/**
 * Whether the directory can be opened anew and then take a write of so many bytes: the open flushes what the log files
 * hold, and creates some small files. What RocksDB has reserved for a file and not filled comes back when it closes.
 */
const hasRoom = async (path: string, size: number): Promise<boolean> => {
  let room = (await Room.at(path)) - Room.smallFilesSize - size
  for (const name of await Fs.readdir(path)) {
    const file = await Room.statIfThere(Path.join(path, name))
    if (file === undefined) continue
    room += Math.max(0, Room.allocatedTo(file) - file.size)
    if (name.endsWith(".log")) room -= file.size
  }
  return room >= 0
}
