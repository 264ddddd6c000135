/**
 * Appends to the logs of one directory, one write after another.
 *
 * - Calls that arrive while a write runs wait in their order and share the next
 *   one. What waits is bounded by the fibers that wait; what is encoded, by one
 *   buffer, or one entry where that is larger.
 * - A call is answered once the operating system has all of its entries, so
 *   that they can be read. A failed write leaves nothing of its bytes behind and
 *   fails the calls whose entries were in it; later calls are tried afresh.
 * - The log is rolled over when the next entry would take it past its largest
 *   size: it is sealed and on disk before the next one is created. So at most
 *   one log has bytes that are not on disk. An entry that is larger than a log
 *   may be gets one of its own, as in BookKeeper.
 * - Frames are written as they are handed over, whole in one log where a log has
 *   room for them, and else in logs of their own, which are removed again if that
 *   fails: they are there all, or none.
 * - After a failed sync the kernel may have dropped the bytes and call the next
 *   one a success, so from then on every append and sync fails with that error.
 *   What was refused before a sync was tried fails alone. The same goes for
 *   frames that failed and cannot be taken back: what came after them would be
 *   read after them.
 */
import * as Fs from "node:fs/promises"
import type { Preamble } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import * as Location from "../Location.ts"
import type { Addition } from "./arguments.ts"
import { logPath } from "./directory.ts"
import * as Files from "./files.ts"
import * as Format from "./format.ts"
import * as Frames from "./frames.ts"
import type { LogSequence } from "./LogSequence.ts"
import type { OpenLog } from "./OpenLog.ts"
import type { Settings } from "./options.ts"
import type { Counts } from "./Statistics.ts"

/** Appends to the logs of one directory. */
export class Appender {
  readonly #settings: Settings
  readonly #sequence: LogSequence
  readonly #preamble: Preamble | undefined
  readonly #statistics: Counts
  #buffer = noBytes
  #log: OpenLog | undefined
  #encoded: Encoded
  #waiting: Array<Call | Task> = []
  #working = false
  #closed = false
  #failure: EntryLogError.EntryLogError | undefined

  constructor(settings: Settings, sequence: LogSequence, preamble: Preamble | undefined, statistics: Counts) {
    this.#settings = settings
    this.#sequence = sequence
    this.#preamble = preamble
    this.#statistics = statistics
    this.#encoded = encodedInto(this.#buffer)
  }

  /** Appends entries. */
  append(entries: ReadonlyArray<Addition>): Promise<ReadonlyArray<Location.Location>> {
    return new Promise((resolve, reject) => this.#enqueue({ entries, locations: [], resolve, reject }))
  }

  /** Appends frames, all or none, and answers the location of each. Nothing may change them until then. */
  appendFrames(frames: Frames.Frames): Promise<BigInt64Array> {
    return this.#alone(async () => {
      if (this.#failure !== undefined) throw this.#failure
      if (frames.count === 0) return new BigInt64Array()
      const log = await this.#logForFrames(frames)
      return this.#fits(log, frames) ? this.#writeFrames(log, frames) : this.#spread(frames)
    })
  }

