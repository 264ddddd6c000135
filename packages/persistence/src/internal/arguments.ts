/**
 * Refuses what options cannot mean. Each check answers what is wrong, or
 * `undefined`.
 */
import * as Duration from "effect/Duration"

/** What is wrong with the options that every layer has. */
export const checkOptions = ({
  durability,
  prefix
}: {
  readonly durability?: unknown
  readonly prefix?: unknown
}): string | undefined => {
  if (prefix !== undefined && typeof prefix !== "string") return `the prefix must be a string, not ${describe(prefix)}`
  if (durability !== undefined && durability !== "sync" && durability !== "buffered") {
    return `there is no durability ${describe(durability)}: it is "sync" or "buffered"`
  }
  return undefined
}

/** What is wrong with a duration that must be above zero; it may be infinite. */
export const checkInterval = (name: string, input: Duration.Input | undefined): string | undefined => {
  if (input === undefined) return undefined
  const duration = Duration.fromInput(input)
  if (duration._tag === "None") return `${name} must be a duration, not ${describe(input)}`
  const millis = Duration.toMillis(duration.value)
  return millis > 0 ? undefined : `${name} must be longer than 0, not ${describe(input)}`
}

/** Such as `undefined`, `Array` or, of texts and numbers, themselves. */
const describe = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "number") return String(value)
  return Object.prototype.toString.call(value).slice("[object ".length, -1)
}
