/**
 * Every exit: a process that stores entries ends in each way that a process can
 * end. What was acknowledged is there afterwards; and where the end is orderly,
 * everything was released in order and nothing is left that is not on disk.
 */
import * as Effect from "effect/Effect"
import type { Campaign } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Engines from "../../harness/Engines.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Process from "../../harness/Process.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import * as Rounds from "../../harness/Rounds.ts"
import * as Stack from "../../harness/Stack.ts"
import * as Storing from "../../model/Storing.ts"

/** A way for a process to end. */
interface Way {
  readonly name: string
  /** Sent one after another, once enough was acknowledged. */
  readonly signals: ReadonlyArray<NodeJS.Signals>
  readonly isOrderly: boolean
  readonly endsWith: (ended: Process.Ended) => boolean
}

const ways: readonly [Way, ...ReadonlyArray<Way>] = [
  { name: "end", signals: [], isOrderly: true, endsWith: ({ code }) => code === 0 },
  { name: "term", signals: ["SIGTERM"], isOrderly: true, endsWith: ({ code }) => code !== null },
  { name: "int", signals: ["SIGINT", "SIGINT"], isOrderly: true, endsWith: ({ code }) => code !== null },
  { name: "layer", signals: [], isOrderly: true, endsWith: ({ code }) => code === 1 },
  { name: "defect", signals: [], isOrderly: true, endsWith: ({ code }) => code === 1 },
  { name: "kill", signals: ["SIGKILL"], isOrderly: false, endsWith: ({ signal }) => signal === "SIGKILL" },
  { name: "exit", signals: ["SIGTERM"], isOrderly: false, endsWith: ({ code }) => code === 3 },
  { name: "uncaught", signals: [], isOrderly: false, endsWith: ({ code }) => code === 1 }
]

/** The campaign. */
export const everyExit: Campaign = {
  name: "every-exit",
  promise: "However a process ends, what was acknowledged is there, and an orderly end leaves nothing unsynced",
  run: (settings) =>
    Effect.gen(function* () {
      const random = Random.make(settings.seed)
      const findings = new Findings()
      const figures = { exits: 0, entries: 0 }
      const engines = Engines.all()
      yield* Rounds.repeat(settings, 4, (round) =>
        Effect.gen(function* () {
          // Every other round is on the default engine alone.
          const exits = (round % 2 === 0 ? engines : [Engines.native]).flatMap((engine) =>
            ways.map((way) => choose(engine, way, random))
          )
          const entries = yield* Effect.forEach(exits, (exit) => run(exit, findings), { concurrency: 2 })
          for (const count of entries) figures.entries += count
          figures.exits += exits.length
          return findings.none
        })
      )
      return Engines.withAbsence({
        did:
          `${figures.exits} processes ended in ${ways.length} ways on ${engines.map(({ name }) => name).join(" and ")}, ` +
          `${figures.entries.toLocaleString("en")} entries read back, every acknowledged one among them`,
        found: findings.all
      })
    })
}

/** A process to be ended, and all that chance decides about it. */
interface Exit {
  readonly engine: Engines.Engine
  readonly way: Way
  readonly durability: string
  readonly batches: number
  readonly delayMillis: number
  readonly pauseMillis: number
}

const choose = (engine: Engines.Engine, way: Way, random: Random.Random): Exit => ({
  engine,
  way,
  durability: random.pick(["sync", "buffered"]),
  batches: 1 + random.below(60),
  delayMillis: random.below(20),
  pauseMillis: random.below(5)
})

/** Ends a process, and answers how many entries it has left. */
const run = (
  { batches, delayMillis, durability, engine, pauseMillis, way }: Exit,
  findings: Findings
): Effect.Effect<number> =>
  Effect.gen(function* () {
    const directory = yield* Directory.temporary
    const program = engine.program("campaigns/everyExit/end", way.name, directory, String(batches), durability)
    const ended = yield* Effect.scoped(
      Effect.gen(function* () {
        const child = yield* Process.start(program)
        if (way.signals.length > 0) yield* child.printed("enough\n")
        yield* Effect.sleep(delayMillis)
        for (const signal of way.signals) {
          yield* child.kill(signal)
          yield* Effect.sleep(pauseMillis)
        }
        return yield* child.ended
      })
    )
    const note = (finding: string) => findings.add(`${engine.name}, ${way.name}, ${durability}: ${finding}`)
    if (!way.endsWith(ended)) note(Process.describe(ended))
    if (way.isOrderly) {
      const problem = Stack.problemOf(lineOf(ended, "released").split(","))
      if (problem !== undefined) note(problem)
      const unsynced = lineOf(ended, "unsynced")
      if (unsynced !== "") note(`not on disk after an orderly end: ${unsynced}`)
    }
    const verify = engine.program(
      "model/verify",
      directory,
      JSON.stringify([...Storing.readAcknowledged(ended.stdout)])
    )
    const report = Report.read(yield* Process.run(verify))
    report.found.forEach(note)
    return report.figures["entries"] ?? 0
  }).pipe(Effect.scoped)

const lineOf = ({ stdout }: Process.Ended, begin: string): string =>
  stdout
    .split("\n")
    .findLast((line) => line.startsWith(`${begin} `))
    ?.slice(begin.length + 1) ?? `nothing was said of ${begin}`
