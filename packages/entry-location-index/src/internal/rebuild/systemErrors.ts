/**
 * Errors of the operating system, told by their code: those of another realm are
 * no `instanceof` anything.
 */
import * as Predicate from "effect/Predicate"

/** The code of an error, such as `ENOENT`. */
export const codeOf = (cause: unknown): string | undefined => {
  try {
    return Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined
  } catch {
    return undefined
  }
}

/** Answers `instead` of an error with one of these codes, and throws any other on. */
export const ifCode =
  <A>(instead: A, ...codes: ReadonlyArray<string>) =>
  (cause: unknown): A => {
    if (codes.includes(codeOf(cause) ?? "")) return instead
    throw cause
  }
