/**
 * The logs of one directory, for reading: those that stand there when they are
 * asked for, also the one that is being written, up to its last whole entry.
 */
import { markAsUntransferable } from "node:worker_threads"
import type { Frame, LedgerColumns, LocatedEntry, LogFile, LogSummary, PassedOver } from "../EntryLog.ts"
import * as EntryId from "../EntryId.ts"
import * as EntryLogError from "../EntryLogError.ts"
import * as LedgerId from "../LedgerId.ts"
import * as Location from "../Location.ts"
import type { ScanSettings } from "./arguments.ts"
import type { Descriptors } from "./Descriptors.ts"
import { list, logPath } from "./directory.ts"
import * as Files from "./files.ts"
import * as Format from "./format.ts"
import { describe, ledgersOf, partsOf } from "./logFiles.ts"
import { LogScanner, type Source, type Visitor } from "./LogScanner.ts"
import type { LogSequence } from "./LogSequence.ts"
import type { Settings } from "./options.ts"

/** Reads the logs of one directory. */
export class Logs {
  readonly #settings: Settings
  readonly #descriptors: Descriptors
  readonly #written: LogSequence | undefined

  /** `written` are the logs that are being written here. */
  constructor(settings: Settings, descriptors: Descriptors, written: LogSequence | undefined) {
    this.#settings = settings
    this.#descriptors = descriptors
    this.#written = written
  }

  /** Describes each log, by their ids, but for those that are removed meanwhile. */
  async files(): Promise<ReadonlyArray<LogFile>> {
    const files: Array<LogFile> = []
    for (const id of await this.ids()) {
      const file = await unlessRemoved(this.#file(id))
      if (file !== undefined) files.push(file)
    }
    return files
  }

  /** What each log is, by their ids, but for those that are removed meanwhile. */
  async summaries(): Promise<ReadonlyArray<LogSummary>> {
    const summaries: Array<LogSummary> = []
    for (const id of await this.ids()) {
      const summary = await unlessRemoved(this.#summary(id))
      if (summary !== undefined) summaries.push(summary)
    }
    return summaries
  }

  /** The ledgers of a log, a part with each call of what this answers, and none at the end. */
  async ledgers(id: number): Promise<() => Promise<LedgerColumns | undefined>> {
    const log = this.#written?.find(id)
    return log !== undefined ? partsOf(new Map(log.ledgers)) : ledgersOf(await this.source("ledgersOf", id))
  }

  /** The ids of the logs, ascending. From then on, no log is read that has been removed or replaced before. */
  async ids(): Promise<ReadonlyArray<number>> {
    const { logIds } = await list(this.#settings.directory)
    await this.#descriptors.refresh()
    return logIds
  }

  /** Where a log is. */
  path(id: number): string {
    return logPath(this.#settings.directory, id)
  }

  /** A log as it stands now. */
  async source(operation: string, id: number): Promise<Source> {
    const { maxEntrySize } = this.#settings
    const where = { operation, path: this.path(id) }
    const read: Files.ReadLog = (buffer, position, enough) =>
      this.#descriptors.use(operation, id, (descriptor) => Files.read(descriptor, buffer, position, enough))
    const size = this.#written?.find(id)?.size ?? (await this.#descriptors.use(operation, id, Files.sizeOf))
    const bytes = Buffer.allocUnsafe(Math.min(size, Format.headerSize))
    const header = Format.decodeHeader(bytes.subarray(0, await read(bytes, 0)))
    // Its writer may have sealed it since the size was read: what the header says is there by now.
    const isSealed = header._tag === "Header" && Format.isSealed(header)
    const sizeNow = isSealed ? await this.#descriptors.use(operation, id, Files.sizeOf) : size
    return { read, size: sizeNow, header, maxEntrySize, where }
  }

  async #summary(id: number): Promise<LogSummary> {
    const log = this.#written?.find(id)
    if (log !== undefined) return { id, size: log.size, sealed: false, writing: true }
    const { header, size } = await this.source("logSummaries", id)
    return { id, size, sealed: header._tag === "Header" && Format.isSealed(header), writing: false }
  }

  async #file(id: number): Promise<LogFile> {
    const log = this.#written?.find(id)
    return log !== undefined
      ? { id, size: log.size, sealed: false, ledgers: new Map(log.ledgers) }
      : describe(id, await this.source("logs", id))
  }
}

const unlessRemoved = <A>(found: Promise<A>): Promise<A | undefined> =>
  found.catch((cause: unknown) => {
    if (EntryLogError.hasReason(cause, "NotFound")) return undefined
    throw cause
  })

/** What a scan has come to: entries, and what it has passed over before or behind them. */
export interface Scanned<A> {
  readonly entries: ReadonlyArray<A>
  readonly passedOver: ReadonlyArray<PassedOver>
}

/** What a scan makes of an entry, whose payload is `bytes`, if it was read. */
export interface Made<A> {
  (
    logId: number,
    ledgerId: bigint,
    entryId: bigint,
    position: number,
    size: number,
    bytes: Buffer,
    start: number,
    end: number
  ): A
}

/** An entry, as `scan` tells of it. */
export const locatedEntry: Made<LocatedEntry> = (logId, ledgerId, entryId, position, _size, bytes, start, end) => ({
  ledgerId: LedgerId.make(ledgerId),
  entryId: EntryId.make(entryId),
  location: Location.fromLog(logId, position),
  payload: view(bytes, start, end)
})

/** An entry or a record, as `scanFrames` tells of it, with its body or without. */
export const frame =
  (bodies: boolean): Made<Frame> =>
  (logId, ledgerId, entryId, position, size, bytes, start, end) => ({
    ledgerId,
    entryId,
    location: Location.fromLog(logId, position),
    size,
    body: bodies ? view(bytes, start - Format.idsSize, end) : empty
  })

const view = (bytes: Buffer, start: number, end: number): Uint8Array =>
  start === end ? empty : new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)

/** A scan of the logs. */
export class Scan<A> {
  readonly #logs: Logs
  readonly #operation: string
  readonly #make: Made<A>
  readonly #from: { readonly logId: number; readonly position: number }
  readonly #toLog: number
  readonly #records: boolean
  readonly #payloads: boolean
  readonly #salvages: boolean
  #remaining: Array<number> | undefined
  #current: { readonly scanner: LogScanner; readonly source: Source; readonly logId: number } | undefined
  #passedOver: Array<PassedOver> = []
  #failure: { readonly cause: unknown } | undefined

