/**
 * Changes that are taken from a list of the caller's: each item is checked and
 * taken at one moment. A short list is taken in one step, and of a long one the
 * gathering has a list of its own, so that it does not change between two steps.
 */
import * as Arguments from "../arguments.ts"
import { WriteBatch } from "../WriteBatch.ts"

/** Takes an item into changes, or says what is wrong with it. */
export interface Take<A> {
  (changes: WriteBatch, item: A, nth: number): string | undefined
}

/** A list that is being taken. */
export class Gathering<A> {
  readonly changes = new WriteBatch()
  /** What is wrong with an item. */
  problem: string | undefined
  readonly #list: ReadonlyArray<A>
  readonly #take: Take<A>
  #next = 0

  private constructor(list: ReadonlyArray<A>, take: Take<A>) {
    this.#list = list
    this.#take = take
  }

  /** Begins with a list, or says what is wrong with it. */
  static begin<A>(what: string, list: ReadonlyArray<A>, take: Take<A>): Gathering<A> | string {
    return Arguments.look(() => {
      if (!Array.isArray(list)) return `the ${what} must be an array, not ${Arguments.describe(list)}`
      return new Gathering(list.length > itemsPerStep ? list.slice() : list, take)
    })
  }

  /** How many items there are. */
  get size(): number {
    return this.#list.length
  }

  /** Takes some items, and answers whether all have been, or one cannot be. */
  step(): boolean {
    this.problem = Arguments.look(() => this.#takeSome())
    return this.problem !== undefined || this.#next >= this.size
  }

  #takeSome(): string | undefined {
    const start = this.#next
    const items = this.size <= itemsPerStep ? this.#list : this.#list.slice(start, start + itemsPerStep)
    for (const item of items) {
      const problem = this.#take(this.changes, item, this.#next)
      if (problem !== undefined) return problem
      this.#next += 1
    }
    return undefined
  }
}

/** How many items a step takes. */
const itemsPerStep = 8192
