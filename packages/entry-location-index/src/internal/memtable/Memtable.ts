/**
 * What the journal holds and the pages do not yet: for each ledger that has
 * changed since, whether it was deleted, what it has become, and the locations
 * that were added.
 *
 * A lookup asks the memtable first, and goes on to what is below (an older
 * memtable, then the pages) only where the ledger has not been deleted. A
 * memtable changes until it is frozen; then a checkpoint writes it into pages.
 *
 * Everything lies in typed arrays: a ledger is a row, its locations are in
 * chunks of 16 consecutive entries, and the chunks of a ledger are a list. So a
 * hundred thousand ledgers of some entries each cost the garbage collector
 * nothing, and what a memtable takes up is known. A delete makes the chunks of
 * a ledger unreachable; their room comes back when the memtable is cleared.
 *
 * Where memory cannot be had, `addLedger` throws and has changed nothing, and
 * `apply` may have applied a part.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { Location } from "@effect-bookie/entry-log/Location"
import * as LocationPage from "../pages/LocationPage.ts"
import type { WriteBatch } from "../WriteBatch.ts"
import * as Mutation from "../WriteBatch.ts"
import { entryIn, pageOfHalves } from "../pages/pages.ts"
import type { LedgerRecord } from "../pages/records.ts"
import { IncrementalSort } from "./IncrementalSort.ts"
import * as Words from "../words.ts"
import {
  baseOf,
  type ChunkOrder,
  type Chunks,
  chunksPerSegment,
  firstSlotOf,
  LinkedChunks,
  segmentOf,
  slotsPerChunk,
  wordOf,
  wordsPerChunk
} from "./chunks.ts"
import { ChangedLedgers, Change } from "./ChangedLedgers.ts"
import { doubled, doubledBytes, doubledNumbers } from "../columns.ts"
import { LedgerSnapshot } from "./LedgerSnapshot.ts"
import type { LedgerGroups } from "../LedgerGroups.ts"
import { keySize, WordIndex } from "./WordIndex.ts"

/** A page that was added to, and the chunks that hold what was. */
export interface AddedPage {
  readonly number: Words.MapKey
  readonly chunks: ReadonlyArray<number>
}

/** The changes of many ledgers, each in a slot of its own. */
export class Memtable {
  /** The slots, by the halves of the ledger ids. */
  readonly #slots = new WordIndex()
  #rows = new Int32Array(16 * rowLength)
  #numbers = new Float64Array(16 * numbersLength)
  /** The change of the ledger in each slot, apart from its row, so that those of all are soon copied. */
  #changes = new Uint8Array(16)
  /** The chunks, by the generation of the ledger and the first entry. */
  readonly #chunks = new WordIndex()
  /** The chunk after each one in the list of its ledger, or -1. */
  #nextChunk = new Int32Array(16)
  readonly #segments: Array<Int32Array<ArrayBuffer>> = []
  /** Which segments a snapshot has too: they are copied before they change. */
  readonly #sharedSegments: Array<boolean> = []
  #isShared = false
  #generations = 0
  #changed = 0

  /** About how many bytes it takes up. */
  get bytes(): number {
    return this.#slots.size * ledgerSize + this.#chunks.size * chunkSize
  }

  /** Whether nothing has changed. */
  get isEmpty(): boolean {
    return this.#changed === 0
  }

  /** How many slots there are, also of ledgers that have not changed. */
  get ledgers(): number {
    return this.#slots.size
  }

  /** Whether a snapshot has some of its chunks or its ledgers, so that it must not be used again. */
  get isShared(): boolean {
    return this.#isShared
  }

  /** Forgets everything, and keeps the room. */
  clear(): void {
    this.#slots.clear()
    this.#chunks.clear()
    this.#generations = 0
    this.#changed = 0
  }

  /** The slot of a ledger, or -1. */
  slotOf(ledgerHigh: number, ledgerLow: number): number {
    return this.#slots.find(ledgerHigh, ledgerLow, 0)
  }