  constructor(logs: Logs, operation: string, { from, payloads, records, salvage, toLog }: ScanSettings, make: Made<A>) {
    this.#logs = logs
    this.#operation = operation
    this.#make = make
    this.#from = from
    this.#toLog = toLog
    this.#records = records
    this.#payloads = payloads
    this.#salvages = salvage
  }

  /**
   * The next entries, as many as one buffer holds; none at the end. Not called again before it has answered. What
   * comes before a failure is answered before it.
   */
  async next(): Promise<Scanned<A>> {
    const entries: Array<A> = []
    try {
      if (this.#failure === undefined) await this.#collectInto(entries)
    } catch (cause) {
      this.#failure = { cause }
    }
    const passedOver = this.#passedOver
    this.#passedOver = []
    if (this.#failure !== undefined && entries.length === 0) throw this.#failure.cause
    return { entries, passedOver }
  }

  async #collectInto(entries: Array<A>): Promise<void> {
    this.#remaining ??= (await this.#logs.ids()).filter((id) => id >= this.#from.logId && id <= this.#toLog)
    while (entries.length === 0) {
      const logId = this.#current?.logId ?? this.#remaining[0]
      if (logId === undefined) return
      try {
        this.#current ??= await this.#open(logId)
        if (await this.#current.scanner.advance(this.#collect(logId, entries))) continue
      } catch (cause) {
        this.#passOverRest(logId, cause)
      }
      this.#current = undefined
      this.#remaining.shift()
    }
  }

  async #open(logId: number) {
    const source = await this.#logs.source(this.#operation, logId)
    const salvage = ({ bytes, from, why }: Omit<PassedOver, "file">): void =>
      void this.#passedOver.push({ file: source.where.path, from, bytes, why })
    const scanner = new LogScanner(source, {
      payloads: this.#payloads,
      records: this.#records,
      from: logId === this.#from.logId ? this.#from.position : undefined,
      salvage: this.#salvages ? salvage : undefined
    })
    return { logId, source, scanner }
  }
  /** Passes over what is left of a log that cannot be read, where that was asked for; else it fails. */
  #passOverRest(logId: number, cause: unknown): void {
    if (!this.#salvages || !isUnreadable(cause)) throw cause
    const from = this.#current?.scanner.position ?? 0
    const { message } = EntryLogError.fromSystem(cause, { operation: this.#operation, path: this.#logs.path(logId) })
    const bytes = Math.max(0, (this.#current?.source.size ?? 0) - from)
    this.#passedOver.push({ file: this.#logs.path(logId), from, bytes, why: message })
  }

  #collect(logId: number, entries: Array<A>): Visitor {
    const make = this.#make
    return (ledgerId, entryId, position, size, bytes, start, end) => {
      // The entries of one buffer share it, so that who transfers one of them would take the others away.
      if (entries.length === 0) markAsUntransferable(bytes.buffer)
      entries.push(make(logId, ledgerId, entryId, position, size, bytes, start, end))
    }
  }
}

/** Whether trying again would read no more: the disk is broken, or the log is not to be had. */
const isUnreadable = (cause: unknown): boolean =>
  ["EIO", "EACCES", "EPERM", "ELOOP"].some((code) => EntryLogError.hasCode(cause, code)) ||
  EntryLogError.fromSystem(cause, { operation: "scan", path: "" }).reason._tag === "NotFound"

const empty = new Uint8Array(0)
markAsUntransferable(empty.buffer)
