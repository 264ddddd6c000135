/**
 * Bounds the bytes that are in flight, and lets those who come beyond the bound
 * wait in their order.
 *
 * - Nobody overtakes: while one waits, everyone who comes later waits, too, also
 *   one who would fit.
 * - Whoever is larger than the bound goes in alone, when nothing else is in
 *   flight.
 * - To be let in is one synchronous call, so the order in which visitors are let
 *   in is the order in which they came, whatever fibers do meanwhile.
 */

/** Someone who wants to come in. */
export interface Visitor {
  /** How much it takes up until it leaves. */
  readonly bytes: number
}

/** A bound for bytes in flight, and the line in front of it. */
export class Admission<V extends Visitor> {
  readonly #limit: number
  readonly #admit: (visitor: V) => void
  /** In the order of their coming. */
  readonly #line = new Set<V>()
  #inFlight = 0

  constructor(limit: number, admit: (visitor: V) => void) {
    this.#limit = limit
    this.#admit = admit
  }

  /** How many bytes are in flight. */
  get bytesInFlight(): number {
    return this.#inFlight
  }

  /** How many wait. */
  get waiting(): number {
    return this.#line.size
  }

  /** Lets a visitor in, now or when there is room. */
  arrive(visitor: V): void {
    this.#line.add(visitor)
    this.#letIn()
  }

  /** Takes a visitor that has not been let in out of the line. Answers whether it was there. */
  withdraw(visitor: V): boolean {
    const waited = this.#line.delete(visitor)
    // Those behind it may have waited for nobody else.
    if (waited) this.#letIn()
    return waited
  }

  /** Gives the room of a visitor that was let in to those who wait. */
  leave(visitor: V): void {
    this.#inFlight -= visitor.bytes
    this.#letIn()
  }

  /** Sends home those who wait, and answers who they are. */
  dismiss(): ReadonlyArray<V> {
    const waiting = [...this.#line]
    this.#line.clear()
    return waiting
  }

  #letIn(): void {
    for (const visitor of this.#line) {
      if (this.#inFlight > 0 && this.#inFlight + visitor.bytes > this.#limit) return
      this.#line.delete(visitor)
      this.#inFlight += visitor.bytes
      this.#admit(visitor)
    }
  }
}
