/**
 * The elements that are next in one queue, by the time from which they may be
 * taken and then by their number: as many as fit in memory, and the rest on disk.
 *
 * Every pending element up to `#position` is in here, or is being claimed. What
 * comes after it is on disk alone, unless `#isComplete`: then nothing does.
 */
import * as Latch from "effect/Latch"
import * as Semaphore from "effect/Semaphore"

/** A pending element. */
export interface Pending {
  readonly id: string
  /** From when on it may be taken, in milliseconds since the epoch. */
  readonly visibleAt: number
  /** Goes up with each offer. */
  readonly sequence: number
}

/** A place in the order of a queue. */
export type Position = Pick<Pending, "visibleAt" | "sequence">

/** What is next in a queue. */
export class Ready {
  #pending: Array<Pending> = []
  #position: Position = beginning
  #isComplete = false
  /** Counts what went to disk alone. */
  #beyond = 0
  /** Open once something may have changed since it was closed. */
  readonly changed = Latch.makeUnsafe(false)
  /** One taker looks for its element at a time, in the order in which they came. */
  readonly turn = Semaphore.makeUnsafe(1)

  /** The first element; `undefined` if there is none in memory. */
  get head(): Pending | undefined {
    return this.#pending[0]
  }

  /** Whether there is nothing that only the disk has. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** Up to where everything is in memory, and how much went to disk alone until now: for `refill`. */
  get mark(): { readonly position: Position; readonly beyond: number } {
    return { position: this.#position, beyond: this.#beyond }
  }

  /** Takes the first element out. */
  shift(): void {
    this.#pending.shift()
  }

  /** Tells of an element that has become pending. */
  add(element: Pending): void {
    if (!isBefore(this.#position, element)) this.#insert(element)
    else if (this.#isComplete && this.#pending.length < capacity) this.#append(element)
    else this.#leave()
    // Those who wait go on at once, so this comes last.
    this.changed.openUnsafe()
  }

  /** Adds what the disk has after the mark: the first ones, or all that there are. */
  refill(elements: ReadonlyArray<Pending>, beyond: number): void {
    this.#pending.push(...elements)
    this.#position = elements.at(-1) ?? this.#position
    this.#isComplete = elements.length < capacity && beyond === this.#beyond
  }

  /** Forgets everything, so that it is read from disk again. */
  reset(): void {
    this.#pending = []
    this.#position = beginning
    this.#isComplete = false
    this.#beyond += 1
    this.changed.openUnsafe()
  }

  #append(element: Pending): void {
    this.#position = element
    this.#pending.push(element)
  }

  /** Leaves an element that comes last to the disk. */
  #leave(): void {
    this.#isComplete = false
    this.#beyond += 1
  }

  #insert(element: Pending): void {
    const after = this.#pending.findIndex((other) => isBefore(element, other))
    this.#pending.splice(after < 0 ? this.#pending.length : after, 0, element)
    if (this.#pending.length <= capacity) return
    this.#pending.pop()
    this.#position = this.#pending.at(-1) ?? beginning
    this.#leave()
  }
}

/** How many elements of a queue are kept in memory. */
export const capacity = 256

const beginning: Position = { visibleAt: -Infinity, sequence: 0 }

const isBefore = (left: Position, right: Position): boolean =>
  left.visibleAt < right.visibleAt || (left.visibleAt === right.visibleAt && left.sequence < right.sequence)
