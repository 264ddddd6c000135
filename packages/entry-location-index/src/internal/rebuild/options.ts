/**
 * Reads the options of a rebuild once, at its beginning, and refuses what they
 * cannot mean.
 */
import type { EntryLog, LedgerId } from "@effect-bookie/entry-log"
import { RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import type { Options, Progress } from "../../IndexRebuild.ts"
import * as Arguments from "../arguments.ts"

/** Options without gaps. */
export interface Settings {
  readonly entryLogs: string
  readonly database: string
  readonly includes: (ledgerId: LedgerId.LedgerId) => boolean
  readonly onProgress: (progress: Progress) => Effect.Effect<void>
  readonly maxEntrySize: EntryLog.Options["maxEntrySize"]
  readonly salvage: boolean
  readonly overwrite: boolean
}

/** The settings of the options, or `InvalidArgument`. */
export const resolve = (options: Options): Effect.Effect<Settings, RocksDBError.RocksDBError> =>
  Effect.suspend(() => {
    const settings = Arguments.look(() => read(options))
    if (typeof settings === "string") return refuse(settings, "")
    const problem = problemOf(settings)
    return problem === undefined ? Effect.succeed(settings) : refuse(problem, settings.database)
  })

const refuse = (problem: string, path: unknown) =>
  Effect.fail(
    RocksDBError.invalidArgument(problem, {
      operation: "rebuild",
      path: typeof path === "string" ? path : Arguments.describe(path)
    })
  )

const read = (options: Options): Settings | string => {
  if (!Arguments.isObject(options)) return `the options must be an object, not ${Arguments.describe(options)}`
  const {
    database,
    entryLogs,
    includes = () => true,
    maxEntrySize,
    onProgress = () => Effect.void,
    overwrite = false,
    salvage = false
  } = options
  return { database, entryLogs, includes, maxEntrySize, onProgress, overwrite, salvage }
}

const problemOf = ({ database, entryLogs, includes, onProgress, overwrite, salvage }: Settings): string | undefined => {
  if (!isPath(database)) return `the database must be the path of a directory, not ${Arguments.describe(database)}`
  if (!isPath(entryLogs)) return `entryLogs must be the path of a directory, not ${Arguments.describe(entryLogs)}`
  if (typeof includes !== "function") return `includes must be a function, not ${Arguments.describe(includes)}`
  if (typeof onProgress !== "function") return `onProgress must be a function, not ${Arguments.describe(onProgress)}`
  if (typeof salvage !== "boolean") return `salvage must be true or false, not ${Arguments.describe(salvage)}`
  if (typeof overwrite !== "boolean") return `overwrite must be true or false, not ${Arguments.describe(overwrite)}`
  return undefined
}

const isPath = (value: unknown): boolean => typeof value === "string" && value !== "" && !value.includes("\0")
