/**
 * The chunks in which a memtable keeps locations: 16 consecutive entries of one
 * ledger each, the low and the high word of each location, the high one negative
 * where there is none. Chunks are numbered, and lie in segments of 256.
 */
import { pageOfHalves } from "../pages/pages.ts"
import type * as Words from "../words.ts"
import { keyLength } from "./WordIndex.ts"

/** How many entries a chunk has, and how many words they take up. */
export const slotsPerChunk = 16
export const wordsPerChunk = 2 * slotsPerChunk

/** How many chunks a segment has. */
export const chunksPerSegment = 256
const segmentShift = 8

/** The number of the segment that a chunk is in. */
export const segmentOf = (chunk: number): number => chunk >> segmentShift

/** Where a chunk begins in its segment. */
export const wordOf = (chunk: number): number => (chunk & (chunksPerSegment - 1)) * wordsPerChunk

/** The first entry of the chunk that an entry is in, by the low word of both. */
export const baseOf = (entryLow: number): number => entryLow & ~(slotsPerChunk - 1)

/** Where chunks lie, and the first entry of each: the words of its key, which begins with another one. */
export interface Chunks {
  readonly segments: ReadonlyArray<Int32Array>
  readonly keys: Int32Array
}

/** The page that a chunk is a part of. */
export const pageOfChunk = ({ keys }: Chunks, chunk: number): Words.MapKey =>
  pageOfHalves(keys[chunk * keyLength + 1] ?? 0, keys[chunk * keyLength + 2] ?? 0)

/** The slot of its page that a chunk begins with. */
export const firstSlotOf = ({ keys }: Chunks, chunk: number): number => (keys[chunk * keyLength + 2] ?? 0) & 0xff

/** Chunks one after another, in the order of their entries. */
export interface ChunkOrder {
  /** The next one, or -1. */
  readonly next: () => number
  /** Begins with the first one again. */
  readonly restart: () => void
}

/** Chunks that are linked in the order of their entries. */
export class LinkedChunks implements ChunkOrder {
  readonly #first: number
  readonly #links: Int32Array
  readonly #end: number
  #next: number

  /** From one on, along the links, without those from the number `end` on, which have come since. */
  constructor(first: number, links: Int32Array, end: number) {
    this.#first = first
    this.#next = first
    this.#links = links
    this.#end = end
  }

  next(): number {
    const chunk = this.#next
    if (chunk < 0 || chunk >= this.#end) return -1
    this.#next = this.#links[chunk] ?? -1
    return chunk
  }

  restart(): void {
    this.#next = this.#first
  }
}
