/**
 * A value in the words of an error message: short, whatever the value is, and
 * also where no operator may touch it, such as a proxy that has been revoked.
 */
import { isProxy } from "node:util/types"

/** Such as `NaN`, `10n`, `undefined`, `Array`, or, of a text, the text. */
export const describe = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(shortened(value))
    case "bigint":
      return BigInt.asIntN(mostBits, value) === value ? `${value}n` : `a bigint of more than ${mostBits} bits`
    case "object":
    case "function":
      return value === null ? "null" : shortened(describeObject(value))
    default:
      return shortened(String(value))
  }
}

const describeObject = (value: object): string => {
  if (isProxy(value)) return "Proxy"
  try {
    return Object.prototype.toString.call(value).slice("[object ".length, -1)
  } catch {
    return "an object that cannot be read"
  }
}

const shortened = (text: string): string => (text.length > longestText ? `${text.slice(0, longestText)}…` : text)

/** In UTF-16 code units. */
const longestText = 40

/** Of a bigint whose digits are told. */
const mostBits = 128
