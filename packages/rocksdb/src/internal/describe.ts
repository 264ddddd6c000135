/**
 * Names a value in a message, in few characters, whatever the value is: also one
 * that no operator may touch, such as a proxy that has been revoked.
 */
import { isProxy } from "node:util/types"

/** Such as `5n`, `"text"`, `null` or, of an object, `DataView`. */
export const describe = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(shortened(value))
    case "bigint":
      return BigInt.asIntN(mostBits, value) === value ? `${value}n` : `a bigint of more than ${mostBits} bits`
    case "function":
      return "a function"
    case "object":
      return value === null ? "null" : shortened(describeObject(value))
    default:
      return shortened(String(value))
  }
}

const shortened = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text)

/** In characters. */
const longest = 60

/** Of a bigint whose digits are told. */
const mostBits = 128

const describeObject = (value: object): string => {
  if (isProxy(value)) return "a Proxy"
  try {
    return Object.prototype.toString.call(value).slice("[object ".length, -1)
  } catch {
    return "an object that cannot be read"
  }
}
