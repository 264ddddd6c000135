/**
 * Fills in the defaults of the options and refuses what no storage could do.
 */
import type * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Durability, Options } from "../LedgerStorage.ts"
import * as LedgerStorageError from "../LedgerStorageError.ts"
import * as Arguments from "./arguments.ts"

/** Options without gaps; sizes in bytes, rates in bytes a second. */
export interface Settings {
  readonly durability: Durability
  readonly maxBytesInFlight: number
  readonly recentEntries: number
  readonly readAhead: number
  readonly readOnly: boolean
  /** How many ledgers are kept in memory that nobody uses; no option. */
  readonly maxIdleLedgers: number
  readonly collector: {
    readonly interval: Duration.Duration
    /** From 0 to 1. */
    readonly garbageTarget: number
    readonly rate: number | undefined
    readonly reserve: number | undefined
  }
}

/** The settings of no options. */
export const defaults: Settings = {
  durability: "sync",
  maxBytesInFlight: 64 * 1024 * 1024,
  recentEntries: 32 * 1024 * 1024,
  readAhead: 1024 * 1024,
  readOnly: false,
  maxIdleLedgers: 65_536,
  collector: { interval: Duration.minutes(1), garbageTarget: 0.3, rate: undefined, reserve: undefined }
}

/** The settings of the options, or `InvalidArgument`. */
export const resolve = (
  options: Options,
  storage: string
): Effect.Effect<Settings, LedgerStorageError.LedgerStorageError> => {
  const { collector = {} } = options
  const settings: Settings = {
    durability: options.durability ?? defaults.durability,
    maxBytesInFlight: size(options.maxBytesInFlight, defaults.maxBytesInFlight),
    recentEntries: size(options.recentEntries, defaults.recentEntries),
    readAhead: size(options.readAhead, defaults.readAhead),
    readOnly: options.readOnly ?? defaults.readOnly,
    maxIdleLedgers: defaults.maxIdleLedgers,
    collector: {
      interval:
        collector.interval === undefined
          ? defaults.collector.interval
          : Option.getOrElse(Duration.fromInput(collector.interval), () => invalid),
      garbageTarget: collector.garbageTarget ?? defaults.collector.garbageTarget,
      rate: collector.rate === undefined ? undefined : Arguments.toBytes(collector.rate),
      reserve: collector.reserve === undefined ? undefined : Arguments.toBytes(collector.reserve)
    }
  }
  const problem = problemOf(settings)
  return problem === undefined
    ? Effect.succeed(settings)
    : Effect.fail(LedgerStorageError.invalidArgument(problem, { operation: "open", storage }))
}

const size = (input: ByteSize.Input | undefined, ifAbsent: number): number =>
  input === undefined ? ifAbsent : Arguments.toBytes(input)

/** Stands for a duration that could not be read; no valid interval is negative. */
const invalid = Duration.negativeInfinity

const problemOf = ({ collector, durability, maxBytesInFlight, readAhead, readOnly, recentEntries }: Settings) => {
  if (!(maxBytesInFlight > 0)) return "maxBytesInFlight must be a size above 0"
  if (!(recentEntries >= 0)) return "recentEntries must be a size"
  if (recentEntries > maxRecentEntries) return "recentEntries must be at most 2 GiB"
  if (!(readAhead > 0)) return "readAhead must be a size above 0"
  if (typeof readOnly !== "boolean") return "readOnly must be true or false"
  if (Duration.toMillis(collector.interval) <= 0) return "the interval of the collector must be a duration above 0"
  if (collector.rate !== undefined && !(collector.rate > 0)) {
    return "the rate of the collector must be a size above 0, in bytes a second"
  }
  if (Number.isNaN(collector.reserve)) return "the reserve of the collector must be a size"
  return Arguments.checkDurability(durability) ?? Arguments.checkGarbageTarget(collector.garbageTarget)
}

/** One buffer holds them. */
const maxRecentEntries = 2 ** 31