  /** The same, made if there is none. Fast if it is the one behind `before`, as when ledgers come in the same order again. */
  slotAfter(before: number, ledgerHigh: number, ledgerLow: number): number {
    if (this.#slots.has(before + 1, ledgerHigh, ledgerLow, 0)) return before + 1
    const slot = this.slotOf(ledgerHigh, ledgerLow)
    return slot >= 0 ? slot : this.addLedger(ledgerHigh, ledgerLow)
  }

  /** Makes a slot for a ledger, of which nothing is known yet. */
  addLedger(ledgerHigh: number, ledgerLow: number): number {
    if ((this.ledgers + 1) * rowLength > this.#rows.length) this.#rows = doubled(this.#rows)
    if ((this.ledgers + 1) * numbersLength > this.#numbers.length) this.#numbers = doubledNumbers(this.#numbers)
    if (this.ledgers === this.#changes.length) this.#changes = doubledBytes(this.#changes)
    const slot = this.#slots.add(ledgerHigh, ledgerLow, 0)
    this.#changes[slot] = Change.none
    const row = slot * rowLength
    this.#rows[row + flagsAt] = 0
    this.#rows[row + lastHighAt] = -1
    this.#rows[row + generationAt] = this.#generations++
    this.#rows[row + firstChunkAt] = -1
    this.#rows[row + lastChunkAt] = -1
    this.#numbers[slot * numbersLength + lastPageBelowAt] = Infinity
    return slot
  }

  /** The ledger of a slot. */
  ledgerId(slot: number): LedgerId {
    // It was one when it was added.
    return Words.join(this.#slots.word(slot, 0), this.#slots.word(slot, 1)) as LedgerId
  }

  /** Notes the ledger's record as the frozen memtable or the pages have it, which holds as long as the ledger has not changed. */
  standOn(slot: number, record: LedgerRecord | undefined): void {
    const row = slot * rowLength
    const numbers = slot * numbersLength
    this.#rows[row + flagsAt] = isKnown
    this.#rows[row + lastHighAt] = record === undefined ? -1 : Words.high(record.lastEntry)
    this.#rows[row + lastLowAt] = record === undefined ? 0 : Words.low(record.lastEntry)
    this.#numbers[numbers + entriesAt] = record?.entries ?? 0
    this.#numbers[numbers + lastPageBelowAt] =
      record === undefined ? -1 : Number(pageOfHalves(this.lastHigh(slot), this.lastLow(slot)))
  }

  /** Whether it is known what the ledger is. */
  isKnown(slot: number): boolean {
    return (this.#flags(slot) & isKnown) !== 0
  }

  /** Whether the ledger has changed. */
  isChanged(slot: number): boolean {
    return (this.#flags(slot) & isChanged) !== 0
  }

  /** Whether the ledger was deleted: then nothing counts that the frozen memtable or the pages hold of it. */
  isDeleted(slot: number): boolean {
    return (this.#flags(slot) & isDeleted) !== 0
  }

  /** Whether locations have been added to a ledger. */
  hasChunks(slot: number): boolean {
    return (this.#rows[slot * rowLength + firstChunkAt] ?? -1) >= 0
  }

  /** How many entries a ledger has that is known. */
  entries(slot: number): number {
    return this.#numbers[slot * numbersLength + entriesAt] ?? 0
  }

  /** The high word of its last entry, negative if it has none. */
  lastHigh(slot: number): number {
    return this.#rows[slot * rowLength + lastHighAt] ?? 0
  }

  /** The low word of its last entry. */
  lastLow(slot: number): number {
    return this.#rows[slot * rowLength + lastLowAt] ?? 0
  }

  /** The same as a record; a ledger without entries has none. */
  record(slot: number): LedgerRecord | undefined {
    const high = this.lastHigh(slot)
    if (high < 0) return undefined
    // It was one when it was added.
    return { entries: this.entries(slot), lastEntry: Words.join(high, this.lastLow(slot)) as EntryId }
  }

  /** Whether there may be a page below. */
  mayCover(slot: number, number: Words.MapKey): boolean {
    // As a plain number a page above 2^53 is rounded, both sides alike.
    return (
      !this.isDeleted(slot) && Number(number) <= (this.#numbers[slot * numbersLength + lastPageBelowAt] ?? Infinity)
    )
  }

  /** The location that was added for an entry, if it was. */
  get(slot: number, entryHigh: number, entryLow: number): Location | undefined {
    const row = slot * rowLength
    let chunk = this.#rows[row + lastChunkAt] ?? -1
    if (chunk < 0) return undefined
    const base = baseOf(entryLow)
    if (this.#chunks.word(chunk, 2) !== base || this.#chunks.word(chunk, 1) !== entryHigh) {
      chunk = this.#chunks.find(this.#rows[row + generationAt] ?? 0, entryHigh, base)
      if (chunk < 0) return undefined
    }
    const segment = this.#segmentOf(chunk)
    const at = wordOf(chunk) + 2 * (entryLow & (slotsPerChunk - 1))
    const high = segment[at + 1] ?? -1
    // It was one when it was added.
    return high < 0 ? undefined : (Words.join(high, segment[at] ?? 0) as Location)
  }

  /**
   * Makes room for so many more chunks, in steps of some milliseconds: answers whether this was the last. To apply changes
   * that add no more of them need not allocate then.
   */
  reserve(chunks: number): boolean {
    if (!this.#chunks.reserve(chunks)) return false
    const needed = this.#chunks.size + chunks
    if (needed > this.#nextChunk.length) {
      this.#nextChunk = doubled(this.#nextChunk)
      return false
    }
    for (let nth = 0; nth < segmentsPerStep; nth++) {
      if (this.#segments.length * chunksPerSegment >= needed) return true
      this.#addSegment()
    }
    return false
  }

  /**
   * Applies groups from one up to, and without, another; `slotOf` says where their ledgers are, -1 if a group is to be left
   * out.
   */
  apply(changes: WriteBatch, groups: LedgerGroups, slotOf: (nth: number) => number, from = 0, to = groups.size): void {
    for (let nth = from; nth < to; nth++) {
      const slot = slotOf(nth)
      if (slot < 0) continue
      const start = groups.start(nth)
      if (changes.isDelete(start)) this.#delete(slot)
      else this.#add(slot, changes.words, start * Mutation.stride, groups.end(nth) * Mutation.stride)
      const row = slot * rowLength
      if (!this.isChanged(slot)) this.#changed += 1
      this.#rows[row + flagsAt] = this.#flags(slot) | isKnown | isChanged
      this.#changes[slot] = groups.lastHigh(nth) >= 0 ? Change.hasEntries : Change.isEmpty
      this.#rows[row + lastHighAt] = groups.lastHigh(nth)
      this.#rows[row + lastLowAt] = groups.lastLow(nth)
      this.#numbers[slot * numbersLength + entriesAt] = groups.entries(nth)
    }
  }

  /** What was added to the pages from one to another, as it is now. */
  snapshot(slot: number, from: Words.MapKey, to: Words.MapKey): LedgerSnapshot {
    // Of a few pages each chunk is looked for: to have all of them in order takes its time.
    if ((this.#flags(slot) & isScattered) !== 0 && typeof from === "number" && typeof to === "number") {
      // Above 2^53 numbers do not count on.
      if (to - from < fewPages) return this.#copy(this.#chunksOf(slot, from, to - from + 1), from, to)
    }
    const order = this.#order(slot, from)
    const few: Array<number> = []
    for (let chunk = order.next(); chunk >= 0; chunk = order.next()) {
      const number = this.#pageOf(chunk)
      if (number > to) break
      if (number >= from) few.push(chunk)
      if (few.length > fewChunks) {
        order.restart()
        return this.#share(order, from, to)
      }
    }
    return this.#copy(few, from, to)
  }

  /** The changed ledgers as they are now. However many they are, this takes no time. */
  changedLedgers(): ChangedLedgers {
    if (this.isEmpty) return new ChangedLedgers(noWords, noBytes)
    this.#isShared = true
    return new ChangedLedgers(this.#slots.keys, this.#changes.slice(0, this.ledgers))
  }

  /** Sets the slots of a page that were added to the page of a number. */
  addPageTo(page: LocationPage.LocationPage, slot: number, number: Words.MapKey): void {
    const generation = this.#rows[slot * rowLength + generationAt] ?? 0
    const first = entryIn(number, 0)
    for (let nth = 0; nth < LocationPage.slotCount; nth += slotsPerChunk) {
      const chunk = this.#chunks.find(generation, Words.high(first), Words.low(first) | nth)
      if (chunk >= 0) LocationPage.setRange(page, nth, this.#segmentOf(chunk), wordOf(chunk), slotsPerChunk)
    }
  }

  /** The pages that were added to, in order, while nothing else is. */
  *addedPages(slot: number): Generator<AddedPage> {
    const order = this.#order(slot, 0)
    let chunk = order.next()
    while (chunk >= 0) {
      const number = this.#pageOf(chunk)
      const chunks = [chunk]
      for (chunk = order.next(); chunk >= 0 && this.#pageOf(chunk) === number; chunk = order.next()) chunks.push(chunk)
      yield { number, chunks }
    }
  }

  /** Sets the slots of a page that were added. */
  addTo(page: LocationPage.LocationPage, { chunks }: AddedPage): void {
    for (const chunk of chunks) {
      LocationPage.setRange(page, firstSlotOf(this.#lists, chunk), this.#segmentOf(chunk), wordOf(chunk), slotsPerChunk)
    }
  }

  /** The chunks as they lie now. */
  get #lists(): Chunks {
    return { segments: this.#segments, keys: this.#chunks.keys }
  }

  #pageOf(chunk: number): Words.MapKey {
    return pageOfHalves(this.#chunks.word(chunk, 1), this.#chunks.word(chunk, 2))
  }

  #segmentOf(chunk: number): Int32Array {
    return this.#segments[segmentOf(chunk)] ?? noWords
  }

  /** The segment of a chunk that is going to change. */
  #ownSegmentOf(chunk: number): Int32Array {
    const nth = segmentOf(chunk)
    const segment = this.#segments[nth]
    if (segment === undefined || this.#sharedSegments[nth] !== true) return segment ?? noWords
    const own = segment.slice()
    this.#segments[nth] = own
    this.#sharedSegments[nth] = false
    return own
  }

  /** The chunks of a ledger in the order of their entries, beginning with that of a page or before it. */
  #order(slot: number, from: Words.MapKey): ChunkOrder {
    const row = slot * rowLength
    const first = this.#rows[row + firstChunkAt] ?? -1
    if ((this.#flags(slot) & isScattered) === 0) {
      const begin = from === 0 || first < 0 ? first : Math.max(first, this.#firstChunkOf(row, from))
      return new LinkedChunks(begin, this.#nextChunk, this.#chunks.size)
    }
    const sorted = new IncrementalSort(this.#lengthOf(first))
    for (let chunk = first; chunk >= 0; chunk = this.#nextChunk[chunk] ?? -1) {
      sorted.add(this.#chunks.word(chunk, 1), this.#chunks.word(chunk, 2), chunk)
    }
    return { next: () => (sorted.take() ? sorted.value : -1), restart: () => sorted.restart() }
  }

  /** The chunks of so many pages from one on, in order. */
  #chunksOf(slot: number, from: number, pages: number): Array<number> {
    const generation = this.#rows[slot * rowLength + generationAt] ?? 0
    const chunks: Array<number> = []
    for (let page = 0; page < pages; page++) {
      const entry = entryIn(from + page, 0)
      for (let nth = 0; nth < LocationPage.slotCount; nth += slotsPerChunk) {
        const chunk = this.#chunks.find(generation, Words.high(entry), Words.low(entry) | nth)
        if (chunk >= 0) chunks.push(chunk)
      }
    }
    return chunks
  }

  /** The first chunk of a page that is there, or -1. */
  #firstChunkOf(row: number, number: Words.MapKey): number {
    const generation = this.#rows[row + generationAt] ?? 0
    const entry = entryIn(number, 0)
    for (let nth = 0; nth < LocationPage.slotCount; nth += slotsPerChunk) {
      const chunk = this.#chunks.find(generation, Words.high(entry), Words.low(entry) | nth)
      if (chunk >= 0) return chunk
    }
    return -1
  }

  /** How many chunks a list has. */
  #lengthOf(first: number): number {
    let length = 0
    for (let chunk = first; chunk >= 0; chunk = this.#nextChunk[chunk] ?? -1) length += 1
    return length
  }

  /** A snapshot that has chunks of its own. */
  #copy(chunks: ReadonlyArray<number>, from: Words.MapKey, to: Words.MapKey): LedgerSnapshot {
    const own = new WordIndex()
    const words = new Int32Array(chunks.length * wordsPerChunk)
    const links = new Int32Array(chunks.length)
    for (const [nth, chunk] of chunks.entries()) {
      own.add(0, this.#chunks.word(chunk, 1), this.#chunks.word(chunk, 2))
      const segment = this.#segmentOf(chunk)
      words.set(segment.subarray(wordOf(chunk), wordOf(chunk) + wordsPerChunk), nth * wordsPerChunk)
      links[nth] = nth + 1
    }
    const order = new LinkedChunks(0, links, chunks.length)
    return new LedgerSnapshot({ segments: [words], keys: own.keys }, order, from, to)
  }

  /** A snapshot that has the chunks of the memtable, which from now on copies what it changes. */
  #share(order: ChunkOrder, from: Words.MapKey, to: Words.MapKey): LedgerSnapshot {
    this.#isShared = true
    this.#sharedSegments.fill(true)
    return new LedgerSnapshot({ segments: [...this.#segments], keys: this.#chunks.keys }, order, from, to)
  }

  #flags(slot: number): number {
    return this.#rows[slot * rowLength + flagsAt] ?? 0
  }

  #delete(slot: number): void {
    const row = slot * rowLength
    this.#rows[row + flagsAt] = (this.#flags(slot) | isDeleted) & ~isScattered
    this.#rows[row + generationAt] = this.#generations++
    this.#rows[row + firstChunkAt] = -1
    this.#rows[row + lastChunkAt] = -1
  }

  #add(slot: number, words: Int32Array, start: number, end: number): void {
    const row = slot * rowLength
    let chunk = this.#rows[row + lastChunkAt] ?? -1
    let high = chunk < 0 ? -1 : this.#chunks.word(chunk, 1)
    let base = chunk < 0 ? 0 : this.#chunks.word(chunk, 2)
    let segment = this.#ownSegmentOf(chunk)
    for (let at = start; at < end; at += Mutation.stride) {
      const entryHigh = words[at + Mutation.entryHighAt] ?? 0
      const entryLow = words[at + Mutation.entryLowAt] ?? 0
      if (baseOf(entryLow) !== base || entryHigh !== high) {
        high = entryHigh
        base = baseOf(entryLow)
        chunk = this.#chunk(row, high, base)
        segment = this.#ownSegmentOf(chunk)
      }
      const place = wordOf(chunk) + 2 * (entryLow & (slotsPerChunk - 1))
      segment[place] = words[at + Mutation.lowAt] ?? 0
      segment[place + 1] = words[at + Mutation.highAt] ?? 0
    }
    this.#rows[row + lastChunkAt] = chunk
  }

  /** The chunk of a ledger that begins with an entry, which is made if there is none. */
  #chunk(row: number, high: number, base: number): number {
    const generation = this.#rows[row + generationAt] ?? 0
    const known = this.#chunks.find(generation, high, base)
    if (known >= 0) return known
    if (segmentOf(this.#chunks.size) === this.#segments.length) this.#addSegment()
    if (this.#chunks.size === this.#nextChunk.length) this.#nextChunk = doubled(this.#nextChunk)
    const chunk = this.#chunks.add(generation, high, base)
    this.#ownSegmentOf(chunk).fill(-1, wordOf(chunk), wordOf(chunk) + wordsPerChunk)
    this.#link(row, chunk)
    return chunk
  }

  #addSegment(): void {
    // Filled, so that the system provides the memory here and not when it is written to.
    this.#segments.push(new Int32Array(chunksPerSegment * wordsPerChunk).fill(-1))
    this.#sharedSegments.push(false)
  }

  #link(row: number, chunk: number): void {
    this.#nextChunk[chunk] = -1
    const tail = this.#rows[row + tailChunkAt] ?? -1
    if ((this.#rows[row + firstChunkAt] ?? -1) < 0) {
      this.#rows[row + firstChunkAt] = chunk
    } else {
      this.#nextChunk[tail] = chunk
      if (this.#isBehind(tail, chunk)) this.#rows[row + flagsAt] = (this.#rows[row + flagsAt] ?? 0) | isScattered
    }
    this.#rows[row + tailChunkAt] = chunk
  }

  /** Whether a chunk has entries behind those of another one. */
  #isBehind(chunk: number, other: number): boolean {
    const chunks = this.#chunks
    return Words.isAbove(chunks.word(chunk, 1), chunks.word(chunk, 2), chunks.word(other, 1), chunks.word(other, 2))
  }
}

/** The words of a ledger's row. */
const flagsAt = 0
const lastHighAt = 1
const lastLowAt = 2
/** Changes when the ledger is deleted, so that its chunks are not found any more. */
const generationAt = 3
/** The list of its chunks, in the order in which they were made. */
const firstChunkAt = 4
const tailChunkAt = 5
/** The chunk that was added to last. */
const lastChunkAt = 6
const rowLength = 8

/** Its numbers. */
const entriesAt = 0
/** The last page below, -1 if there is none, infinite if that is not known. */
const lastPageBelowAt = 1
const numbersLength = 2

/** The flags in a row. */
const isKnown = 1
const isDeleted = 2
const isChanged = 4
/** Whether its chunks are linked in another order than that of their entries. */
const isScattered = 8

/** How many segments are made at once: 2 MiB. */
const segmentsPerStep = 64

/** So many chunks of a ledger a snapshot copies: they take up 32 KiB, one segment. */
const fewChunks = chunksPerSegment

/** Those of so many pages, at most. */
const fewPages = 16

const noWords = new Int32Array(0)
const noBytes = new Uint8Array(0)

/** What a ledger and a chunk take up, in bytes. */
const ledgerSize = rowLength * 4 + numbersLength * 8 + 1 + keySize
const chunkSize = wordsPerChunk * 4 + 4 + keySize