  /** Seals the log that is being written, if it has entries, behind everything that was appended before. */
  rollOver(): Promise<void> {
    return this.#alone(async () => {
      if (this.#failure !== undefined) throw this.#failure
      const log = this.#log
      if (log !== undefined && log.size > log.begin) await this.#seal(log)
    })
  }

  /** Settles when everything that has been appended is on disk. */
  async sync(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const log = this.#log
    if (log !== undefined) await this.#onDisk(log.sync())
  }

  /** Closes the log. Nothing may be in flight, nor be asked for again. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#leave()
  }

  /** Seals the log and closes it, once what is in flight has been done. Whatever comes after is refused. */
  async finish(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      await this.rollOver()
    } finally {
      await this.#leave()
    }
  }

  /** Whether nothing is appended here any more. */
  get isClosed(): boolean {
    return this.#closed
  }

  async #leave(): Promise<void> {
    const log = this.#log
    this.#log = undefined
    if (log === undefined) return
    this.#sequence.leave(log)
    await log.close()
  }

  /** Runs behind everything that was asked for before, and before anything that is asked for after. */
  #alone<A>(run: () => Promise<A>): Promise<A> {
    return new Promise((resolve, reject) => this.#enqueue({ run: () => run().then(resolve, reject) }))
  }

  #enqueue(call: Call | Task): void {
    this.#waiting.push(call)
    if (!this.#working) void this.#work()
  }

  async #work(): Promise<void> {
    this.#working = true
    while (this.#waiting.length > 0) {
      const calls = this.#waiting
      this.#waiting = []
      for (const call of calls) {
        if ("entries" in call) {
          await this.#encodeCall(call)
          continue
        }
        await this.#write().catch(() => {})
        await call.run()
      }
      await this.#write().catch(() => {})
    }
    this.#working = false
  }

  /** The log that frames go to: the one that is being written if it has room for them all, or else a new one. */
  async #logForFrames(frames: Frames.Frames): Promise<OpenLog> {
    const log = this.#log
    if (log !== undefined && log.size > log.begin && !this.#fits(log, frames)) await this.#seal(log)
    return this.#log ?? (await this.#create())
  }

  /** Whether frames have room in a log. One without entries takes any single one. */
  #fits(log: OpenLog, { bytes, count }: Frames.Frames): boolean {
    return log.size + bytes.length <= this.#settings.maxLogSize || (log.size === log.begin && count === 1)
  }

  async #writeFrames(log: OpenLog, frames: Frames.Frames): Promise<BigInt64Array> {
    const locations = new BigInt64Array(frames.count)
    await this.#writePart(log, frames, 0, frames.bytes.length, locations, 0)
    return locations
  }

  /** Writes the frames between two offsets, fills in their locations from an index on, and answers the next index. */
  async #writePart(
    log: OpenLog,
    { bytes, view }: Frames.Frames,
    from: number,
    to: number,
    locations: BigInt64Array,
    index: number
  ): Promise<number> {
    if (from === to) return index
    const base = Location.fromLog(log.id, log.size + Format.sizeFieldSize)
    try {
      await this.#change(log, log.append(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to)))
    } catch (cause) {
      if (log.torn) this.#failure ??= EntryLogError.notTakenBack(cause, this.#settings.directory)
      throw cause
    }
    this.#statistics.appendedEntries += Frames.countInto(log.ledgers, view, from, to)
    this.#statistics.appendedBytes += to - from
    let next = index
    for (let offset = from; offset < to; offset = Frames.endOf(view, offset)) {
      locations[next++] = base + BigInt(offset - from)
    }
    return next
  }

  /** Writes frames that no log has room for to logs of their own, from one without entries on. */
  async #spread(frames: Frames.Frames): Promise<BigInt64Array> {
    const { bytes, count, view } = frames
    const locations = new BigInt64Array(count)
    const filled: Array<OpenLog> = []
    try {
      let index = 0
      for (let from = 0; from < bytes.length;) {
        const log = this.#log ?? (await this.#create())
        filled.push(log)
        let to = Frames.endOf(view, from)
        while (to < bytes.length && log.size + Frames.endOf(view, to) - from <= this.#settings.maxLogSize) {
          to = Frames.endOf(view, to)
        }
        index = await this.#writePart(log, frames, from, to, locations, index)
        if (to < bytes.length) await this.#seal(log)
        from = to
      }
      return locations
    } catch (cause) {
      await this.#takeBack(filled)
      throw cause
    }
  }

  /** Removes logs that hold nothing but frames of which the rest could not be written. */
  async #takeBack(logs: ReadonlyArray<OpenLog>): Promise<void> {
    const { directory } = this.#settings
    try {
      await this.#leave()
      for (const { id } of logs) await Fs.rm(logPath(directory, id), { force: true })
      await Files.syncDirectory(directory)
    } catch (cause) {
      this.#failure ??= EntryLogError.notTakenBack(cause, directory)
    }
  }

  /** Encodes the entries of a call, and writes whenever the buffer or the log is full. */
  async #encodeCall(call: Call): Promise<void> {
    const before = this.#encoded
    const { length } = before
    try {
      if (this.#failure !== undefined) throw this.#failure
      for (const entry of call.entries) {
        const size = Format.entryHeaderSize + entry.length
        const log = this.#logFor(size) ?? (await this.#makeRoom(size))
        this.#encode(call, log, entry)
      }
      this.#encoded.calls.push(call)
    } catch (cause) {
      // Nothing is written of what failed, but for what was written before; that is of this call alone.
      if (this.#encoded === before) before.length = length
      else this.#encoded.length = 0
      call.reject(cause)
    }
  }

  /** The log, if it and the buffer have room for an entry of so many bytes behind what is encoded. */
  #logFor(size: number): OpenLog | undefined {
    const { bytes, length } = this.#encoded
    return length + size <= bytes.length && this.#hasRoom(length, size) ? this.#log : undefined
  }

  /** Whether there is a log that takes so many bytes behind those that are encoded. One without entries takes any. */
  #hasRoom(encoded: number, size: number): boolean {
    if (this.#log === undefined) return false
    const end = this.#log.size + encoded
    return end + size <= this.#settings.maxLogSize || end === this.#log.begin
  }

  #encode(call: Call, log: OpenLog, entry: Addition): void {
    const { entryId, ledgerId, payload } = entry
    if (payload.length !== entry.length) throw this.#changed(entry)
    const { bytes, length, view } = this.#encoded
    call.locations.push(Location.fromLog(log.id, log.size + length + Format.sizeFieldSize))
    this.#encoded.length = Format.encodeEntry(bytes, view, length, ledgerId, entryId, payload, entry.length)
  }

  async #makeRoom(size: number): Promise<OpenLog> {
    await this.#write()
    if (this.#log !== undefined && !this.#hasRoom(0, size)) await this.#seal(this.#log)
    if (this.#buffer.length === 0) {
      this.#buffer = Buffer.allocUnsafe(bufferSize)
      this.#encoded = encodedInto(this.#buffer)
    }
    if (size > this.#encoded.bytes.length) this.#encoded = encodedInto(Buffer.allocUnsafe(size))
    return this.#log ?? (await this.#create())
  }

  /** Writes what is encoded, and settles the calls that this completes. */
  async #write(): Promise<void> {
    const { bytes, calls, length, view } = this.#encoded
    if (calls.length === 0 && length === 0) return
    const log = this.#log
    this.#encoded = encodedInto(this.#buffer)
    try {
      if (log !== undefined && length > 0) {
        await this.#change(log, log.append(bytes.subarray(0, length)))
        this.#statistics.appendedEntries += Frames.countInto(log.ledgers, view, 0, length)
        this.#statistics.appendedBytes += length
      }
      for (const call of calls) call.resolve(call.locations)
    } catch (cause) {
      for (const call of calls) call.reject(cause)
      throw cause
    }
  }

  async #seal(log: OpenLog): Promise<void> {
    await this.#change(log, log.seal())
    await this.#onDisk(log.sync())
    await this.#leave()
  }

  /** Waits for a change of the log. A log that it has torn is brought to disk as far as it goes, and left. */
  async #change(log: OpenLog, change: Promise<void>): Promise<void> {
    try {
      await change
    } catch (cause) {
      if (log.torn) {
        await this.#onDisk(log.sync())
        await this.#leave()
      }
      throw cause
    }
  }

  #create(): Promise<OpenLog> {
    return this.#sequence.create(this.#preamble, async (log, syncNames) => {
      this.#log = log
      this.#statistics.createdLogs += 1
      await this.#onDisk(syncNames())
    })
  }

  #changed({ entryId, ledgerId, length, payload }: Addition): EntryLogError.EntryLogError {
    return EntryLogError.invalidArgument(
      `the payload of entry ${entryId} of ledger ${ledgerId} had ${length} bytes when it was handed over, and has ` +
        `${payload.length} now. Leave it alone until it has been appended, or hand over a copy.`,
      { operation: "append", path: this.#settings.directory }
    )
  }

  /** Waits for a sync, and remembers its failure for good. */
  async #onDisk(sync: Promise<void>): Promise<void> {
    const begin = performance.now()
    try {
      await sync
      this.#statistics.syncs += 1
      this.#statistics.syncSeconds += (performance.now() - begin) / 1000
    } catch (cause) {
      this.#statistics.failedSyncs += 1
      this.#failure ??= EntryLogError.failedSync(cause, this.#settings.directory)
      throw this.#failure
    }
  }
}

/** In bytes. */
const bufferSize = 1024 * 1024

const noBytes = Buffer.alloc(0)

/** Something that is done alone. It does not reject. */
interface Task {
  readonly run: () => Promise<void>
}

interface Call {
  readonly entries: ReadonlyArray<Addition>
  readonly locations: Array<Location.Location>
  readonly resolve: (locations: ReadonlyArray<Location.Location>) => void
  readonly reject: (cause: unknown) => void
}

/** Entries that are encoded and not written yet, and the calls that they complete. */
interface Encoded {
  readonly bytes: Buffer
  readonly view: DataView
  readonly calls: Array<Call>
  /** In bytes. */
  length: number
}

const encodedInto = (bytes: Buffer): Encoded => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
  calls: [],
  length: 0
})
