/**
 * Fills in the defaults of the options, and refuses what they cannot mean.
 */
import { type RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Options } from "../EntryLocationIndex.ts"
import * as Arguments from "./arguments.ts"

/** Options without gaps. */
export interface Settings {
  readonly durability: RocksDB.Durability
  /** In bytes. */
  readonly pageCacheSize: number
  /** In bytes. */
  readonly memtableSize: number
  readonly compactionInterval: Duration.Duration
}

/** In bytes. */
const defaultPageCacheSize = 64 * 1024 * 1024
const defaultMemtableSize = 96 * 1024 * 1024

/** The settings of the index of a database, or `InvalidArgument`. */
export const resolve = (
  options: Options | undefined,
  path: string
): Effect.Effect<Settings, RocksDBError.RocksDBError> =>
  Effect.suspend(() => {
    const settings = Arguments.look(() => read(options))
    return typeof settings === "string"
      ? Effect.fail(RocksDBError.invalidArgument(settings, { operation: "open", path }))
      : Effect.succeed(settings)
  })

/** The settings, or what is wrong with the options. */
const read = (options: Options = {}): Settings | string => {
  if (!Arguments.isObject(options)) return `the options must be an object, not ${Arguments.describe(options)}`
  const { durability = "sync", pageCacheSize, memtableSize, compactionInterval = "10 seconds" } = options
  const pageCache = sizeOf(pageCacheSize, defaultPageCacheSize)
  const memtables = sizeOf(memtableSize, defaultMemtableSize)
  const interval = durationOf(compactionInterval)
  if (durability !== "sync" && durability !== "buffered") {
    return `there is no durability ${Arguments.describe(durability)}: it is "sync" or "buffered"`
  }
  if (pageCache === undefined) return `pageCacheSize must be a size, not ${Arguments.describe(pageCacheSize)}`
  if (memtables === undefined) return `memtableSize must be a size, not ${Arguments.describe(memtableSize)}`
  if (interval === undefined) {
    return `compactionInterval must be a duration, not ${Arguments.describe(compactionInterval)}`
  }
  return { durability, pageCacheSize: pageCache, memtableSize: memtables, compactionInterval: interval }
}

/** A size in bytes, or `undefined` if it cannot be read or is not exact. */
const sizeOf = (input: ByteSize.Input | undefined, ifAbsent: number): number | undefined =>
  input === undefined ? ifAbsent : Option.getOrUndefined(Option.flatMap(ByteSize.fromInput(input), ByteSize.toNumber))

/** A duration, or `undefined` if it cannot be read or is negative. */
const durationOf = (input: Duration.Input): Duration.Duration | undefined => {
  const duration = Option.getOrUndefined(Duration.fromInput(input))
  if (duration === undefined || Duration.isNegative(duration)) return undefined
  // What is not a number is a duration of nothing to Effect, and here it would be a loop without a pause.
  return Duration.isZero(duration) && !isZero(input) ? undefined : duration
}

const isZero = (input: Duration.Input): boolean => {
  if (Duration.isDuration(input) || typeof input === "string") return true
  const parts: ReadonlyArray<unknown> = typeof input === "object" ? Object.values(input) : [input]
  return parts.length > 0 && parts.every((part) => part === 0 || part === 0n)
}
