/**
 * Holds `EntryLog` against Apache BookKeeper itself, both ways, on random logs.
 *
 * A seed makes three directories: one that `EntryLog` wrote, one that
 * BookKeeper wrote, and one that BookKeeper wrote with direct I/O. Both sides
 * read, scan and describe all of them, and BookKeeper rebuilds its index from
 * each. Then the other side goes on in each directory, and all is done again.
 *
 * README.md has the options. Exits 1 if a seed fails, and 2 if Java or Maven is
 * missing.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import * as Comparison from "./interop/Comparison.ts"
import * as Judge from "./interop/Judge.ts"
import * as Ours from "./interop/Ours.ts"
import { Random } from "./interop/Random.ts"
import * as Table from "./interop/Table.ts"

/** The directories of a seed, and what is wrong with them. */
interface Trial {
  readonly seed: number
  readonly ours: string
  /** Each with the command that writes it. */
  readonly theirs: ReadonlyArray<{ readonly path: string; readonly command: string }>
  problem: string | undefined
}

const main = async (): Promise<number> => {
  const missing = Judge.missing()
  if (missing.length > 0) {
    console.error(
      `${missing.join(" and ")} cannot be started, and BookKeeper is written in Java: install it and try again.`
    )
    return 2
  }
  const asked = readArguments(process.argv.slice(2))
  if (asked === undefined) {
    console.error("--seed must be a whole number from 0, and --seeds one from 1.")
    return 1
  }
  const { keep, seeds } = asked
  Judge.build()
  const root = keep ?? Fs.mkdtempSync(Path.join(Judge.folder, "target", "interop-"))
  const trials = seeds.map((seed) => trialOf(root, seed))

  await each(trials, async ({ ours, seed }) => Table.write(`${ours}.rows`, await Ours.write(ours, seed)))
  const said = [await Judge.run(trials.flatMap(({ seed, theirs }) => theirs.map(write(seed, ".rows"))))]
  said.push(await judge(trials, "at first"))
  said.push(await goOn(trials))
  said.push(await judge(trials, "gone on with by the other side"))

  for (const trial of trials) report(trial)
  const failed = trials.some(({ problem }) => problem !== undefined)
  if (failed) console.error(`${said.join("")}The directories are kept in ${root}`)
  else if (keep === undefined) Fs.rmSync(root, { recursive: true, force: true })
  return failed ? 1 : 0
}

/** The first is a multiple of five unless one is asked for: such a seed has logs with more than 10,000 ledgers. */
const readArguments = (
  args: ReadonlyArray<string>
): { readonly seeds: ReadonlyArray<number>; readonly keep: string | undefined } | undefined => {
  const { values } = parseArgs({
    args: [...args],
    options: { seed: { type: "string" }, seeds: { type: "string", default: "5" }, keep: { type: "string" } }
  })
  const first = values.seed === undefined ? 5 * Math.floor(Math.random() * 200_000) : Number(values.seed)
  const count = Number(values.seeds)
  if (!Number.isSafeInteger(first) || first < 0 || !Number.isSafeInteger(count) || count < 1) return undefined
  return { seeds: Array.from({ length: count }, (_, index) => first + index), keep: values.keep }
}

/** BookKeeper has direct I/O on Linux on x64 alone. */
const writers = process.platform === "linux" && process.arch === "x64" ? ["write", "write-direct"] : ["write"]

const trialOf = (root: string, seed: number): Trial => ({
  seed,
  ours: Path.join(root, `${seed}-EntryLog`),
  theirs: writers.map((command) => ({ path: Path.join(root, `${seed}-BookKeeper-${command}`), command })),
  problem: undefined
})

const write =
  (seed: number, ending: string) =>
  ({ command, path }: { readonly path: string; readonly command: string }): Judge.Command => ({
    output: path + ending,
    words: [command, path, String(seed)]
  })

/** Runs a step for each trial in which nothing is wrong yet. */
const each = async (trials: ReadonlyArray<Trial>, step: (trial: Trial) => Promise<void>): Promise<void> => {
  for (const trial of trials) {
    if (trial.problem !== undefined) continue
    try {
      await step(trial)
    } catch (cause) {
      trial.problem = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    }
  }
}

/** Asks both sides about every directory. */
const judge = async (trials: ReadonlyArray<Trial>, when: string): Promise<string> => {
  const whole = trials.filter(({ problem }) => problem === undefined)
  const said = await Judge.run(whole.flatMap((trial) => pathsOf(trial).flatMap(Comparison.questions)))
  await each(whole, async (trial) => {
    for (const path of pathsOf(trial)) {
      const problem = await Comparison.compare(path)
      if (problem !== undefined) trial.problem ??= `${Path.basename(path)}, ${when}: ${problem}`
    }
  })
  return said
}

const pathsOf = ({ ours, theirs }: Trial): ReadonlyArray<string> => [ours, ...theirs.map(({ path }) => path)]

/** Each side appends to the directories of the other one. */
const goOn = async (trials: ReadonlyArray<Trial>): Promise<string> => {
  const whole = trials.filter(({ problem }) => problem === undefined)
  const said = await Judge.run(whole.map(({ ours, seed }) => write(seed, ".more")({ path: ours, command: "write" })))
  await each(whole, async ({ ours, seed, theirs }) => {
    Table.write(`${ours}.rows`, [...Table.read(`${ours}.rows`), ...Table.read(`${ours}.more`)].map(Table.parse))
    for (const { command, path } of theirs) {
      const more = await Ours.session(path, new Random(seed, "more", command))
      Table.write(`${path}.rows`, [...Table.read(`${path}.rows`).map(Table.parse), ...more])
    }
  })
  return said
}

const report = (trial: Trial): void => {
  if (trial.problem !== undefined) {
    console.log(`seed ${trial.seed}: ${trial.problem}`)
    console.log(`  again: npm run interop -- --seed ${trial.seed} --seeds 1`)
    return
  }
  const paths = pathsOf(trial)
  const entries = paths.reduce((sum, path) => sum + Table.read(`${path}.rows`).length, 0)
  const logs = paths.reduce((sum, path) => sum + Fs.readdirSync(path).filter((name) => name.endsWith(".log")).length, 0)
  console.log(`seed ${trial.seed}: ${entries} entries in ${logs} logs, the same to EntryLog and to BookKeeper`)
}

process.exitCode = await main()
