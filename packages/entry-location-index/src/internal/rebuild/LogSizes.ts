/**
 * How large the entry logs of a directory are, to tell how far a scan is.
 */
import { EntryLogError, Location } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import * as LogFiles from "./logFiles.ts"

/** The sizes of logs, by their ids. */
export class LogSizes {
  /** The logs by id, and how many bytes those before each have. */
  readonly #logs: ReadonlyArray<{ readonly id: number; readonly before: number }>
  /** How many bytes all logs have. */
  readonly total: number

  private constructor(logs: ReadonlyArray<LogFiles.LogFile>) {
    let total = 0
    this.#logs = logs.map(({ id, size }) => {
      const before = total
      total += size
      return { id, before }
    })
    this.total = total
  }

  /** The ids of the logs, ascending. */
  get ids(): ReadonlyArray<number> {
    return this.#logs.map(({ id }) => id)
  }

  /** How many logs there are. */
  get count(): number {
    return this.#logs.length
  }

  /** How many bytes there are up to a location. */
  upTo(location: Location.Location): number {
    const logId = Location.logId(location)
    const before = this.#logs.find(({ id }) => id === logId)?.before ?? 0
    return Math.min(this.total, before + Location.position(location))
  }

  /** Reads the sizes of the logs in a directory; `NotFound` if a link to one leads nowhere, unless those are passed over. */
  static read(directory: string, salvage: boolean): Effect.Effect<LogSizes, EntryLogError.EntryLogError> {
    return Effect.tryPromise({
      try: async () => {
        const dangling = salvage ? undefined : await LogFiles.findDangling(directory)
        if (dangling === undefined) return new LogSizes(await LogFiles.list(directory))
        throw EntryLogError.danglingLog(dangling.target, { operation: "rebuild", path: dangling.path })
      },
      catch: (cause) => EntryLogError.fromSystem(cause, { operation: "rebuild", path: directory })
    })
  }
}
