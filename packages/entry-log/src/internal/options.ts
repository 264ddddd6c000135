/**
 * Fills in the defaults of the options and refuses what no entry log could do.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "node:path"
import type { Options } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import * as Format from "./format.ts"

/** Options without gaps; sizes in bytes. */
export interface Settings {
  /** Absolute. */
  readonly directory: string
  readonly maxLogSize: number
  /** Ids included. */
  readonly maxEntrySize: number
  readonly readOnly: boolean
}

/** The settings of the options, or `InvalidArgument`. */
export const resolve = (options: Options): Effect.Effect<Settings, EntryLogError.EntryLogError> => {
  const { directory, readOnly = false } = options
  const maxLogSize = options.maxLogSize === undefined ? defaultMaxLogSize : bytes(options.maxLogSize)
  const maxEntrySize = options.maxEntrySize === undefined ? defaultMaxEntrySize : bytes(options.maxEntrySize)
  const problem = problemOf(directory, maxLogSize, maxEntrySize)
  return problem === undefined
    ? Effect.succeed({ directory: Path.resolve(directory), maxLogSize, maxEntrySize, readOnly })
    : Effect.fail(EntryLogError.invalidArgument(problem, { operation: "open", path: String(directory) }))
}

/** In bytes, as BookKeeper's. */
const defaultMaxLogSize = 1024 * 1024 * 1024

/** In bytes: a little more than the 5 MiB of the largest request that BookKeeper accepts. */
const defaultMaxEntrySize = 5121 * 1024

/** BookKeeper holds positions in a log as positive int32. */
const maxMaxLogSize = 0x7fff_ffff

const minMaxLogSize = Format.headerSize + Format.entryHeaderSize

/** A size in bytes, or NaN if it cannot be read or is not exact. */
const bytes = (input: ByteSize.Input): number =>
  Option.getOrElse(Option.flatMap(ByteSize.fromInput(input), ByteSize.toNumber), () => Number.NaN)

const problemOf = (directory: string, maxLogSize: number, maxEntrySize: number): string | undefined => {
  if (typeof directory !== "string" || directory === "") return "the directory must be a non-empty string"
  if (directory.includes("\0")) return "the directory must not contain a NUL character"
  if (!(maxLogSize >= minMaxLogSize && maxLogSize <= maxMaxLogSize)) {
    return `maxLogSize must be a size from ${minMaxLogSize} bytes to 2 GiB - 1`
  }
  if (!(maxEntrySize >= Format.idsSize && maxEntrySize <= maxMaxLogSize)) {
    return `maxEntrySize must be a size from ${Format.idsSize} bytes to 2 GiB - 1`
  }
  return undefined
}
