/**
 * `kill-9`: bookies that are killed at any moment, and go on with what they
 * left.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Bookie from "../Bookie.ts"
import type { Campaign, Outcome, Settings } from "../Campaign.ts"
import { Expectation, progressOf } from "../Expectation.ts"
import { Findings } from "../Findings.ts"
import { inspect } from "../Inspection.ts"
import * as Process from "../Process.ts"
import * as Random from "../Random.ts"
import { repeat } from "../Rounds.ts"

/** The campaign. */
export const kill9: Campaign = {
  name: "kill-9",
  promise:
    "After a SIGKILL every acknowledged entry is there, each batch whole or not at all, the count exact, and every location in the logs.",
  run: (settings) =>
    Effect.all([Bookie.room("bookie", "disk"), Bookie.room("bookie", "memory")]).pipe(
      Effect.flatMap((rooms) => run(settings, rooms)),
      Effect.scoped
    )
}

/** How many kills there are, over all rooms: in each works a bookie. */
const kills = 300

/** How often a bookie goes on with its directory before the next one begins with an empty one. */
const killsPerDirectory = 12

/** In milliseconds. */
const longestLife = 350

interface Totals {
  acknowledged: number
  entries: number
}

const run = (settings: Settings, rooms: ReadonlyArray<Bookie.Room>): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const findings = new Findings()
    const totals: Totals = { acknowledged: 0, entries: 0 }
    const done = yield* Effect.forEach(
      rooms,
      (room, at) => {
        const random = Random.make(settings.seed * rooms.length + at)
        let bookie = begin(random, room)
        return repeat(settings, kills / rooms.length, (round) =>
          Effect.gen(function* () {
            if (round > 0 && round % killsPerDirectory === 0) {
              Fs.rmSync(bookie.directory, { recursive: true, force: true })
              bookie = begin(random, room)
            }
            yield* killOnce(random, room, bookie, findings, totals)
            return findings.none
          })
        )
      },
      { concurrency: "unbounded" }
    )
    const rounds = done.reduce((sum, rounds) => sum + rounds, 0)
    return {
      did: `${rounds} kills, ${totals.acknowledged} acknowledged writes, ${totals.entries} entries read again`,
      found: findings.all
    }
  })

interface Directory {
  readonly seed: number
  readonly directory: string
  readonly expectation: Expectation
}

const begin = (random: Random.Random, room: Bookie.Room): Directory => {
  const seed = random.below(1_000_000)
  return { seed, directory: Path.join(room.path, String(seed)), expectation: new Expectation(seed) }
}

const killOnce = Effect.fnUntraced(function* (
  random: Random.Random,
  room: Bookie.Room,
  { directory, expectation, seed }: Directory,
  findings: Findings,
  totals: Totals
) {
  const first = expectation.next
  const moment = Bookie.moment(random, longestLife)
  const ended = yield* Bookie.killed(room, moment, "bookie", directory, String(seed), String(first))
  if (ended.signal !== "SIGKILL" || ended.hung) return findings.add(`seed ${seed}: it ${Process.describe(ended)}`)
  const progress = progressOf(ended.stdout, first)
  const where = `seed ${seed}, killed ${moment.millis} ms after its ${moment.from}, from operation ${first}`
  // Killed before it created its directory.
  if (!Fs.existsSync(Path.join(directory, "logs"))) return
  // A copy, so that the next bookie recovers what this one left, and not what the inspection did.
  const copy = `${directory}-copy`
  Fs.cpSync(directory, copy, { recursive: true })
  const found = yield* Effect.result(inspect(seed, copy))
  Fs.rmSync(copy, { recursive: true })
  if (found._tag === "Failure") return findings.add(`${where}: ${found.failure.message}`)
  for (const problem of found.success.problems) findings.add(`${where}: ${problem}`)
  const problem = expectation.follow(progress, found.success, "kill")
  if (problem !== undefined) findings.add(`${where}: ${problem}`)
  totals.acknowledged += progress.count
  totals.entries += found.success.index.size
})
