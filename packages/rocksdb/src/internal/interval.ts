/**
 * Turns the four optional bounds of a range into one interval: the tighter
 * bound of each side, or nothing where no key can lie between them.
 */
import * as Bytes from "effect/Bytes"
import type { Bound, Interval, Operation } from "../Engine.ts"
import type { Range } from "../RocksDB.ts"

/** The interval of a range, or `undefined` if it is empty. */
export const fromRange = (range: Range | undefined): Interval | undefined => {
  const lower = tighter(bound(range?.gt, false), bound(range?.gte, true), 1)
  const upper = tighter(bound(range?.lt, false), bound(range?.lte, true), -1)
  if (lower !== undefined && upper !== undefined) {
    const order = Bytes.Order(lower.key, upper.key)
    if (order > 0 || (order === 0 && !(lower.inclusive && upper.inclusive))) return undefined
  }
  return { lower, upper }
}

/** The operations without the range deletes that remove nothing. */
export const withoutEmptyRanges = (operations: ReadonlyArray<Operation>): ReadonlyArray<Operation> =>
  operations.some(isEmptyRange) ? operations.filter((operation) => !isEmptyRange(operation)) : operations

const isEmptyRange = (operation: Operation): boolean =>
  operation.type === "removeRange" && Bytes.Order(operation.gte, operation.lt) >= 0

const bound = (key: Uint8Array | undefined, inclusive: boolean): Bound | undefined =>
  key === undefined ? undefined : { key, inclusive }

/** Of an exclusive and an inclusive bound, the one further in the direction; the exclusive one if they are equal. */
const tighter = (exclusive: Bound | undefined, inclusive: Bound | undefined, direction: 1 | -1): Bound | undefined => {
  if (exclusive === undefined || inclusive === undefined) return exclusive ?? inclusive
  return Bytes.Order(exclusive.key, inclusive.key) * direction >= 0 ? exclusive : inclusive
}
