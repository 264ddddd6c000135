/**
 * Durations of options that must not be 0, which is what Effect takes NaN, an
 * object without a unit and a misspelt unit for: an interval of 0 is a loop
 * without a pause, and a deadline of 0 has always passed.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { describe } from "./describe.ts"
import { Refusal } from "./refusal.ts"

/** Takes a duration above 0; Infinity is one. */
export const take = (given: Duration.Input, option: string): Duration.Duration => {
  const duration = Option.getOrUndefined(Duration.fromInput(given))
  if (duration !== undefined && Duration.isPositive(duration)) return duration
  const value = Duration.isDuration(given) ? String(given) : describe(given)
  throw new Refusal(`${option} must be a duration above 0, such as "1 minute", not ${value}`)
}
