/**
 * Blocks of a page cache: the locations of 64 slots each, in typed arrays. One
 * that was freed is used again before there is a new one.
 */
import type { Location } from "@effect-bookie/entry-log/Location"
import * as LocationPage from "./LocationPage.ts"
import * as Words from "../words.ts"

/** How many slots a block has. */
export const slotCount = 64

/** What a block takes up, in bytes. */
export const blockSize = slotCount * 8

/** Numbered blocks. */
export class Blocks {
  /** The words of locations, as a bigint has them in memory; the high word of a slot that is not set is negative. */
  readonly #words: Array<Int32Array> = []
  /** The same memory as locations. */
  readonly #locations: Array<BigInt64Array> = []
  readonly #free: Array<number> = []
  #size = 0

  /** How many bytes the blocks take up that are not free. */
  get bytes(): number {
    return (this.#size - this.#free.length) * blockSize
  }

  /** The location in a slot of a block. */
  get(block: number, slot: number): Location | undefined {
    const segment = block >> segmentShift
    const at = (block & (blocksPerSegment - 1)) * slotCount + slot
    const high = this.#words[segment]?.[2 * at + Words.highAt] ?? unset
    // It was one when it was put.
    return high < 0 ? undefined : (this.#locations[segment]?.[at] as Location | undefined)
  }

  /** Sets the slots of a block in a page that has none from one of its slots on. */
  load(block: number, page: LocationPage.LocationPage, first: number): void {
    LocationPage.makeRoom(page)
    const into = page.words
    const words = this.#words[block >> segmentShift] ?? noWords
    const start = (block & (blocksPerSegment - 1)) * slotCount
    for (let nth = 0; nth < slotCount; nth++) {
      const high = words[2 * (start + nth) + Words.highAt] ?? unset
      if (high < 0) continue
      into[2 * (first + nth)] = words[2 * (start + nth) + Words.lowAt] ?? 0
      into[2 * (first + nth) + 1] = high
      page.count += 1
      page.length = first + nth + 1
    }
  }

  /** Makes room for so many more, so that they can be put. If there is no memory, this throws, and nothing has changed. */
  reserve(blocks: number): void {
    const last = this.#size + blocks - this.#free.length - 1
    while (last >> segmentShift >= this.#words.length) {
      const words = new Int32Array(blocksPerSegment * slotCount * 2)
      this.#locations.push(new BigInt64Array(words.buffer))
      this.#words.push(words)
    }
  }

  /** Copies slots of a page, from one on, into a block for which there is room, and answers which. */
  put({ length, words }: LocationPage.LocationPage, first: number): number {
    const block = this.#free.pop() ?? this.#size++
    const own = this.#words[block >> segmentShift] ?? noWords
    const start = (block & (blocksPerSegment - 1)) * slotCount
    const end = Math.min(slotCount, length - first)
    for (let nth = 0; nth < end; nth++) {
      own[2 * (start + nth) + Words.lowAt] = words[2 * (first + nth)] ?? 0
      own[2 * (start + nth) + Words.highAt] = words[2 * (first + nth) + 1] ?? unset
    }
    own.fill(unset, 2 * (start + end), 2 * (start + slotCount))
    return block
  }

  /** Lets a block be used again. */
  free(block: number): void {
    this.#free.push(block)
  }
}

/** A segment has 1 MiB, of which the system provides what is used. */
const segmentShift = 11
const blocksPerSegment = 1 << segmentShift

const unset = -1

const noWords = new Int32Array(0)
