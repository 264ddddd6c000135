/**
 * Walks through the entries of one log in the order of their positions, a
 * bounded buffer at a time.
 *
 * - A size of zero or less is padding: the walk moves on by one byte.
 * - What has a negative ledger id, such as the ledgers map, is skipped.
 * - An entry that runs past the end of the file is the torn tail of a crash:
 *   the walk ends before it.
 * - What no writer could have written fails with `Corruption`: a size that
 *   holds no ids or is above the largest entry, an entry that runs into the
 *   ledgers map of a sealed log, an entry behind a blank header, a header of
 *   another kind. So no size is trusted with more memory than the largest entry.
 * - A log without a header is one that was being created when its writer
 *   stopped. It has no entries.
 */
import * as EntryId from "../EntryId.ts"
import * as EntryLogError from "../EntryLogError.ts"
import * as LedgerId from "../LedgerId.ts"
import * as Format from "./format.ts"

/** Reads from a log like `Files.read`. */
export interface ReadLog {
  (buffer: Uint8Array, position: number, enough?: number | undefined): Promise<number>
}

/** A log to scan. */
export interface Source {
  readonly read: ReadLog
  /** How many bytes of the file there are to scan. */
  readonly size: number
  readonly header: Format.Header | "blank"
  /** The largest entry, ids included. */
  readonly maxEntrySize: number
  readonly where: EntryLogError.Where
}

/** Is told of an entry; its payload is the bytes from `start` to `end`, which nothing changes any more. */
export interface Visitor {
  (
    ledgerId: LedgerId.LedgerId,
    entryId: EntryId.EntryId,
    position: number,
    size: number,
    bytes: Buffer,
    start: number,
    end: number
  ): void
}

/** Reads the header of a log of some size, or fails with `Corruption`. */
export const readHeader = async (
  read: ReadLog,
  size: number,
  where: EntryLogError.Where
): Promise<Format.Header | "blank"> => {
  const bytes = Buffer.allocUnsafe(Math.min(size, Format.headerSize))
  const count = await read(bytes, 0)
  const header = Format.decodeHeader(bytes.subarray(0, count))
  if (header === "blank" || !("problem" in header)) return header
  throw EntryLogError.corruption(header.problem, where)
}

/** A walk through one log. */
export class LogScanner {
  readonly #source: Source
  readonly #payloads: boolean
  #limit: number
  #buffer = Buffer.alloc(0)
  #view = viewOf(this.#buffer)
  /** How large the buffer must be to hold the next entry. */
  #needed = 0
  /** What the buffer holds: `#filled` bytes from position `#start`. */
  #start: number = Format.headerSize
  #filled = 0
  /** Where the walk is. */
  #position: number = Format.headerSize

  /** Without `payloads`, they are skipped, and `start` is `end`. */
  constructor(source: Source, payloads: boolean) {
    this.#source = source
    this.#payloads = payloads
    this.#limit = source.size
  }

  /** Visits some entries, possibly none, and answers whether there may be more. */
  async advance(visit: Visitor): Promise<boolean> {
    await this.#fill()
    while (true) {
      const offset = this.#skipPadding(this.#position - this.#start)
      this.#position = this.#start + offset
      if (this.#limit - this.#position < Format.entryHeaderSize) return false
      if (this.#filled - offset < Format.entryHeaderSize) return true
      const size = this.#view.getInt32(offset)
      const end = this.#position + Format.sizeFieldSize + size
      if (this.#crossesMap(end)) this.#fail("runs into the ledgers map, although the log was sealed")
      if (end > this.#limit) return false
      const skipped = this.#view.getInt32(offset + 4) < 0
      if (!skipped) {
        this.#check(size)
        const payloadEnd = offset + (this.#payloads ? Format.sizeFieldSize + size : Format.entryHeaderSize)
        if (payloadEnd > this.#filled) {
          this.#needed = payloadEnd - offset
          return true
        }
        visit(
          LedgerId.make(this.#view.getBigInt64(offset + 4)),
          this.#entryId(offset + 12),
          this.#position + Format.sizeFieldSize,
          size,
          this.#buffer,
          offset + Format.entryHeaderSize,
          payloadEnd
        )
      }
      this.#position = end
    }
  }

  /** Fills the buffer from where the walk is. Where payloads are asked for it is a new one, since they stay in it. */
  async #fill(): Promise<void> {
    const wanted = Math.min(Math.max(this.#needed, bufferSize), Math.max(this.#limit - this.#position, 0))
    if (this.#payloads || this.#buffer.length < wanted) {
      this.#buffer = Buffer.allocUnsafeSlow(wanted)
      this.#view = viewOf(this.#buffer)
    }
    this.#needed = 0
    this.#filled = await this.#source.read(this.#buffer.subarray(0, wanted), this.#position)
    this.#start = this.#position
    // The file has become shorter, as when its writer cuts off what a failed write left behind.
    if (this.#filled < wanted) this.#limit = this.#start + this.#filled
  }

  #skipPadding(offset: number): number {
    const end = this.#filled - Format.sizeFieldSize
    let next = offset
    while (next <= end && this.#view.getInt32(next) <= 0) next += 1
    return next
  }

  #check(size: number): void {
    const { header, maxEntrySize } = this.#source
    if (size < Format.idsSize) this.#fail(`has a size of ${size}, which holds no ids`)
    if (size > maxEntrySize) this.#fail(`has ${size} bytes, and maxEntrySize allows ${maxEntrySize}`)
    if (header === "blank") this.#fail("stands behind a header that was never written")
  }

  /** Whether an entry from here to `end` runs into the ledgers map. One that is not within the file does not count. */
  #crossesMap(end: number): boolean {
    const { header } = this.#source
    return (
      header !== "blank" &&
      this.#position < header.mapOffset &&
      header.mapOffset < end &&
      header.mapOffset < this.#limit
    )
  }

  #entryId(offset: number): EntryId.EntryId {
    const entryId = this.#view.getBigInt64(offset)
    return EntryId.is(entryId) ? entryId : this.#fail(`has the id ${entryId}, which no entry has`)
  }

  #fail(problem: string): never {
    throw EntryLogError.corruption(`the entry at byte ${this.#position} ${problem}`, this.#source.where)
  }
}

/** In bytes. */
const bufferSize = 256 * 1024

const viewOf = (buffer: Buffer): DataView => new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
