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
 * - After a failed sync the kernel may have dropped the bytes and call the next
 *   one a success, so from then on every append and sync fails with that error.
 *   What was refused before a sync was tried fails alone.
 */
import * as EntryLogError from "../EntryLogError.ts"
import type { LedgerId } from "../LedgerId.ts"
import * as Location from "../Location.ts"
import type { Addition } from "./arguments.ts"
import * as Files from "./files.ts"
import * as Format from "./format.ts"
import type { Lock } from "./lock.ts"
import { OpenLog } from "./OpenLog.ts"
import type { Settings } from "./options.ts"
import type { Counts } from "./Statistics.ts"

/** Appends to the logs of one directory. */
export class Appender {
  readonly #settings: Settings
  readonly #lock: Lock
  readonly #statistics: Counts
  readonly #buffer = Buffer.allocUnsafe(bufferSize)
  #nextLogId: number
  #log: OpenLog | undefined
  #encoded: Encoded
  #waiting: Array<Call> = []
  #working = false
  #failure: EntryLogError.EntryLogError | undefined

  constructor(settings: Settings, lock: Lock, nextLogId: number, statistics: Counts) {
    this.#settings = settings
    this.#lock = lock
    this.#statistics = statistics
    this.#nextLogId = nextLogId
    this.#encoded = encodedInto(this.#buffer)
  }

  /** The log that is being written, if there is one. Its size covers whole entries only. */
  get log(): Pick<OpenLog, "id" | "size" | "ledgers"> | undefined {
    return this.#log
  }

  /** Appends entries. */
  append(entries: ReadonlyArray<Addition>): Promise<ReadonlyArray<Location.Location>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entries, locations: [], resolve, reject })
      if (!this.#working) void this.#work()
    })
  }

  /** Settles when everything that has been appended is on disk. */
  async sync(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const log = this.#log
    if (log !== undefined) await this.#onDisk(log.sync())
  }

  /** Closes the log. Nothing may be in flight. */
  async close(): Promise<void> {
    const log = this.#log
    this.#log = undefined
    await log?.close()
  }

  async #work(): Promise<void> {
    this.#working = true
    while (this.#waiting.length > 0) {
      const calls = this.#waiting
      this.#waiting = []
      for (const call of calls) await this.#encodeCall(call)
      await this.#write().catch(() => {})
    }
    this.#working = false
  }

  /** Encodes the entries of a call, and writes whenever the buffer or the log is full. */
  async #encodeCall(call: Call): Promise<void> {
    const before = this.#encoded
    const { length } = before
    const { length: count } = before.ledgerIds
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
      if (this.#encoded === before) this.#cutOff(length, count)
      else this.#cutOff(0, 0)
      call.reject(cause)
    }
  }

  /** Leaves so many bytes, and entries, of what is encoded. */
  #cutOff(length: number, count: number): void {
    this.#encoded.length = length
    this.#encoded.ledgerIds.length = count
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
    return end + size <= this.#settings.maxLogSize || end === Format.headerSize
  }

  #encode(call: Call, log: OpenLog, entry: Addition): void {
    const { entryId, ledgerId, payload } = entry
    if (payload.length !== entry.length) throw this.#changed(entry)
    const { bytes, ledgerIds, length, view } = this.#encoded
    call.locations.push(Location.fromLog(log.id, log.size + length + Format.sizeFieldSize))
    this.#encoded.length = Format.encodeEntry(bytes, view, length, ledgerId, entryId, payload, entry.length)
    ledgerIds.push(ledgerId)
  }

  async #makeRoom(size: number): Promise<OpenLog> {
    await this.#write()
    if (this.#log !== undefined && !this.#hasRoom(0, size)) await this.#seal(this.#log)
    if (size > this.#encoded.bytes.length) this.#encoded = encodedInto(Buffer.allocUnsafe(size))
    return this.#log ?? (await this.#create())
  }

  /** Writes what is encoded, and settles the calls that this completes. */
  async #write(): Promise<void> {
    const { bytes, calls, ledgerIds, length, view } = this.#encoded
    const log = this.#log
    this.#encoded = encodedInto(this.#buffer)
    try {
      if (log !== undefined && length > 0) {
        await this.#change(log, log.append(bytes.subarray(0, length)))
        countLedgers(log.ledgers, ledgerIds, view)
        this.#statistics.appendedEntries += ledgerIds.length
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
    await this.close()
  }

  /** Waits for a change of the log. A log that it has torn is brought to disk as far as it goes, and left. */
  async #change(log: OpenLog, change: Promise<void>): Promise<void> {
    try {
      await change
    } catch (cause) {
      if (log.torn) {
        await this.#onDisk(log.sync())
        await this.close()
      }
      throw cause
    }
  }

  async #create(): Promise<OpenLog> {
    const { directory } = this.#settings
    await this.#lock.check()
    return Files.withDirectory(directory, async (syncNames) => {
      while (this.#nextLogId <= Location.maxLogId) {
        const log = await OpenLog.create(directory, this.#nextLogId)
        this.#nextLogId += 1
        if (log === undefined) continue
        this.#log = log
        this.#statistics.createdLogs += 1
        await this.#onDisk(syncNames())
        return log
      }
      throw EntryLogError.invalidArgument(
        "lastId, or the name of a log, is the largest that a log can have. Go on in another directory.",
        { operation: "append", path: directory }
      )
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
  /** The ledger of each entry. */
  readonly ledgerIds: Array<LedgerId>
  /** In bytes. */
  length: number
}

const encodedInto = (bytes: Buffer): Encoded => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
  calls: [],
  ledgerIds: [],
  length: 0
})

const countLedgers = (ledgers: Map<LedgerId, number>, ledgerIds: ReadonlyArray<LedgerId>, view: DataView): void => {
  let offset = 0
  for (const ledgerId of ledgerIds) {
    const size = Format.sizeFieldSize + view.getInt32(offset)
    ledgers.set(ledgerId, (ledgers.get(ledgerId) ?? 0) + size)
    offset += size
  }
}
