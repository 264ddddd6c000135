/**
 * The records of a persisted queue, and what may happen to an element.
 *
 * | section | key                                  | value                             |
 * | ------- | ------------------------------------ | --------------------------------- |
 * | 2       | queue, id                            | the state of an element           |
 * | 3       | queue, id                            | the element, in JSON              |
 * | 4       | queue, from when it may be taken, number | id: it is pending             |
 * | 5       | queue, id                            | it is claimed                     |
 * | 6       | time of completion, number           | queue, id                         |
 * | 7       | time of failure, number              | queue, id                         |
 *
 * A completed element keeps its state alone, which its id is known by; a failed
 * one keeps everything.
 */
import * as Schema from "effect/Schema"
import { Codec } from "../Codec.ts"
import { concat, joined, type KeyRange, readTime, readUint, split, successor, terminated, time, uint } from "../keys.ts"
import type { KeySpace } from "../KeySpace.ts"
import * as Strings from "../strings.ts"
import type { View } from "../Transactions.ts"
import type { Pending, Position } from "./Ready.ts"

/** The state of an element. */
export type State = typeof State.Type

const State = Schema.Struct({
  phase: Schema.Literals(["pending", "claimed", "completed", "failed"]),
  sequence: Schema.Int,
  /** How often it has been claimed, but for claims that were given back. */
  attempts: Schema.Int,
  visibleAt: Schema.Number,
  /** Of the claim that it is under: an older one settles nothing. */
  token: Schema.Int,
  /** When it was completed, or failed. */
  endedAt: Schema.Number,
  lastFailure: Schema.optional(Schema.String)
})

/** Which element. */
export interface ElementId {
  readonly queue: string
  readonly id: string
}

/** How an element has ended. */
export type Ended = "completed" | "failed"

/** The elements of all queues of a key space. */
export class Elements {
  readonly #space: KeySpace

  constructor(space: KeySpace) {
    this.#space = space
  }

  state(view: View, element: ElementId): State | undefined {
    return states.decode(this.#space, view.get(this.#stateKey(element)))
  }

  /** The states of many elements, with one read. */
  states(view: View, elements: ReadonlyArray<ElementId>): ReadonlyArray<State | undefined> {
    const records = view.getMany(elements.map((element) => this.#stateKey(element)))
    return records.map((record) => states.decode(this.#space, record))
  }

  /** The state of an element and its content, in JSON. */
  load(view: View, element: ElementId): { readonly state: State; readonly content: Uint8Array } | undefined {
    const [record, content] = view.getMany([this.#stateKey(element), this.#contentKey(element)])
    const state = states.decode(this.#space, record)
    return state && content && { state, content }
  }

  /** Adds an element, which is pending. */
  offer(view: View, element: ElementId, { sequence, visibleAt }: Position, content: Uint8Array): void {
    view.put(this.#contentKey(element), content)
    this.#pend(view, element, { phase: "pending", sequence, visibleAt, attempts: 0, token: 0, endedAt: 0 })
  }

  /** Claims a pending element. */
  claim(view: View, element: ElementId, state: State, token: number): State {
    view.remove(this.#pendingKey(element, state))
    view.put(this.#claimedKey(element), empty)
    return this.#put(view, element, { ...state, phase: "claimed", attempts: state.attempts + 1, token })
  }

  /** Gives a claimed element back: it is pending again, with what has changed about it. */
  release(view: View, element: ElementId, state: State, changed: Partial<State>): State {
    view.remove(this.#claimedKey(element))
    return this.#pend(view, element, { ...state, ...changed, phase: "pending", token: 0 })
  }

  /** Ends an element, which is pending or claimed. */
  end(view: View, element: ElementId, state: State, phase: Ended, endedAt: number, lastFailure?: string): void {
    view.remove(state.phase === "pending" ? this.#pendingKey(element, state) : this.#claimedKey(element))
    if (phase === "completed") view.remove(this.#contentKey(element))
    const ended = { ...state, phase, endedAt, token: 0, lastFailure: lastFailure ?? state.lastFailure }
    view.put(this.#endedKey(ended), joined(element.queue, element.id))
    this.#put(view, element, ended)
  }

  /** Forgets an element that has ended; its id may be offered again. */
  forget(view: View, element: ElementId, state: State): void {
    view.remove(this.#endedKey(state))
    view.remove(this.#stateKey(element))
    view.remove(this.#contentKey(element))
  }

  /** The pending elements of a queue that come after a position. */
  pendingAfter(queue: string, { sequence, visibleAt }: Position): KeyRange {
    const { lt } = this.#space.keys.range(sections.pending, terminated(queue))
    return { gte: this.#pendingKey({ queue, id: "" }, { visibleAt, sequence: sequence + 1 }), lt }
  }

  /** The pending element of an entry of that range. */
  pendingOf(queue: string, { key, value }: { readonly key: Uint8Array; readonly value: Uint8Array }): Pending {
    const rest = this.#space.keys.rest(key).subarray(terminated(queue).length)
    return { id: Strings.decode(value), visibleAt: readTime(rest), sequence: readUint(rest, 8) }
  }

  /** All elements that are claimed. */
  get claimed(): KeyRange {
    return this.#space.keys.range(sections.claimed)
  }

  /** The element of a key of that range. */
  claimedOf(key: Uint8Array): ElementId {
    return elementOf(this.#space.keys.rest(key))
  }

  /** The elements that have ended so not later than a time, with their ids as values. */
  endedUpTo(phase: Ended, endedAt: number): KeyRange {
    const { keys } = this.#space
    return { gte: keys.key(sections[phase]), lt: successor(keys.key(sections[phase], time(endedAt))) }
  }

  #pend(view: View, element: ElementId, state: State): State {
    view.put(this.#pendingKey(element, state), Strings.encode(element.id))
    return this.#put(view, element, state)
  }

  #put(view: View, element: ElementId, state: State): State {
    view.put(this.#stateKey(element), states.encode(state))
    return state
  }

  #stateKey({ id, queue }: ElementId): Uint8Array {
    return this.#space.keys.key(sections.states, joined(queue, id))
  }

  #contentKey({ id, queue }: ElementId): Uint8Array {
    return this.#space.keys.key(sections.contents, joined(queue, id))
  }

  #pendingKey({ queue }: ElementId, { sequence, visibleAt }: Position): Uint8Array {
    return this.#space.keys.key(sections.pending, concat([terminated(queue), time(visibleAt), uint(sequence)]))
  }

  #claimedKey({ id, queue }: ElementId): Uint8Array {
    return this.#space.keys.key(sections.claimed, joined(queue, id))
  }

  #endedKey({ endedAt, phase, sequence }: State): Uint8Array {
    const section = phase === "failed" ? sections.failed : sections.completed
    return this.#space.keys.key(section, time(endedAt), uint(sequence))
  }
}

/** The element that such bytes name. */
export const elementOf = (bytes: Uint8Array): ElementId => {
  const [queue = "", id = ""] = split(bytes)
  return { queue, id }
}

const sections = { states: 2, contents: 3, pending: 4, claimed: 5, completed: 6, failed: 7 } as const

const states = new Codec("The state of a queue's element", State)

const empty = new Uint8Array(0)
