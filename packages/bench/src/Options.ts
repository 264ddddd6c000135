/**
 * What the bench is asked to do: the flags of the command line.
 */
import * as Os from "node:os"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { type EngineName, engineNames, engines } from "./Engines.ts"
import { lookupSize } from "./Session.ts"

/** Works by name, in the order in which they are done. */
export const workNames = [
  "add-widest",
  "add-wide",
  "add",
  "compact",
  "lookup-many",
  "lookup-one",
  "scan",
  "columns",
  "last",
  "lookup-cold",
  "lookup-runs",
  "delete",
  "event-loop"
] as const

export type WorkName = (typeof workNames)[number]

export interface Options {
  readonly entries: ReadonlyArray<number>
  /** How many ledgers `add`, `add-wide` and `add-widest` spread their entries over. */
  readonly ledgers: readonly [number, number, number]
  readonly flushSize: number
  readonly deletedEntries: number
  readonly turns: number
  /** In milliseconds. */
  readonly turnTime: number
  /** In bytes. */
  readonly cacheSize: number
  readonly engines: ReadonlyArray<EngineName>
  readonly works: ReadonlyArray<WorkName>
  readonly seed: number
  /** Where databases go, each in a directory of its own, and are removed at the end. */
  readonly directory: string
  readonly json: string | undefined
  readonly chart: string | undefined
}

export const help = `npm run bench -- [flags]

  --quick           little of everything, in less than a minute; its figures mean nothing
  --huge            1 M and 100 M entries, adding alone, through ours alone
  --bookkeeper      Apache BookKeeper's own index too; needs Java 17 and Maven
  --engines LIST    ${engineNames.join(", ")}
  --works LIST      ${workNames.join(", ")}
  --entries LIST    sizes, such as 1M,10M (default)
  --ledgers A,B,C   ledgers of add, add-wide and add-widest (default 1000,10000,100000)
  --flush N         entries a flush (default 100k)
  --deleted N       entries of the ledger that is deleted (default 1M)
  --turns N         turns of each work (default 5)
  --turn-time MS    how long a turn of a lookup takes at least (default 500)
  --cache MIB       size of the caches while adding (default 64)
  --seed N          another seed, other entries (default 1)
  --dir DIR         where the databases are kept while the bench runs (default ${Os.tmpdir()})
  --json FILE       all figures, of each turn
  --chart FILE.svg  a chart of the medians`

/** Reads the flags; "help" if that is asked for. Throws a `RangeError` or a `TypeError` that says which flag is wrong. */
export const parse = (flags: ReadonlyArray<string>): Options | "help" => {
  const { values } = parseArgs({
    args: [...flags],
    options: {
      help: { type: "boolean", short: "h" },
      quick: { type: "boolean" },
      huge: { type: "boolean" },
      bookkeeper: { type: "boolean" },
      engines: { type: "string" },
      works: { type: "string" },
      entries: { type: "string" },
      ledgers: { type: "string" },
      flush: { type: "string" },
      deleted: { type: "string" },
      turns: { type: "string" },
      "turn-time": { type: "string" },
      cache: { type: "string" },
      seed: { type: "string" },
      dir: { type: "string" },
      json: { type: "string" },
      chart: { type: "string" }
    }
  })
  if (values.help === true) return "help"
  const preset = values.quick === true ? quick : values.huge === true ? huge : full
  const [narrow, wide, widest] = numbers("--ledgers", values.ledgers, preset.ledgers)
  if (narrow === undefined || wide === undefined || widest === undefined) throw wrong("--ledgers", "three numbers")
  const entries = numbers("--entries", values.entries, preset.entries)
  const flushSize = number("--flush", values.flush, preset.flushSize)
  if ([narrow, wide, widest].some((ledgers) => flushSize % ledgers !== 0)) {
    throw wrong("--flush", "a multiple of each number of ledgers: a flush has as many entries of each")
  }
  if (entries.some((size) => size % flushSize !== 0 || size % lookupSize !== 0)) {
    throw wrong("--entries", `multiples of ${flushSize}, which is a flush, and of ${lookupSize}, which is a lookup`)
  }
  const deletedEntries = number("--deleted", values.deleted, preset.deletedEntries)
  if (deletedEntries % Math.min(flushSize, deletedEntries) !== 0) throw wrong("--deleted", `a multiple of ${flushSize}`)
  return {
    entries,
    ledgers: [narrow, wide, widest],
    flushSize,
    deletedEntries,
    turns: number("--turns", values.turns, preset.turns),
    turnTime: number("--turn-time", values["turn-time"], preset.turnTime),
    cacheSize: number("--cache", values.cache, 64) * 2 ** 20,
    engines: enginesOf(values.engines, values.bookkeeper === true, preset.engines),
    works: names("--works", values.works, workNames, preset.works),
    seed: number("--seed", values.seed, 1),
    directory: Path.resolve(values.dir ?? Os.tmpdir()),
    json: values.json,
    chart: values.chart
  }
}

