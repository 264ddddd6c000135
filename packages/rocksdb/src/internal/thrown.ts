/**
 * Reads what was thrown, whoever threw it. Where modules run in a realm of
 * their own (node:vm, and so Jest and vitest's vmThreads), an error of Node is
 * no `instanceof Error` there; so what tells is what it carries.
 */
import * as Predicate from "effect/Predicate"
import { isProxy } from "node:util/types"
import { describe } from "./describe.ts"

/** The code of an error of Node or of a binding, such as `ENOENT`. */
export const codeOf = (cause: unknown): string | undefined => textOf(cause, "code")

/** The tag of an error of Effect's, or of one like it. */
export const tagOf = (cause: unknown): string | undefined => textOf(cause, "_tag")

/** What an error says; of what is no error, what it is. */
export const messageOf = (cause: unknown): string =>
  textOf(cause, "message") ?? (typeof cause === "string" ? cause : describe(cause))

/** What an error can have as its cause: the same, but for a proxy, which nobody need be able to touch. */
export const toCause = (cause: unknown): unknown => (isProxy(cause) ? new Error("a Proxy was thrown") : cause)

/** What an error carries under a name; `undefined` if it has none of that, or it cannot be read. */
export const property = (cause: unknown, name: string): unknown => {
  try {
    return Predicate.hasProperty(cause, name) ? cause[name] : undefined
  } catch {
    return undefined
  }
}

const textOf = (cause: unknown, name: "_tag" | "code" | "message"): string | undefined => {
  const text = property(cause, name)
  return typeof text === "string" ? text : undefined
}
