/**
 * The logs of one directory, for reading: those that stand there when they are
 * asked for, also the one that is being written, up to its last whole entry.
 */
import { markAsUntransferable } from "node:worker_threads"
import type { LocatedEntry, LogFile } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import * as Location from "../Location.ts"
import type { Appender } from "./Appender.ts"
import type { ScanSettings } from "./arguments.ts"
import type { Descriptors } from "./Descriptors.ts"
import { list, logPath } from "./directory.ts"
import * as Files from "./files.ts"
import { describe } from "./logFiles.ts"
import { LogScanner, type ReadLog, readHeader, type Source, type Visitor } from "./LogScanner.ts"
import type { Settings } from "./options.ts"

/** Reads the logs of one directory. */
export class Logs {
  readonly #settings: Settings
  readonly #descriptors: Descriptors
  readonly #appender: Appender | undefined

  constructor(settings: Settings, descriptors: Descriptors, appender: Appender | undefined) {
    this.#settings = settings
    this.#descriptors = descriptors
    this.#appender = appender
  }

  /** Describes each log, by their ids, but for those that are removed meanwhile. */
  async files(): Promise<ReadonlyArray<LogFile>> {
    const files: Array<LogFile> = []
    for (const id of await this.ids()) {
      const file = await this.#file(id).catch((cause: unknown) => {
        if (EntryLogError.hasReason(cause, "NotFound")) return undefined
        throw cause
      })
      if (file !== undefined) files.push(file)
    }
    return files
  }

  /** The ids of the logs, ascending. From then on, no log is read that has been removed or replaced before. */
  async ids(): Promise<ReadonlyArray<number>> {
    const { logIds } = await list(this.#settings.directory)
    await this.#descriptors.refresh()
    return logIds
  }

  /** A log as it stands now. */
  async source(operation: string, id: number): Promise<Source> {
    const { directory, maxEntrySize } = this.#settings
    const where = { operation, path: logPath(directory, id) }
    const read: ReadLog = (buffer, position, enough) =>
      this.#descriptors.use(operation, id, (descriptor) => Files.read(descriptor, buffer, position, enough))
    const log = this.#appender?.log
    const size = log?.id === id ? log.size : await this.#descriptors.use(operation, id, Files.sizeOf)
    return { read, size, header: await readHeader(read, size, where), maxEntrySize, where }
  }

  async #file(id: number): Promise<LogFile> {
    const log = this.#appender?.log
    return log?.id === id
      ? { id, size: log.size, sealed: false, ledgers: new Map(log.ledgers) }
      : describe(id, await this.source("logs", id))
  }
}

/** A scan of the logs. */
export class Scan {
  readonly #logs: Logs
  readonly #fromLog: number
  readonly #payloads: boolean
  #remaining: Array<number> | undefined
  #current: { readonly scanner: LogScanner; readonly logId: number } | undefined
  #failure: { readonly cause: unknown } | undefined

  constructor(logs: Logs, { fromLog, payloads }: ScanSettings) {
    this.#logs = logs
    this.#fromLog = fromLog
    this.#payloads = payloads
  }

  /**
   * The next entries, as many as one buffer holds; none at the end. Not called again before it has answered. What
   * comes before a failure is answered before it.
   */
  async next(): Promise<ReadonlyArray<LocatedEntry>> {
    const entries: Array<LocatedEntry> = []
    try {
      if (this.#failure === undefined) await this.#collectInto(entries)
    } catch (cause) {
      this.#failure = { cause }
    }
    if (this.#failure !== undefined && entries.length === 0) throw this.#failure.cause
    return entries
  }

  async #collectInto(entries: Array<LocatedEntry>): Promise<void> {
    this.#remaining ??= (await this.#logs.ids()).filter((id) => id >= this.#fromLog)
    while (entries.length === 0) {
      this.#current ??= await this.#open(this.#remaining.shift())
      if (this.#current === undefined) return
      const { logId, scanner } = this.#current
      if (!(await scanner.advance(this.#collect(logId, entries)))) this.#current = undefined
    }
  }

  async #open(logId: number | undefined) {
    if (logId === undefined) return undefined
    return { logId, scanner: new LogScanner(await this.#logs.source("scan", logId), this.#payloads) }
  }

  #collect(logId: number, entries: Array<LocatedEntry>): Visitor {
    return (ledgerId, entryId, position, _size, bytes, start, end) => {
      // The entries of one buffer share it, so that who transfers one of them would take the others away.
      if (entries.length === 0) markAsUntransferable(bytes.buffer)
      const payload = start === end ? empty : new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
      entries.push({ ledgerId, entryId, location: Location.fromLog(logId, position), payload })
    }
  }
}

const empty = new Uint8Array(0)
markAsUntransferable(empty.buffer)
