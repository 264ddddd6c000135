/**
 * Fills in the defaults of the options and refuses what no engine could do.
 */
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Engine from "../Engine.ts"
import type { Durability, Options } from "../RocksDB.ts"
import * as RocksDBError from "../RocksDBError.ts"

/** Options without gaps. */
export interface Settings {
  readonly open: Engine.OpenOptions
  readonly durability: Durability
  readonly shutdownDeadline: Duration.Duration
}

/** The settings of the options, or `InvalidArgument`. */
export const resolve = (options: Options): Effect.Effect<Settings, RocksDBError.RocksDBError> => {
  const settings: Settings = {
    open: {
      path: options.path,
      readOnly: options.readOnly ?? false,
      createIfMissing: options.createIfMissing ?? true,
      writeBufferSize: options.writeBufferSize === undefined ? defaultWriteBufferSize : bytes(options.writeBufferSize),
      blockCacheSize: options.blockCacheSize === undefined ? undefined : bytes(options.blockCacheSize),
      bloomBitsPerKey: options.bloomBitsPerKey,
      maxOpenFiles: options.maxOpenFiles
    },
    durability: options.durability ?? "sync",
    shutdownDeadline: Option.getOrElse(Duration.fromInput(options.shutdownDeadline ?? "1 minute"), () => invalid)
  }
  const problem = problemOf(settings)
  return problem === undefined
    ? Effect.succeed(settings)
    : Effect.fail(RocksDBError.invalidArgument(problem, { operation: "open", path: String(options.path) }))
}

/** In bytes. */
const defaultWriteBufferSize = 64 * 1024 * 1024

/** Stands for a duration that could not be read; no valid deadline is negative. */
const invalid = Duration.negativeInfinity

/** A size in bytes, or NaN if it cannot be read or is not exact. */
const bytes = (input: ByteSize.Input): number =>
  Option.getOrElse(Option.flatMap(ByteSize.fromInput(input), ByteSize.toNumber), () => Number.NaN)

const problemOf = ({ durability, open, shutdownDeadline }: Settings): string | undefined => {
  if (typeof open.path !== "string" || open.path === "") return "the path must be a non-empty string"
  if (open.path.includes("\0")) return "the path must not contain a NUL character"
  if (!(open.writeBufferSize > 0)) return "writeBufferSize must be a size above 0"
  if (Number.isNaN(open.blockCacheSize)) return "blockCacheSize must be a size"
  if (open.bloomBitsPerKey !== undefined && !isBits(open.bloomBitsPerKey)) {
    return `bloomBitsPerKey must be a number from 0 to 64, not ${open.bloomBitsPerKey}`
  }
  if (open.maxOpenFiles !== undefined && !isFileCount(open.maxOpenFiles)) {
    return `maxOpenFiles must be -1 or a number of files, not ${open.maxOpenFiles}`
  }
  if (durability !== "sync" && durability !== "buffered") return `there is no durability ${String(durability)}`
  if (Duration.isNegative(shutdownDeadline)) return "shutdownDeadline must be a duration"
  return undefined
}

const isBits = (bits: number): boolean => bits >= 0 && bits <= 64

const isFileCount = (count: number): boolean => Number.isInteger(count) && count >= -1 && count <= 0x7fff_ffff
