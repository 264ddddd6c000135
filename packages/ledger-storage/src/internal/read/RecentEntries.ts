/**
 * The entries that came last, in a ring of bytes: what readers at the tail of a
 * ledger ask for.
 *
 * - Frames are copied in as they were written, and payloads copied out, so
 *   nobody's memory is held. The oldest go when room is needed.
 * - Of each ledger it has consecutive entries.
 * - The limit covers what finding an entry takes, too.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type { Entry } from "../../LedgerStorage.ts"
import * as EntryFrame from "../format/EntryFrame.ts"

/** The entries that came last. */
export class RecentEntries {
  /** In bytes. */
  readonly #limit: number
  /** Allocated with the first entry. */
  #ring: Ring | undefined
  readonly #ledgers = new Map<bigint, Positions>()
  #entries = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many bytes it takes up, about. */
  get bytes(): number {
    return (this.#ring?.used ?? 0) + this.#overhead
  }

  /** Adds the frames of consecutive entries of a ledger, which must be its last ones. */
  add(ledgerId: LedgerId.LedgerId, from: bigint, frames: Uint8Array): void {
    if (frames.length + ledgerOverhead > this.#limit) return
    const ring = (this.#ring ??= new Ring(this.#limit))
    const needed = ring.neededFor(frames.length)
    while (ring.used > 0 && ring.used + needed > this.#limit) this.#dropOldest(ring)
    const positions = this.#positionsFor(ledgerId, from)
    const start = ring.append(frames)
    for (let at = start; at < start + frames.length; at += ring.frameSize(at)) {
      positions.push(at)
      this.#entries += 1
    }
    while (this.bytes > this.#limit) this.#dropOldest(ring)
  }

  /** The payload of an entry, as a copy; `undefined` if it is not here. */
  payload(ledgerId: LedgerId.LedgerId, entryId: EntryId.EntryId): Uint8Array | undefined {
    const position = this.#ledgers.get(ledgerId)?.get(entryId)
    return position === undefined ? undefined : this.#ring?.payload(position)
  }

  /** Entries from one id to another as far as they are here one after another, and so many bytes of them at the most. */
  read(ledgerId: LedgerId.LedgerId, from: bigint, to: bigint, maxBytes: number): ReadonlyArray<Entry> {
    const positions = this.#ledgers.get(ledgerId)
    const entries: Array<Entry> = []
    let bytes = 0
    for (let entryId = from; entryId <= to && bytes < maxBytes; entryId += 1n) {
      const position = positions?.get(entryId)
      const payload = position === undefined ? undefined : this.#ring?.payload(position)
      if (payload === undefined) break
      entries.push({ ledgerId, entryId: EntryId.make(entryId), payload })
      bytes += EntryFrame.frameSize(payload)
    }
    return entries
  }

  /** Forgets a ledger. */
  forget(ledgerId: LedgerId.LedgerId): void {
    const positions = this.#ledgers.get(ledgerId)
    if (positions === undefined) return
    this.#entries -= positions.size
    this.#ledgers.delete(ledgerId)
  }

  get #overhead(): number {
    return this.#ledgers.size * ledgerOverhead + this.#entries * entryOverhead
  }

  /** Where entries of a ledger are put that begin with an id. */
  #positionsFor(ledgerId: LedgerId.LedgerId, from: bigint): Positions {
    const known = this.#ledgers.get(ledgerId)
    if (known?.next === from) return known
    // Those before the gap are of no use.
    this.forget(ledgerId)
    const positions = new Positions(from)
    this.#ledgers.set(ledgerId, positions)
    return positions
  }

  #dropOldest(ring: Ring): void {
    const position = ring.oldest
    const ledgerId = ring.ledgerIdAt(position)
    const positions = this.#ledgers.get(ledgerId)
    ring.dropOldest()
    if (positions?.dropFirst(position) !== true) return
    this.#entries -= 1
    if (positions.size === 0) this.#ledgers.delete(ledgerId)
  }
}

/** What a ledger takes up, in bytes, about. */
const ledgerOverhead = 256

/** What an entry takes up beside its frame, in bytes, about. */
const entryOverhead = 16

/** Where the frames of consecutive entries of one ledger are. */
class Positions {
  /** The id of the entry that the first slot is for. */
  #base: bigint
  #slots: Array<number> = []
  /** How many slots at the beginning are empty again. */
  #dropped = 0

  constructor(from: bigint) {
    this.#base = from
  }

  get size(): number {
    return this.#slots.length - this.#dropped
  }

  /** The id of the entry that would come next. */
  get next(): bigint {
    return this.#base + BigInt(this.#slots.length)
  }

  push(position: number): void {
    this.#slots.push(position)
  }

  get(entryId: bigint): number | undefined {
    const slot = Number(entryId - this.#base)
    return slot < this.#dropped ? undefined : this.#slots[slot]
  }

  /** Drops the first entry if it is the one at that position. */
  dropFirst(position: number): boolean {
    if (this.#slots[this.#dropped] !== position) return false
    this.#dropped += 1
    if (this.#dropped > 1024 && this.#dropped * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#dropped)
      this.#base += BigInt(this.#dropped)
      this.#dropped = 0
    }
    return true
  }
}

/** Frames one after another, in a circle. A position counts all bytes ever, so it says whether it is still there. */
class Ring {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #oldest = 0
  #next = 0

  constructor(size: number) {
    this.#bytes = new Uint8Array(size)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** How many bytes are taken, with those that were skipped at the end of the circle. */
  get used(): number {
    return this.#next - this.#oldest
  }

  /** The position of the oldest frame. */
  get oldest(): number {
    return this.#oldest
  }

  /** How many bytes so many would take: frames that do not fit before the end of the circle stand at its beginning. */
  neededFor(length: number): number {
    const left = this.#leftAt(this.#next)
    return length <= left ? length : left + length
  }

  /** Copies frames in, for which room has been made. Answers the position of the first. */
  append(frames: Uint8Array): number {
    const left = this.#leftAt(this.#next)
    if (frames.length > left) {
      if (this.used === 0) this.#oldest += left
      else if (left >= EntryFrame.sizeFieldSize) this.#view.setInt32(this.#offset(this.#next), skipped)
      this.#next += left
    }
    const start = this.#next
    this.#bytes.set(frames, this.#offset(start))
    this.#next += frames.length
    return start
  }

  /** Drops the oldest frame. */
  dropOldest(): void {
    this.#oldest += this.frameSize(this.#oldest)
    const left = this.#leftAt(this.#oldest)
    const isSkipped = left < EntryFrame.sizeFieldSize || this.#view.getInt32(this.#offset(this.#oldest)) === skipped
    if (this.used > 0 && isSkipped) this.#oldest += left
  }

  frameSize(position: number): number {
    return EntryFrame.frameSizeAt(this.#view, this.#offset(position))
  }

  ledgerIdAt(position: number): bigint {
    return this.#view.getBigInt64(this.#offset(position) + EntryFrame.sizeFieldSize)
  }

  /** The payload of the frame at a position, as a copy. */
  payload(position: number): Uint8Array {
    const offset = this.#offset(position)
    return this.#bytes.slice(offset + EntryFrame.headerSize, offset + EntryFrame.frameSizeAt(this.#view, offset))
  }

  /** How many bytes there are from a position to the end of the circle. */
  #leftAt(position: number): number {
    return this.#bytes.length - this.#offset(position)
  }

  #offset(position: number): number {
    return position % this.#bytes.length
  }
}

/** In place of the size of a frame: the rest of the circle is empty. */
const skipped = 0
