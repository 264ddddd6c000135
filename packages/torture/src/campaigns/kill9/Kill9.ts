/**
 * `kill-9`: bookies that are killed at any moment, and go on with what they
 * left.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Campaign, Outcome, Settings } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Engines from "../../harness/Engines.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Kill from "../../harness/Kill.ts"
import * as Process from "../../harness/Process.ts"
import * as Random from "../../harness/Random.ts"
import { repeat } from "../../harness/Rounds.ts"
import { Expectation, progressOf } from "../../model/Expectation.ts"
import { inspectOn } from "../../model/Inspector.ts"

/** The campaign. */
export const kill9: Campaign = {
  name: "kill-9",
  promise:
    "After a SIGKILL every acknowledged entry is there, each batch whole or not at all, the count exact, and every location in the logs.",
  run: (settings) =>
    Effect.scoped(
      Effect.gen(function* () {
        const disk = yield* Directory.temporary
        const memory = yield* Directory.inMemory
        const level = Engines.level()
        const lanes = [
          { engine: Engines.native, room: disk, kills: 120 },
          { engine: Engines.native, room: memory, kills: 120 },
          ...(level === undefined ? [] : [{ engine: level, room: memory, kills: 60 }])
        ]
        return Engines.withAbsence(yield* run(settings, lanes))
      })
    )
}

/** Where bookies work, one at a time. */
interface Lane {
  readonly engine: Engines.Engine
  readonly room: string
  readonly kills: number
}

/** How often a bookie goes on with its directory before the next one begins with an empty one. */
const killsPerDirectory = 12

/** In milliseconds. */
const longestLife = 250

interface Totals {
  acknowledged: number
  entries: number
}

const run = (settings: Settings, lanes: ReadonlyArray<Lane>): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const findings = new Findings()
    const totals: Totals = { acknowledged: 0, entries: 0 }
    const done = yield* Effect.forEach(
      lanes,
      ({ engine, kills, room }, at) => {
        const random = Random.make(settings.seed * lanes.length + at)
        let bookie = begin(random, room)
        return repeat(settings, kills, (round) =>
          Effect.gen(function* () {
            if (round > 0 && round % killsPerDirectory === 0) {
              Fs.rmSync(bookie.directory, { recursive: true, force: true })
              bookie = begin(random, room)
            }
            yield* killOnce(engine, random, bookie, findings, totals)
            return findings.none
          })
        )
      },
      { concurrency: "unbounded" }
    )
    const kills = lanes.map(({ engine, room }, at) => `${done[at]} on ${engine.name} in ${Path.dirname(room)}`)
    return {
      did: `kills: ${kills.join(", ")}; ${totals.acknowledged} acknowledged writes, ${totals.entries} entries read again`,
      found: findings.all
    }
  })

/** A bookie's directory, and what it may hold. */
interface Bookie {
  readonly seed: number
  readonly directory: string
  readonly expectation: Expectation
}

const begin = (random: Random.Random, room: string): Bookie => {
  const seed = random.below(1_000_000)
  return { seed, directory: Path.join(room, String(seed)), expectation: new Expectation(seed) }
}

const killOnce = Effect.fnUntraced(function* (
  engine: Engines.Engine,
  random: Random.Random,
  { directory, expectation, seed }: Bookie,
  findings: Findings,
  totals: Totals
) {
  const first = expectation.next
  const moment = Kill.moment(random, longestLife)
  const ended = yield* Kill.at(moment, engine.program("model/bookie", directory, String(seed), String(first)))
  if (ended.signal !== "SIGKILL" || ended.hung) return findings.add(`seed ${seed}: it ${Process.describe(ended)}`)
  const progress = progressOf(ended.stdout, first)
  const where = `${engine.name}, seed ${seed}, ${Kill.describe(moment)}, from operation ${first}`
  // Killed before it created its directory.
  if (!Fs.existsSync(Path.join(directory, "logs"))) return
  // A copy, so that the next bookie recovers what this one left, and not what the inspection did.
  const copy = `${directory}-copy`
  Fs.cpSync(directory, copy, { recursive: true })
  const found = yield* Effect.result(inspectOn(engine, seed, copy))
  Fs.rmSync(copy, { recursive: true })
  if (found._tag === "Failure") return findings.add(`${where}: ${found.failure.message}`)
  for (const problem of found.success.problems) findings.add(`${where}: ${problem}`)
  const problem = expectation.follow(progress, found.success, "kill")
  if (problem !== undefined) findings.add(`${where}: ${problem}`)
  totals.acknowledged += progress.count
  totals.entries += found.success.index.size
})
