/**
 * Refuses what no index could accept: ids that are out of range, and things that
 * are no entries, ids or lists of them. Each check answers what is wrong, or
 * `undefined`.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Location from "@effect-bookie/entry-log/Location"

/** What is wrong with a ledger id. */
export const checkLedgerId = (ledgerId: unknown): string | undefined =>
  LedgerId.is(ledgerId) ? undefined : outOfRange("ledger id", ledgerId)

/** What is wrong with the id of an entry. */
export const checkEntryId = (ledgerId: unknown, entryId: unknown): string | undefined =>
  checkLedgerId(ledgerId) ?? (EntryId.is(entryId) ? undefined : outOfRange("entry id", entryId))

/** What is wrong with an entry and its location; says which entry it is. */
export const checkLocation = (ledgerId: unknown, entryId: unknown, location: unknown): string | undefined => {
  const problem =
    checkEntryId(ledgerId, entryId) ?? (Location.is(location) ? undefined : outOfRange("location", location))
  return problem === undefined ? undefined : `entry ${describe(entryId)} of ledger ${describe(ledgerId)}: ${problem}`
}

/** Looks at what a caller has passed, of which a property may throw. */
export const look = <A>(at: () => A): A | string => {
  try {
    return at()
  } catch (cause) {
    return `what was passed cannot be read: ${describe(cause)}`
  }
}

/** Whether a value has properties. */
export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const outOfRange = (what: string, value: unknown): string =>
  `the ${what} must be a bigint from 0 to 2^63-1, not ${typeof value === "bigint" ? value : `${typeof value} ${describe(value)}`}`

/** A value in a message. Not every object can be made a string. */
export const describe = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value !== "object" && typeof value !== "function") return String(value)
  try {
    return Object.prototype.toString.call(value)
  } catch {
    return "an object that cannot be read"
  }
}
