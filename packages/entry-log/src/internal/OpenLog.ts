/**
 * The one log that is being written.
 *
 * - `size` counts the bytes that are written whole; what a failed write left
 *   behind them is cut off, and a log that cannot be cut off is not written to
 *   again.
 * - A log is sealed by its ledgers map, and then by the header that points to
 *   it. A failed seal may be tried again, unless it got as far as the header.
 * - Callers that arrive while a sync runs share the next one.
 */
import type { LedgerId } from "../LedgerId.ts"
import * as Fs from "node:fs/promises"
import * as EntryLogError from "../EntryLogError.ts"
import { logPath, writeLastId } from "./directory.ts"
import * as Files from "./files.ts"
import * as Format from "./format.ts"

/** A log that is open for writing. */
export class OpenLog {
  readonly id: number
  /** Where its entries begin: behind the header, and the records that its writer begins a log with. */
  readonly begin: number
  /** In bytes. */
  size: number
  /** How many bytes each ledger takes up. Without entries there are none. */
  readonly ledgers = new Map<LedgerId, number>()
  /** Whether a failed write left something behind, so that the log must not be written to again. */
  torn = false
  readonly #descriptor: number
  #synced = 0
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  private constructor(id: number, descriptor: number, begin: number) {
    this.id = id
    this.begin = begin
    this.size = begin
    this.#descriptor = descriptor
  }

  /**
   * Creates a log that begins with some records. Answers `undefined` if there is a file with its name, which is left as
   * it is.
   */
  static async create(directory: string, id: number, records?: Uint8Array): Promise<OpenLog | undefined> {
    await writeLastId(directory, id)
    const path = logPath(directory, id)
    const descriptor = await Files.open(path, "wx").catch((cause: unknown) => {
      if (EntryLogError.hasCode(cause, "EEXIST")) return undefined
      throw cause
    })
    if (descriptor === undefined) return undefined
    try {
      const header = Format.encodeHeader()
      const bytes = records === undefined ? header : Buffer.concat([header, records])
      await Files.write(descriptor, bytes, 0)
      return new OpenLog(id, descriptor, bytes.length)
    } catch (cause) {
      await Files.close(descriptor)
      // Where that fails, what is left is no log, and its id is not taken again.
      await Fs.rm(path, { force: true }).catch(() => {})
      throw cause
    }
  }

  /** Appends bytes whole, or leaves nothing of them and fails. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes, this.size)
    this.size += bytes.length
  }

  /** Settles when everything that has been appended before this call is on disk. */
  sync(): Promise<void> {
    if (this.#next !== undefined) return this.#next
    if (this.#running === undefined) return this.#start()
    // The sync under way may have passed the bytes of this caller already.
    this.#next = this.#running.catch(() => {}).then(() => this.#start())
    return this.#next
  }

  /** Appends the ledgers map and fills in the header. */
  async seal(): Promise<void> {
    let end = this.size
    for (const part of Format.encodeMap(this.ledgers)) {
      await this.#write(part, end)
      end += part.length
    }
    const fields = Format.encodeMapFields({ mapOffset: this.size, ledgerCount: this.ledgers.size })
    try {
      await Files.write(this.#descriptor, fields, Format.mapFieldsOffset)
    } catch (cause) {
      this.torn = true
      throw cause
    }
    this.size = end
  }

  /** Closes the file once no sync is under way. */
  async close(): Promise<void> {
    await (this.#next ?? this.#running)?.catch(() => {})
    await Files.close(this.#descriptor)
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      await Files.write(this.#descriptor, bytes, position)
    } catch (cause) {
      await Files.truncate(this.#descriptor, this.size).catch(() => {
        this.torn = true
      })
      throw cause
    }
  }

  #start(): Promise<void> {
    this.#next = undefined
    const running = this.#flush().finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  async #flush(): Promise<void> {
    const size = this.size
    if (this.#synced >= size) return
    await Files.fdatasync(this.#descriptor)
    this.#synced = size
  }
}
