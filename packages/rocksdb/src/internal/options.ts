/**
 * Fills in the defaults of the options and refuses what no engine could do. A
 * refusal names the option, what it was and what it may be.
 */
import * as ByteSize from "effect/ByteSize"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Engine from "../Engine.ts"
import type { Durability, Options } from "../RocksDB.ts"
import type * as RocksDBError from "../RocksDBError.ts"
import * as Arguments from "./arguments.ts"
import { describe } from "./describe.ts"
import * as Durations from "./durations.ts"
import { Refusal, taken } from "./refusal.ts"

/** Options without gaps. */
export interface Settings {
  readonly open: Omit<Engine.OpenOptions, "checkDirectory">
  readonly durability: Durability
  readonly shutdownDeadline: Duration.Duration
}

/** The settings of the options as they are when the effect runs, or `InvalidArgument`. */
export const resolve = (options: Options): Effect.Effect<Settings, RocksDBError.RocksDBError> =>
  taken({ operation: "open", path: pathOf(options) }, () => settingsOf(options))

const settingsOf = (options: Options): Settings => {
  if (!Predicate.isObject(options)) throw new Refusal(`the options must be an object, not ${describe(options)}`)
  const { blockCacheSize, bloomBitsPerKey, createIfMissing = true, maxOpenFiles, path, readOnly = false } = options
  const { shutdownDeadline = "1 minute", writeBufferSize } = options
  return {
    open: {
      path: directory(path),
      readOnly: Arguments.flag(readOnly, "readOnly"),
      createIfMissing: Arguments.flag(createIfMissing, "createIfMissing"),
      writeBufferSize:
        optional(writeBufferSize, (given) =>
          size(given, "writeBufferSize", 1, maxWriteBufferSize, "1 byte to 64 GiB")
        ) ?? defaultWriteBufferSize,
      blockCacheSize: optional(blockCacheSize, (given) =>
        size(given, "blockCacheSize", 0, Number.MAX_SAFE_INTEGER, "0, for none, on")
      ),
      bloomBitsPerKey: optional(bloomBitsPerKey, bits),
      maxOpenFiles: optional(maxOpenFiles, fileCount)
    },
    durability: Arguments.durability(options, "sync"),
    shutdownDeadline: Durations.take(shutdownDeadline, "shutdownDeadline")
  }
}

/** In bytes. */
const defaultWriteBufferSize = 64 * 1024 * 1024

/** In bytes. RocksDB would make less of more, and say nothing. */
const maxWriteBufferSize = 64 * 1024 ** 3

const optional = <A, B>(given: A | undefined, take: (given: A) => B): B | undefined =>
  given === undefined ? undefined : take(given)

const directory = (given: unknown): string => {
  if (typeof given !== "string" || given === "" || given.includes("\0")) {
    throw new Refusal(`path must be a string that is not empty and has no NUL character, not ${describe(given)}`)
  }
  if (!/^file:\/\//i.test(given)) return given
  throw new Refusal(`path must be a path, not the URL ${describe(given)}: convert it with fileURLToPath`)
}

/** In bytes. */
const size = (given: ByteSize.Input, name: string, least: number, most: number, allowed: string): number => {
  const bytes = Option.getOrUndefined(Option.flatMap(ByteSize.fromInput(given), ByteSize.toNumber))
  if (bytes !== undefined && bytes >= least && bytes <= most) return bytes
  throw new Refusal(`${name} must be a size such as "64 MiB", from ${allowed}, not ${describe(given)}`)
}

const bits = (given: unknown): number => {
  if (typeof given === "number" && given >= 0 && given <= 64) return given
  throw new Refusal(`bloomBitsPerKey must be a number from 0, for none, to 64, not ${describe(given)}`)
}

const fileCount = (given: unknown): number => {
  if (typeof given === "number" && Number.isInteger(given) && given >= -1 && given !== 0 && given <= 0x7fff_ffff) {
    return given
  }
  throw new Refusal(`maxOpenFiles must be -1, for all, or a whole number from 1 to 2^31-1, not ${describe(given)}`)
}

/** For the error; the path may be what is wrong. */
const pathOf = (options: unknown): string => {
  try {
    return Predicate.hasProperty(options, "path") && typeof options.path === "string" ? options.path : ""
  } catch {
    return ""
  }
}
