/**
 * An engine's database that works again once what it failed for is over: a full
 * disk, too many open files, a device that did not read or write.
 *
 * RocksDB goes on refusing writes until its directory is opened anew (see
 * `reopening.ts`). So a write or a compaction that is refused looks whether
 * that could succeed by now, does so, and tries once more. Also the first one:
 * RocksDB may have failed long before, in the background.
 *
 * - Where it could not, they fail at once, also those that RocksDB would hold
 *   back until it could (see `WriteStall.ts`); reads and cursors go on.
 * - What changes the database waits from then on, and what does so already is
 *   waited for, a compaction for example. Reads and cursors go on meanwhile.
 *   They wait for the short time alone in which there is no native database; a
 *   cursor that was open fails then, because the snapshot that it read is gone.
 * - Where the open fails, the directory is opened for reading, and the next
 *   write tries once more. Where that fails too, the next operation does.
 * - After a failed sync of the write-ahead log the directory is not opened anew:
 *   only the user can decide to go on with what the log holds then.
 */
import { setTimeout } from "node:timers/promises"
import type * as Engine from "../../Engine.ts"
import * as RocksDBError from "../../RocksDBError.ts"
import * as FailedSync from "../failedSync.ts"
import { InFlight } from "./InFlight.ts"
import * as Reopening from "./reopening.ts"
import * as Room from "./room.ts"
import { WriteStall } from "./WriteStall.ts"

/** A database that an engine has opened, and can open anew. */
export class RecoveringDatabase implements Engine.Database {
  readonly #path: string
  readonly #check: () => Promise<void>
  readonly #open: (readOnly: boolean) => Promise<Engine.Database>
  readonly #stall: WriteStall
  readonly #cursors = new Set<RecoveringCursor>()
  /** Absent while the directory is opened anew, and where not even an open for reading has succeeded. */
  #native: Engine.Database | undefined
  /** What RocksDB has failed for, until a write has succeeded. */
  #trouble: unknown
  /** A sync of the write-ahead log that has failed. */
  #failedSync: unknown
  readonly #changes = new InFlight()
  readonly #reads = new InFlight()
  /** Under way from when changes wait. */
  #recovering: Promise<void> | undefined
  /** Under way while reads wait, too. */
  #reopening: Promise<void> | undefined

  constructor(
    { checkDirectory, path, writeBufferSize }: Engine.OpenOptions,
    native: Engine.Database,
    open: (readOnly: boolean) => Promise<Engine.Database>
  ) {
    this.#path = path
    this.#native = native
    this.#check = checkDirectory
    this.#open = open
    this.#stall = new WriteStall(path, writeBufferSize, async (name) => Number(await this.property(name)))
  }

  getMany = (keys: ReadonlyArray<Uint8Array>): Promise<ReadonlyArray<Uint8Array | undefined>> =>
    this.read((native) => native.getMany(keys))

  write = async (
    operations: ReadonlyArray<Engine.Operation>,
    sync: boolean,
    interruption?: Engine.Interruption
  ): Promise<void> => {
    const size = Room.sizeOf(operations)
    for (let attempts = 1; ; attempts++) {
      try {
        return await this.#write(operations, sync, size, interruption)
      } catch (cause) {
        // What RocksDB says nothing of may be another trouble each time, and over by the time that it is looked for.
        if (attempts > (Reopening.isUnknown(cause) ? mostRecoveries : 1)) throw cause
        await this.#getOver(cause, size)
      }
    }
  }

