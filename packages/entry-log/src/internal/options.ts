/**
 * Fills in the defaults of the options and refuses what no entry log could do.
 */
import * as ByteSize from "effect/ByteSize"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "node:path"
import type { Options } from "../EntryLog.ts"
import type * as EntryLogError from "../EntryLogError.ts"
import { describe } from "./describe.ts"
import * as Format from "./format.ts"
import { Refusal, taken } from "./refusal.ts"

/** Options without gaps; sizes in bytes. */
export interface Settings {
  /** Absolute. */
  readonly directory: string
  readonly maxLogSize: number
  /** Ids included. */
  readonly maxEntrySize: number
  readonly readOnly: boolean
  readonly preamble: Options["preamble"]
}

/** The settings of the options as they are when the effect runs, or `InvalidArgument`. */
export const resolve = (options: Options): Effect.Effect<Settings, EntryLogError.EntryLogError> =>
  taken({ operation: "open", path: pathOf(options) }, () => settingsOf(options))

const settingsOf = (options: Options): Settings => {
  const { directory, maxEntrySize, maxLogSize, preamble, readOnly = false } = options ?? {}
  const settings = {
    directory,
    maxLogSize: maxLogSize === undefined ? defaultMaxLogSize : bytes(maxLogSize),
    maxEntrySize: maxEntrySize === undefined ? defaultMaxEntrySize : bytes(maxEntrySize),
    readOnly,
    preamble
  }
  const problem =
    problemOfDirectory(directory) ??
    problemOfSize("maxLogSize", maxLogSize, settings.maxLogSize, minMaxLogSize) ??
    problemOfSize("maxEntrySize", maxEntrySize, settings.maxEntrySize, Format.idsSize) ??
    problemOfReadOnly(readOnly) ??
    problemOfPreamble(preamble)
  if (problem !== undefined) throw new Refusal(problem)
  return { ...settings, directory: Path.resolve(directory) }
}

/** In bytes, as BookKeeper's. */
const defaultMaxLogSize = 1024 * 1024 * 1024

/** In bytes: a little more than the 5 MiB of the largest request that BookKeeper accepts. */
const defaultMaxEntrySize = 5121 * 1024

/** In bytes. BookKeeper holds positions in a log and sizes of entries as positive int32. */
const maxSize = 0x7fff_ffff

const minMaxLogSize = Format.headerSize + Format.entryHeaderSize

/** A size in bytes, or NaN if it cannot be read or is not exact. */
const bytes = (input: ByteSize.Input): number =>
  Option.getOrElse(Option.flatMap(ByteSize.fromInput(input), ByteSize.toNumber), () => Number.NaN)

const problemOfDirectory = (directory: unknown): string | undefined => {
  if (typeof directory !== "string" || directory === "") {
    return `the directory must be a path, a string that is not empty, not ${describe(directory)}`
  }
  if (/^file:\/\//i.test(directory)) {
    return `the directory must be a path, not the URL ${describe(directory)}: convert it with fileURLToPath`
  }
  return directory.includes("\0") ? "the directory must not contain a NUL character" : undefined
}

const problemOfSize = (name: string, input: unknown, size: number, minimum: number): string | undefined =>
  size >= minimum && size <= maxSize
    ? undefined
    : `${name} must be a whole number of bytes from ${minimum} to 2 GiB - 1, such as 1048576 or "1 MiB", ` +
      `not ${describe(input)}`

const problemOfReadOnly = (readOnly: unknown): string | undefined =>
  typeof readOnly === "boolean" ? undefined : `readOnly must be true or false, not ${describe(readOnly)}`

/** Of an option, or of what a writer is made with. */
export const problemOfPreamble = (preamble: unknown): string | undefined =>
  preamble === undefined || typeof preamble === "function"
    ? undefined
    : `preamble must be a function of the id of a log, not ${describe(preamble)}`

/** For the error; the directory may be what is wrong. */
const pathOf = (options: Options): string => {
  try {
    const directory: unknown = options?.directory
    return typeof directory === "string" ? directory : describe(directory)
  } catch {
    return describe(options)
  }
}
