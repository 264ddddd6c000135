/**
 * The operating system's own name for what went wrong, such as `EMFILE`.
 */
import * as Os from "node:os"

/** The code that Node gives an error, or `undefined`. Also of an error of another realm. */
export const of = (cause: unknown): string | undefined => {
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined
  const code = String(cause.code)
  // What libuv has no name for.
  const number = /^Unknown system error -(\d+)$/.exec(code)?.[1]
  return number === undefined ? code : (names.get(Number(number)) ?? code)
}

/** Whether an error has a code. */
export const has = (cause: unknown, code: string): boolean => of(cause) === code

const names = new Map(Object.entries(Os.constants.errno).map(([name, number]) => [number, name]))
