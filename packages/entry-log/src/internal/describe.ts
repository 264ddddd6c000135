/**
 * A value in the words of an error message: short, whatever the value is.
 */

import { isProxy } from "node:util/types"

/** Such as `NaN`, `10n`, `undefined`, `Array`, or, of a text, the text. */
export const describe = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > longestText ? `${value.slice(0, longestText)}…` : value)
    case "bigint":
      return `${value}n`
    case "object":
    case "function":
      if (value === null) return "null"
      return isProxy(value) ? "Proxy" : Object.prototype.toString.call(value).slice("[object ".length, -1)
    default:
      return String(value)
  }
}

/** In UTF-16 code units. */
const longestText = 40
