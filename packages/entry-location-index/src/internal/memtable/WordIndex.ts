/**
 * Numbers keys of three 32-bit words from 0 on, in the order in which they come.
 *
 * A hash table in typed arrays: a `Map` of as many keys costs several times the
 * memory and an object a key for the garbage collector to look at.
 */
import { doubled } from "../columns.ts"

/** The numbers of keys. */
export class WordIndex {
  /** The number of the key at each place plus 1, or 0; at most half of the places are taken. */
  #table = new Int32Array(initialPlaces)
  #keys = new Int32Array((initialPlaces / 2) * keyLength)
  #size = 0

  /** The words of the keys, number by number. They do not change, but for a `clear`. */
  get keys(): Int32Array {
    return this.#keys
  }

  /** How many keys there are. */
  get size(): number {
    return this.#size
  }

  /** Forgets the keys, and keeps their room. */
  clear(): void {
    this.#size = 0
    this.#table.fill(0)
  }

  /** The number of a key, or -1. */
  find(first: number, second: number, third: number): number {
    const table = this.#table
    const keys = this.#keys
    const mask = table.length - 1
    for (let place = hash(first, second, third) & mask; ; place = (place + 1) & mask) {
      const number = (table[place] ?? 0) - 1
      if (number < 0) return -1
      const at = number * keyLength
      if (keys[at + 2] === third && keys[at + 1] === second && keys[at] === first) return number
    }
  }

  /** Whether a number has this key. */
  has(number: number, first: number, second: number, third: number): boolean {
    const keys = this.#keys
    const at = number * keyLength
    return number < this.#size && keys[at + 2] === third && keys[at + 1] === second && keys[at] === first
  }

  /** Makes room for so many more keys, or the first half of it, and answers whether that was all. */
  reserve(keys: number): boolean {
    if ((this.#size + keys) * keyLength <= this.#keys.length) return true
    this.#grow()
    return false
  }

  /** Gives a key that has none its number. If there is no memory for it, this throws, and nothing has changed. */
  add(first: number, second: number, third: number): number {
    if (this.#size * keyLength === this.#keys.length) this.#grow()
    const number = this.#size++
    const at = number * keyLength
    this.#keys[at] = first
    this.#keys[at + 1] = second
    this.#keys[at + 2] = third
    this.#insert(number)
    return number
  }

  /** A word of the key of a number: the first, second or third one. */
  word(number: number, nth: 0 | 1 | 2): number {
    return this.#keys[number * keyLength + nth] ?? 0
  }

  #insert(number: number): void {
    const mask = this.#table.length - 1
    let place = hash(this.word(number, 0), this.word(number, 1), this.word(number, 2)) & mask
    while (this.#table[place] !== 0) place = (place + 1) & mask
    this.#table[place] = number + 1
  }

  #grow(): void {
    const table = new Int32Array(2 * this.#table.length)
    this.#keys = doubled(this.#keys)
    this.#table = table
    for (let number = 0; number < this.#size; number++) this.#insert(number)
  }
}

/** About how many bytes a key takes up: its words and two to four places. */
export const keySize = 3 * 4 + 3 * 4

/** How many words a key has. */
export const keyLength = 3

/** A power of two. */
const initialPlaces = 64

/** Mixes the words well enough that consecutive ids spread over the table. */
const hash = (first: number, second: number, third: number): number => {
  let mixed = Math.imul(first, 0x9e37_79b1) ^ Math.imul(second, 0x85eb_ca6b) ^ Math.imul(third, 0xc2b2_ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d)
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a_2d39)
  return mixed ^ (mixed >>> 15)
}