  compact = async (interval: Engine.Interval): Promise<void> => {
    try {
      await this.#change((native) => native.compact(interval))
    } catch (cause) {
      // What has no room for a compaction may have some for a write, and is not worth its streams.
      if (this.#isNoSpace(cause)) throw cause
      await this.#getOver(cause, 0)
      await this.#change((native) => native.compact(interval))
    }
  }

  syncWal = (): Promise<void> => this.read((native) => native.syncWal().catch(this.#noteFailedSync))

  property = (name: string): Promise<string | undefined> => this.read((native) => native.property(name))

  cursor = (options: Engine.CursorOptions): Engine.Cursor => {
    const cursor: RecoveringCursor = new RecoveringCursor(this, options, () => this.#cursors.delete(cursor))
    this.#cursors.add(cursor)
    return cursor
  }

  isRecovering = async (): Promise<boolean> => (await this.#native?.isRecovering?.()) ?? false

  close = async (): Promise<void> => {
    await this.#recovering?.catch(() => {})
    await this.#native?.close()
  }

  /** Reads from the native database, which stays until it has answered. */
  read<A>(call: (native: Engine.Database) => Promise<A>): Promise<A> {
    if (this.#reopening !== undefined) return this.#reopening.catch(() => {}).then(() => this.read(call))
    if (this.#native === undefined) return this.#recover().then(() => this.read(call))
    return this.#reads.run(this.#native, call)
  }

  /** The same for what changes the database. */
  #change<A>(call: (native: Engine.Database) => Promise<A>): Promise<A> {
    if (this.#recovering !== undefined) return this.#recovering.catch(() => {}).then(() => this.#change(call))
    if (this.#native === undefined) return this.#recover().then(() => this.#change(call))
    return this.#changes.run(this.#native, call)
  }

  async #write(
    operations: ReadonlyArray<Engine.Operation>,
    sync: boolean,
    size: number,
    interruption: Engine.Interruption | undefined
  ): Promise<void> {
    const hasWaited = (await this.#stall.prevent(size)) === true
    if (hasWaited && interruption?.happened === true) throw new Error("interrupted before it was written")
    await this.#change((native) => native.write(operations, sync).catch(this.#noteFailedSync))
    // A compaction may succeed where no write does yet, and with Level a write where no flush does.
    if (!Reopening.isUnknown(this.#trouble)) this.#trouble = undefined
  }

  /** Opens the directory anew if that may help against what a call has failed with; rejects if it does not. */
  async #getOver(cause: unknown, size: number): Promise<void> {
    const isNeeded = Reopening.isNeeded(cause, this.#path)
    if (isNeeded && this.#failedSync !== undefined) throw this.#failedSync
    // What is open for reading alone refuses with an error of its own.
    if (!isNeeded && !(this.#trouble !== undefined && this.#isReadOnly(cause))) throw cause
    const trouble = (this.#trouble ??= cause)
    await this.#check()
    const obstacle = await Reopening.obstacle(this.#path, size)
    if (obstacle !== undefined) throw Reopening.isUnknown(trouble) ? obstacle : trouble
    await this.#recover()
    if (this.#trouble !== undefined) throw this.#trouble
  }

  #recover(): Promise<void> {
    this.#recovering ??= this.#reopenWhenReady().finally(() => {
      this.#recovering = undefined
    })
    return this.#recovering
  }

  async #reopenWhenReady(): Promise<void> {
    await this.#changes.idle()
    if (this.#native !== undefined) {
      // RocksDB has resumed meanwhile: a write that was in flight has succeeded, or the flush that had failed.
      if (Reopening.isUnknown(this.#trouble) && !(await this.#stall.isStuck())) this.#trouble = undefined
      if (this.#trouble === undefined) return
      await this.#untilReady(this.#native, this.#trouble)
    }
    await this.#check()
    this.#reopening = this.#reopen().finally(() => {
      this.#reopening = undefined
    })
    return this.#reopening
  }

  async #reopen(): Promise<void> {
    const trouble = this.#trouble
    await this.#reads.idle()
    if (this.#failedSync !== undefined) throw this.#failedSync
    for (const cursor of this.#cursors) await cursor.fail(Reopening.snapshotIsGone(trouble))
    const before = this.#native
    this.#native = undefined
    this.#stall.restart()
    // If it has not let go after all, the open says so.
    await before?.close().catch(() => {})
    try {
      this.#native = await this.#open(false)
      this.#trouble = undefined
    } catch (cause) {
      this.#trouble = cause
      this.#native = await this.#open(true)
    }
  }

  /** Before the call counts as answered, so that nothing opens the directory anew that waits for that. */
  readonly #noteFailedSync = (cause: unknown): never => {
    if (FailedSync.is(cause)) this.#failedSync ??= cause
    throw cause
  }

  /** Waits until it can be closed. Rejects with its trouble if that is not over after all: then it stays. */
  async #untilReady(native: Engine.Database, trouble: unknown): Promise<void> {
    while ((await native.isRecovering?.()) === true) {
      const obstacle = await Reopening.obstacle(this.#path, 0)
      if (obstacle !== undefined) throw Reopening.isUnknown(trouble) ? obstacle : trouble
      await setTimeout(recoveryPollInterval)
    }
  }

  #isNoSpace(cause: unknown): boolean {
    return this.#reasonOf(cause) === "NoSpace"
  }

  #isReadOnly(cause: unknown): boolean {
    return this.#reasonOf(cause) === "ReadOnly"
  }

  #reasonOf(cause: unknown): RocksDBError.Reason["_tag"] {
    return RocksDBError.fromNative(cause, { operation: "write", path: this.#path }).reason._tag
  }
}

/** How often a write looks for what has failed without a word. */
const mostRecoveries = 4

/** In milliseconds. */
const recoveryPollInterval = 50

/** A cursor that knows when its native iterator has been ended under it. */
class RecoveringCursor implements Engine.Cursor {
  readonly #database: RecoveringDatabase
  readonly #options: Engine.CursorOptions
  readonly #onEnd: () => void
  #cursor: Engine.Cursor | undefined
  #ending: Promise<void> | undefined
  #failure: { readonly cause: unknown } | undefined

  constructor(database: RecoveringDatabase, options: Engine.CursorOptions, onEnd: () => void) {
    this.#database = database
    this.#options = options
    this.#onEnd = onEnd
  }

  next = (): Promise<ReadonlyArray<Engine.Entry>> =>
    this.#database.read((native) => {
      if (this.#failure !== undefined) throw this.#failure.cause
      this.#cursor ??= native.cursor(this.#options)
      return this.#cursor.next()
    })

  end = (): Promise<void> => {
    this.#ending ??= this.#end()
    return this.#ending
  }

  /** Ends the native iterator, if there is one, while nothing reads it; later reads fail. */
  async fail(cause: unknown): Promise<void> {
    if (this.#cursor === undefined) return
    this.#failure = { cause }
    // Its reader hears of it, if it fails.
    await this.end().catch(() => {})
  }

  async #end(): Promise<void> {
    try {
      await this.#cursor?.end()
    } finally {
      this.#onEnd()
    }
  }
}
