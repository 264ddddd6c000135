/**
 * Names a value in a message, whatever the value is: also one that no operator
 * may touch, such as a proxy that has been revoked.
 */
import { isProxy } from "node:util/types"

/** Such as `5n`, `"text"`, `null` or, of an object, `DataView`. */
export const describe = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > longest ? `${value.slice(0, longest)}…` : value)
    case "bigint":
      return `${value}n`
    case "function":
      return "a function"
    case "object":
      return value === null ? "null" : describeObject(value)
    default:
      return String(value)
  }
}

/** In characters. */
const longest = 60

const describeObject = (value: object): string => {
  if (isProxy(value)) return "a Proxy"
  try {
    return Object.prototype.toString.call(value).slice("[object ".length, -1)
  } catch {
    return "an object that cannot be read"
  }
}
