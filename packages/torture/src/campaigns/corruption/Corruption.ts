/**
 * `corruption`: databases, pages and entry logs with damage, each read, written
 * to and rebuilt, in child processes with bounded memory and time.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Campaign, Outcome, Settings } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Process from "../../harness/Process.ts"
import { repeatInLanes } from "../../harness/Rounds.ts"

/** The campaign. */
export const corruption: Campaign = {
  name: "corruption",
  promise: "Damaged files give right data or a typed error: no crash, no hang, no wrong data, bounded memory.",
  run: (settings) => Effect.scoped(Effect.flatMap(Directory.inMemory, (room) => run(settings, room)))
}

/** How many mutants a child process works through. */
const mutantsPerChild = 25

/** How many children there are. */
const children = 40

/** How many of them work at a time: RocksDB waits for a second where a compaction meets damage. */
const lanes = 4

/** In seconds, for a child; it only ends what hangs. */
const deadline = 600

const run = (settings: Settings, room: string): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const findings = new Findings()
    const kinds = new Map<string, number>()
    const round = Effect.fnUntraced(function* (number: number) {
      const seed = settings.seed + number
      const directory = Path.join(room, String(number))
      Fs.mkdirSync(directory)
      const ended = yield* Process.run(
        Process.program("campaigns/corruption/mutants", directory, String(seed), "0", String(mutantsPerChild)),
        { env: { NODE_OPTIONS: "--max-old-space-size=192" }, seconds: deadline }
      )
      Fs.rmSync(directory, { recursive: true })
      read(seed, ended, findings, kinds)
      return findings.none
    })
    const mutants = (yield* repeatInLanes(settings, lanes, children, round)) * mutantsPerChild
    const outcomes = [...kinds]
      .toSorted(([, left], [, right]) => right - left)
      .map(([what, count]) => `${count} ${what}`)
    return { did: `${mutants} mutants: ${outcomes.join(", ")}`, found: findings.all }
  })

/** Gathers what a child said of its mutants. */
const read = (seed: number, ended: Process.Ended, findings: Findings, kinds: Map<string, number>): void => {
  let mutant = ""
  for (const line of ended.stdout.split("\n")) {
    const [word = ""] = line.split(" ")
    const rest = line.slice(word.length + 1)
    if (word === "begin") mutant = `seed ${seed}, mutant ${rest}`
    if (word === "what") mutant += `, ${rest}`
    if (word === "wrong") findings.add(`${mutant}: ${rest}`)
    if (word !== "end") continue
    const answer = rest.slice(rest.indexOf(": ") + 2)
    kinds.set(answer, (kinds.get(answer) ?? 0) + 1)
  }
  if (ended.code !== 0) findings.add(`${mutant}: the process ${Process.describe(ended)}`)
}
