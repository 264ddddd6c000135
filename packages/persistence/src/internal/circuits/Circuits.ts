/**
 * The circuits of a key space.
 *
 * A circuit is on disk from its first failure on; one that has seen nothing but
 * successes costs no write. In memory is what concerns this process alone: which
 * probe is under way, which ends with the process, and when a circuit was used
 * last, which goes to disk now and then.
 */
import * as Duration from "effect/Duration"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type { KeySpace } from "../KeySpace.ts"
import type { States } from "../States.ts"
import type { View } from "../Transactions.ts"
import * as Circuit from "./Circuit.ts"

/** What a call is answered: it may run, or why it may not. */
export type Answer =
  | { readonly _tag: "admitted"; readonly admission: CircuitBreaker.Admission }
  | { readonly _tag: "refused"; readonly reason: CircuitBreaker.CircuitOpen | CircuitBreaker.CircuitHalfOpen }

type RecordOptions = Parameters<CircuitBreaker.CircuitBreakerStore["Service"]["record"]>[0]

/** The circuits of one key space. */
export class Circuits {
  readonly space: KeySpace
  readonly states: States<Circuit.Circuit>
  readonly #live = new Map<string, Live>()
  #lastSweep = 0

  constructor(space: KeySpace, states: States<Circuit.Circuit>) {
    this.space = space
    this.states = states
  }

  /** Lets a call through, or not. */
  admit(view: View, key: string, now: number, idle: number): Answer {
    const found = this.#find(view, key, now, idle)
    this.#sweep(now, idle)
    const refusal = this.#refusal(key, found, now)
    if (refusal !== undefined) return { _tag: "refused", reason: refusal }
    if (found === undefined) {
      // One that has been idle too long would count as used again from now on.
      this.states.remove(view, key)
      const live = this.#live.get(key) ?? { generation: this.space.numbers.take(view), lastActivity: now, probe: none }
      this.#live.set(key, { ...live, lastActivity: now })
      return admitted({ generation: live.generation, probe: false, consecutiveOpenings: 0, transition: undefined })
    }
    if (found.phase === "Closed") {
      const isReset = found.openings > 0 && now >= found.resetAt
      const openings = isReset ? 0 : found.openings
      if (isReset || now - found.lastActivity >= idle / 2) {
        this.#put(view, key, { ...found, openings, lastActivity: now }, idle)
      }
      this.#live.set(key, { generation: found.generation, lastActivity: now, probe: none })
      const { generation } = found
      return admitted({ generation, probe: false, consecutiveOpenings: openings, transition: undefined })
    }
    const generation = this.space.numbers.take(view)
    this.#put(view, key, { ...found, phase: "HalfOpen", generation, lastActivity: now }, idle)
    this.#live.set(key, { generation, lastActivity: now, probe: running })
    const transition = found.phase === "Open" ? ({ key, from: "Open", to: "HalfOpen" } as const) : undefined
    return admitted({ generation, probe: true, consecutiveOpenings: found.openings, transition })
  }

  /** Counts the outcome of a call that was admitted. */
  record(view: View, options: RecordOptions, now: number, idle: number): CircuitBreaker.Transition | undefined {
    const { generation, key, openFor, outcome, tripPolicy } = options
    const live = this.#live.get(key)
    const found =
      this.#find(view, key, now, idle) ?? (live === undefined ? undefined : Circuit.closed(live.generation, now))
    if (found === undefined || found.generation !== generation) return undefined
    const used = { generation, lastActivity: now, probe: none }
    if (outcome === "Ignored" || found.phase === "Open") {
      this.#live.set(key, used)
      return undefined
    }
    if (found.phase === "HalfOpen" && outcome === "Success") {
      const closed = Circuit.close(found, this.space.numbers.take(view), now)
      this.#live.set(key, { ...used, generation: closed.generation })
      this.#put(view, key, closed, idle)
      return { key, from: "HalfOpen", to: "Closed" }
    }
    const counted = found.phase === "HalfOpen" ? found : Circuit.count(found, outcome === "Failure", tripPolicy, now)
    if (found.phase === "Closed" && !Circuit.trips(counted, tripPolicy)) {
      this.#live.set(key, used)
      const isSame = counted.streak === found.streak && counted.ring === found.ring
      if (!isSame) this.#put(view, key, counted, idle)
      return undefined
    }
    const opened = Circuit.open(counted, this.space.numbers.take(view), openFor, now)
    this.#live.set(key, { ...used, generation: opened.generation })
    this.#put(view, key, opened, idle)
    return { key, from: found.phase, to: "Open", retryAfter: openFor, consecutiveOpenings: opened.openings }
  }

