/**
 * What a directory that may be damaged answers, and which of its answers must
 * not be: a typed error may, wrong data may not.
 */
import type { EntryLogError } from "@effect-bookie/entry-log"
import type { RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"

/** How anything of a damaged directory may fail. */
export type Failure = RocksDBError.RocksDBError | EntryLogError.EntryLogError

/** The answers of one directory. */
export class Answers {
  /** Whether there was an error. */
  hasErrors = false
  readonly #answers = new Set<string>()
  readonly #tell: (wrong: string) => void

  /** `tell` is told of what must not be. */
  constructor(tell: (wrong: string) => void) {
    this.#tell = tell
  }

  /** Notes an answer that may be, and that is not simply right. */
  note(answer: string): void {
    this.#answers.add(answer)
  }

  /** Tells of what must not be. */
  wrong(what: string): void {
    this.#tell(what)
  }

  /** The first answer that was not simply right. */
  get summary(): string {
    return [...this.#answers][0] ?? "right"
  }

  /** Runs a step: its value, or `undefined` after a typed error, which is noted. */
  attempt<A, R>(what: string, step: Effect.Effect<A, Failure, R>): Effect.Effect<A | undefined, never, R> {
    return Effect.map(Effect.result(step), (result) => {
      if (result._tag === "Success") return result.success
      const { _tag } = result.failure.reason
      this.note(_tag)
      this.hasErrors = true
      if (!allowed.has(_tag)) this.wrong(`${what} answers ${_tag}: ${result.failure.message}`)
      return undefined
    })
  }
}

/** The typed errors that damage may lead to. Every other one hides the damage, or blames someone else. */
const allowed = new Set(["Corruption", "IOError", "UnsupportedFormat", "MissingDatabase", "NotFound", "WrongEntry"])