interface Preset extends Pick<
  Options,
  "entries" | "ledgers" | "flushSize" | "deletedEntries" | "turns" | "turnTime" | "works"
> {
  readonly engines: ReadonlyArray<EngineName>
}

const full: Preset = {
  entries: [1e6, 1e7],
  ledgers: [1000, 10_000, 100_000],
  flushSize: 100_000,
  deletedEntries: 1e6,
  turns: 5,
  turnTime: 500,
  works: workNames,
  engines: engineNames.filter((name) => name !== "bookkeeper")
}

const quick: Preset = {
  ...full,
  entries: [50_000],
  ledgers: [50, 500, 5000],
  flushSize: 5000,
  deletedEntries: 50_000,
  turns: 2,
  turnTime: 20
}

const huge: Preset = { ...full, entries: [1e6, 1e8], works: ["add"], engines: ["ours"] }

const enginesOf = (
  flag: string | undefined,
  withBookKeeper: boolean,
  byDefault: ReadonlyArray<EngineName>
): ReadonlyArray<EngineName> => {
  const chosen = names("--engines", flag, engineNames, byDefault)
  const all = engineNames.filter((name) => chosen.includes(name) || (name === "bookkeeper" && withBookKeeper))
  const orphan = all.find((name) => {
    const { variantOf } = engines[name]
    return variantOf !== undefined && !all.includes(variantOf)
  })
  if (orphan !== undefined) throw wrong("--engines", `${engines[orphan].variantOf} beside ${orphan}`)
  return all
}

const names = <A extends string>(
  flag: string,
  value: string | undefined,
  known: ReadonlyArray<A>,
  byDefault: ReadonlyArray<A>
): ReadonlyArray<A> => {
  if (value === undefined) return byDefault
  const chosen = value.split(",")
  const unknown = chosen.find((name) => !known.some((other) => other === name))
  if (unknown !== undefined) throw wrong(flag, `some of ${known.join(", ")}, not ${unknown}`)
  return known.filter((name) => chosen.includes(name))
}

const number = (flag: string, value: string | undefined, byDefault: number): number =>
  numbers(flag, value, [byDefault])[0] ?? byDefault

/** Whole numbers above 0 with commas between, each with a `k` or an `M` behind it if it is thousands or millions. */
const numbers = (flag: string, value: string | undefined, byDefault: ReadonlyArray<number>): ReadonlyArray<number> =>
  value?.split(",").map((word) => {
    const [, digits = "", unit = ""] = /^(\d+)([kM]?)$/.exec(word) ?? []
    const parsed = Number(digits) * (unit === "k" ? 1e3 : unit === "M" ? 1e6 : 1)
    if (!Number.isSafeInteger(parsed) || parsed === 0)
      throw wrong(flag, `a whole number such as 100k or 1M, not ${word}`)
    return parsed
  }) ?? byDefault

const wrong = (flag: string, wanted: string): RangeError => new RangeError(`${flag} must be ${wanted}`)