  /** What a circuit is like. */
  state(view: View, key: string, now: number, idle: number): CircuitBreaker.State {
    const found = this.#find(view, key, now, idle)
    switch (found?.phase) {
      case undefined:
      case "Closed":
        return { _tag: "Closed", key }
      case "Open": {
        const retryAfter = Duration.millis(Math.max(0, found.openUntil - now))
        return { _tag: "Open", key, retryAfter, consecutiveOpenings: found.openings }
      }
      case "HalfOpen":
        return { _tag: "HalfOpen", key, probing: this.#isProbing(key, now), consecutiveOpenings: found.openings }
    }
  }

  /** A probe has gone without an outcome: another one may take its place from a time on. */
  leave(key: string, generation: number, until: number): void {
    const live = this.#live.get(key)
    if (live?.generation === generation && live.probe === running) this.#live.set(key, { ...live, probe: until })
  }

  /** Forgets what is in memory about a circuit, because what it went with could not be written. */
  forget(key: string): void {
    this.#live.delete(key)
  }

  /** The circuit on disk, unless it has been idle too long. */
  #find(view: View, key: string, now: number, idle: number): Circuit.Circuit | undefined {
    const circuit = this.states.get(view, key)
    const live = this.#live.get(key)
    if (circuit === undefined) {
      if (live !== undefined && now - live.lastActivity >= idle) this.#live.delete(key)
      return undefined
    }
    const lastActivity = Math.max(circuit.lastActivity, live?.lastActivity ?? -Infinity)
    const since = circuit.phase === "Open" ? Math.max(lastActivity, circuit.openUntil) : lastActivity
    if (now - since < idle || (circuit.phase === "HalfOpen" && this.#isProbing(key, now))) return circuit
    this.#live.delete(key)
    return undefined
  }

  #refusal(key: string, circuit: Circuit.Circuit | undefined, now: number) {
    if (circuit?.phase === "Open" && now < circuit.openUntil) {
      return new CircuitBreaker.CircuitOpen({ key, retryAfter: Duration.millis(circuit.openUntil - now) })
    }
    return circuit?.phase === "HalfOpen" && this.#isProbing(key, now)
      ? new CircuitBreaker.CircuitHalfOpen({ key })
      : undefined
  }

  #isProbing(key: string, now: number): boolean {
    return (this.#live.get(key)?.probe ?? none) > now
  }

  #put(view: View, key: string, circuit: Circuit.Circuit, idle: number): void {
    const { lastActivity, openUntil, phase } = circuit
    const since = phase === "Open" ? Math.max(lastActivity, openUntil) : lastActivity
    // It may have been used for half that long since it was last written.
    this.states.put(view, key, circuit, since + 2 * idle)
  }

  /** Forgets what has been idle too long, now and then. */
  #sweep(now: number, idle: number): void {
    if (now - this.#lastSweep < idle) return
    this.#lastSweep = now
    for (const [key, { lastActivity, probe }] of this.#live) {
      if (now - lastActivity >= idle && probe <= now) this.#live.delete(key)
    }
  }
}

/** What this process knows of a circuit. */
interface Live {
  readonly generation: number
  readonly lastActivity: number
  /** Until when the probe of this generation has the circuit. */
  readonly probe: number
}

const none = -Infinity

const running = Infinity

const admitted = (admission: CircuitBreaker.Admission): Answer => ({ _tag: "admitted", admission })
