/**
 * One circuit: what is kept of it, and how it changes.
 */
import * as Duration from "effect/Duration"
import type * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Schema from "effect/Schema"
import { Codec } from "../Codec.ts"

/** The state of a circuit; times in milliseconds. */
export type Circuit = typeof State.Type

const State = Schema.Struct({
  phase: Schema.Literals(["Closed", "Open", "HalfOpen"]),
  /** Changes with each phase: an outcome of an older one says nothing. */
  generation: Schema.Int,
  lastActivity: Schema.Number,
  /** Failures in a row. */
  streak: Schema.Int,
  /** The last outcomes under a rate policy, the newest last: 1 is a failure. */
  ring: Schema.String,
  openUntil: Schema.Number,
  /** Openings since the backoff was reset. */
  openings: Schema.Int,
  lastOpenFor: Schema.Number,
  resetAt: Schema.Number
})

/** The records of {@link Circuit}. */
export const CircuitRecord = new Codec<Circuit>("The state of a circuit", State)

/** A circuit that has seen nothing yet. */
export const closed = (generation: number, now: number): Circuit => ({
  phase: "Closed",
  generation,
  lastActivity: now,
  streak: 0,
  ring: "",
  openUntil: 0,
  openings: 0,
  lastOpenFor: 0,
  resetAt: 0
})

/** The circuit once it has opened. */
export const open = (circuit: Circuit, generation: number, openFor: Duration.Duration, now: number): Circuit => {
  const lastOpenFor = Duration.toMillis(openFor)
  return {
    ...circuit,
    phase: "Open",
    generation,
    lastActivity: now,
    streak: 0,
    ring: "",
    openUntil: now + lastOpenFor,
    openings: circuit.openings + 1,
    lastOpenFor
  }
}

/** The circuit once a probe has succeeded. */
export const close = (circuit: Circuit, generation: number, now: number): Circuit => ({
  ...circuit,
  phase: "Closed",
  generation,
  lastActivity: now,
  streak: 0,
  ring: "",
  resetAt: now + circuit.lastOpenFor
})

/** The closed circuit after one more outcome. */
export const count = (circuit: Circuit, failed: boolean, policy: CircuitBreaker.TripPolicy, now: number): Circuit => ({
  ...circuit,
  lastActivity: now,
  streak: failed ? circuit.streak + 1 : 0,
  ring: policy._tag === "Rate" ? (circuit.ring + (failed ? "1" : "0")).slice(-policy.size) : circuit.ring
})

/** Whether the policy opens a circuit that has counted this. */
export const trips = ({ ring, streak }: Circuit, policy: CircuitBreaker.TripPolicy): boolean => {
  if (policy._tag === "Consecutive") return streak >= policy.failures
  const failures = ring.replaceAll("0", "").length
  return ring.length >= policy.minimumCalls && failures > 0 && failures / ring.length >= policy.threshold
}
