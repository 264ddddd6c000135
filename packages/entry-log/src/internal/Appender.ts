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
 *   one log has bytes that are not on disk.
 * - After a failed sync the kernel may have dropped the bytes and call the next
 *   one a success, so from then on every append and sync fails with that error.
 */
import type { Entry } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import type { LedgerId } from "../LedgerId.ts"
import * as Location from "../Location.ts"
import * as Files from "./files.ts"
import * as Format from "./format.ts"
import { OpenLog } from "./OpenLog.ts"
import type { Settings } from "./options.ts"

/** Appends to the logs of one directory. */
export class Appender {
  readonly #settings: Settings
  readonly #buffer = Buffer.allocUnsafe(bufferSize)
  #nextLogId: number
  #log: OpenLog | undefined
  #encoded: Encoded
  #waiting: Array<Call> = []
  #working = false
  #failure: EntryLogError.EntryLogError | undefined

  constructor(settings: Settings, nextLogId: number) {
    this.#settings = settings
    this.#nextLogId = nextLogId
    this.#encoded = encodedInto(this.#buffer)
  }

  /** The log that is being written, if there is one. Its size covers whole entries only. */
  get log(): Pick<OpenLog, "id" | "size" | "ledgers"> | undefined {
    return this.#log
  }

  /** Appends entries, each of which fits in a log. */
  append(entries: ReadonlyArray<Entry>): Promise<ReadonlyArray<Location.Location>> {
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
    try {
      if (this.#failure !== undefined) throw this.#failure
      for (const entry of call.entries) {
        const size = Format.entryHeaderSize + entry.payload.length
        const log = this.#logFor(size) ?? (await this.#makeRoom(size))
        this.#encode(call, log, entry)
      }
      this.#encoded.calls.push(call)
    } catch (cause) {
      call.reject(cause)
    }
  }

  /** The log, if it and the buffer have room for so many bytes more. */
  #logFor(size: number): OpenLog | undefined {
    const log = this.#log
    const end = this.#encoded.length + size
    return log !== undefined && end <= this.#encoded.bytes.length && log.size + end <= this.#settings.maxLogSize
      ? log
      : undefined
  }

  #encode(call: Call, log: OpenLog, { entryId, ledgerId, payload }: Entry): void {
    const { bytes, ledgerIds, length, view } = this.#encoded
    call.locations.push(Location.fromLog(log.id, log.size + length + Format.sizeFieldSize))
    this.#encoded.length = Format.encodeEntry(bytes, view, length, ledgerId, entryId, payload)
    ledgerIds.push(ledgerId)
  }

  async #makeRoom(size: number): Promise<OpenLog> {
    await this.#write()
    if (this.#log !== undefined && this.#log.size + size > this.#settings.maxLogSize) await this.#seal(this.#log)
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
    while (this.#nextLogId <= Location.maxLogId) {
      const log = await OpenLog.create(directory, this.#nextLogId)
      if (log !== undefined) {
        this.#log = log
        this.#nextLogId += 1
        await this.#onDisk(Files.syncDirectory(directory))
        return log
      }
      this.#nextLogId += 1
    }
    throw EntryLogError.invalidArgument(
      "lastId, or the name of a log, is the largest that a log can have. Go on in another directory.",
      { operation: "append", path: directory }
    )
  }

  /** Waits for a sync, and remembers its failure for good. */
  async #onDisk(sync: Promise<void>): Promise<void> {
    try {
      await sync
    } catch (cause) {
      this.#failure ??= EntryLogError.fromSystem(cause, { operation: "sync", path: this.#settings.directory })
      throw this.#failure
    }
  }
}

/** In bytes. */
const bufferSize = 1024 * 1024

interface Call {
  readonly entries: ReadonlyArray<Entry>
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
