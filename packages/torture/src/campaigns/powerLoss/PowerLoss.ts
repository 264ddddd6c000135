/**
 * `power-loss`: bookies that are killed, and go on with what a power loss at
 * that moment would have left, or some kills later.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type Campaign, type Outcome, type Settings, Unavailable } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Disk from "../../harness/Disk.ts"
import * as Engines from "../../harness/Engines.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Kill from "../../harness/Kill.ts"
import * as Process from "../../harness/Process.ts"
import * as Random from "../../harness/Random.ts"
import { repeat } from "../../harness/Rounds.ts"
import { Expectation, progressOf } from "../../model/Expectation.ts"
import { logsIn } from "../../model/Inspection.ts"
import { inspectOn } from "../../model/Inspector.ts"
import * as Workload from "../../model/Workload.ts"
import { OnDisk } from "./OnDisk.ts"
import * as UnsyncedData from "./UnsyncedData.ts"

/** The campaign. */
export const powerLoss: Campaign = {
  name: "power-loss",
  promise:
    "What was acknowledged with sync survives the loss of everything that was not synced, and the index never points past the logs.",
  run: (settings) =>
    process.platform === "linux"
      ? Effect.scoped(
          Effect.gen(function* () {
            const rooms = [yield* Directory.inMemory, yield* Directory.inMemory] as const
            const enough = { ...settings, scale: Math.max(leastScale, settings.scale) }
            const [recorded, real] = yield* Effect.all([run(enough, rooms[0]), onDisks(enough, rooms[1])], {
              concurrency: 2
            })
            const found = [...recorded.found, ...real.found]
            return Engines.withAbsence({ did: `${recorded.did}; ${real.did}`, found })
          })
        )
      : Effect.fail(new Unavailable({ message: "which file a descriptor is of is only known on Linux" }))
}

/** How often bookies are killed, on each engine; at two of three kills, the power is lost too. */
const kills = { native: 100, level: 20 }

/** How often a bookie goes on with its directory before the next one begins with an empty one. */
const killsPerDirectory = 8

/** Fewer kills meet too few of what must be synced. */
const leastScale = 0.2

/** In milliseconds. */
const longestLife = 300

interface Totals {
  losses: number
  lost: number
  acknowledged: number
}

const run = (settings: Settings, room: string): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const findings = new Findings()
    const level = Engines.level()
    const lanes = [
      { engine: Engines.native, kills: kills.native / 2 },
      { engine: Engines.native, kills: kills.native / 2 },
      ...(level === undefined ? [] : [{ engine: level, kills: kills.level }])
    ]
    const totals: Totals = { losses: 0, lost: 0, acknowledged: 0 }
    const done = yield* Effect.forEach(
      lanes,
      ({ engine, kills }, lane) => {
        const random = Random.make(settings.seed * lanes.length + lane)
        let bookie = begin(random, room, lane)
        return repeat(settings, kills, (round) =>
          Effect.gen(function* () {
            if (round > 0 && round % killsPerDirectory === 0) {
              Fs.rmSync(bookie.directory, { recursive: true, force: true })
              bookie = begin(random, room, lane)
            }
            yield* killOnce(engine, random, bookie, findings, totals)
            return findings.none
          })
        )
      },
      { concurrency: "unbounded" }
    )
    const rounds = lanes.map(({ engine }, lane) => `${done[lane]} on ${engine.name}`)
    return {
      did: `kills: ${rounds.join(", ")}; among them ${totals.losses} power losses, ${totals.acknowledged} acknowledged writes, ${totals.lost} unsynced tails and names lost`,
      found: findings.all
    }
  })

/** How often a bookie on a disk loses its power, on each engine. */
const powerCuts = 20

/** The same on disks that really lose what was not synced, one engine after the other. */
const onDisks = (settings: Settings, room: string): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    if (!Disk.isPossible(room)) return { did: "no disk of its own, which this system does not let us have", found: [] }
    const findings = new Findings()
    const did: Array<string> = []
    for (const [at, engine] of Engines.all().entries()) {
      const random = Random.make(settings.seed + 7 * at + 3)
      let bookie = new OnDisk(engine, random, findings, room)
      let acknowledged = 0
      const cuts = yield* repeat({ ...settings, extraSeconds: settings.extraSeconds / 2 }, powerCuts, (round) =>
        Effect.gen(function* () {
          if (round > 0 && round % killsPerDirectory === 0) {
            acknowledged += bookie.acknowledged
            bookie = new OnDisk(engine, random, findings, room)
          }
          yield* bookie.losePower()
          return findings.none
        })
      )
      did.push(`${cuts} on ${engine.name} (${acknowledged + bookie.acknowledged} acknowledged writes)`)
    }
    return { did: `disks that lost their power: ${did.join(", ")}`, found: findings.all }
  })

/** A bookie's directory, what it may hold, and what of it is on disk. */
interface Bookie {
  readonly seed: number
  readonly directory: string
  readonly expectation: Expectation
  synced: UnsyncedData.Synced
}

const begin = (random: Random.Random, room: string, lane: number): Bookie => {
  const seed = random.below(1_000_000)
  const directory = Path.join(room, `${lane}-${seed}`)
  Fs.mkdirSync(directory)
  return { seed, directory, expectation: new Expectation(seed), synced: new UnsyncedData.Synced() }
}

const killOnce = Effect.fnUntraced(function* (
  engine: Engines.Engine,
  random: Random.Random,
  bookie: Bookie,
  findings: Findings,
  totals: Totals
) {
  const { directory, expectation, seed } = bookie
  const first = expectation.next
  const moment = random.oneIn(3)
    ? Kill.momentAfter(random, Workload.nextRebuild(first))
    : Kill.moment(random, longestLife)
  const ended = yield* Kill.at(
    moment,
    engine.program("campaigns/powerLoss/bookie", directory, String(seed), String(first))
  )
  if (ended.signal !== "SIGKILL" || ended.hung) return findings.add(`seed ${seed}: it ${Process.describe(ended)}`)
  bookie.synced.read(ended.stdout)
  const progress = progressOf(ended.stdout, first)
  totals.acknowledged += progress.count

  const copy = `${directory}-copy`
  let where = `${engine.name}, seed ${seed}, ${Kill.describe(moment)}, from operation ${first}`
  const isLoss = !random.oneIn(3)
  if (isLoss) {
    const lost = UnsyncedData.drop(
      random,
      random.pick(["all", "all", "some"]),
      bookie.synced,
      directory,
      copy,
      engine !== Engines.native
    )
    totals.losses += 1
    totals.lost += lost.length
    where += `, lost ${lost.join(" and ")}`
    Fs.rmSync(directory, { recursive: true })
    Fs.cpSync(copy, directory, { recursive: true })
    // What was on disk is now under other inodes, and on disk.
    bookie.synced = new UnsyncedData.Synced()
    bookie.synced.readAll(directory)
  } else {
    Fs.cpSync(directory, copy, { recursive: true })
  }
  if (Fs.existsSync(logsIn(copy)) || progress.count > 0) {
    const found = yield* Effect.result(inspectOn(engine, seed, copy))
    if (found._tag === "Failure") return findings.add(`${where}: ${found.failure.message}`)
    for (const problem of found.success.problems) findings.add(`${where}: ${problem}`)
    const problem = expectation.follow(progress, found.success, isLoss ? "power loss" : "kill")
    if (problem !== undefined) findings.add(`${where}: ${problem}`)
  }
  Fs.rmSync(copy, { recursive: true })
})
