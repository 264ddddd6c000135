/**
 * Reads what was thrown, whoever threw it. Where modules run in a realm of
 * their own (node:vm, and so Jest and vitest's vmThreads), an error of Node is
 * no `instanceof Error` there; so what tells is what it carries.
 */
import * as Predicate from "effect/Predicate"

/** The code of an error of Node or of a binding, such as `ENOENT`. */
export const codeOf = (cause: unknown): string | undefined =>
  Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined

/** What an error says; of what is no error, what it is. */
export const messageOf = (cause: unknown): string => {
  if (!Predicate.isObjectKeyword(cause)) return String(cause)
  return "message" in cause && typeof cause.message === "string" ? cause.message : Object.prototype.toString.call(cause)
}
