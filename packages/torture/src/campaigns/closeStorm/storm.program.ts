/**
 * Opens, works with and closes one directory, again and again, and reports.
 * Arguments: the engine (that of a seed is "memory"), the directory, the seed,
 * how many cycles, for how many seconds to go on.
 */
import { NativeEngine } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Findings } from "../../harness/Findings.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import { Choices } from "./Choices.ts"
import * as MemoryEngine from "./MemoryEngine.ts"
import * as Storm from "./Storm.ts"

const [engine = "", directory = "", seed = "", cycles = "", seconds = ""] = process.argv.slice(2)

const options = {
  directory,
  random: Random.make(Number(seed)),
  findings: new Findings(),
  cycles: Number(cycles),
  extraSeconds: Number(seconds)
}

const storm = async (): Promise<Report.Report> => {
  if (engine === NativeEngine.name) {
    return Effect.runPromise(Storm.run({ ...options, engine: NativeEngine.layer, fibers: 200, abandonsOpens: true }))
  }
  if (engine === LevelEngine.name) {
    return Effect.runPromise(Storm.run({ ...options, engine: LevelEngine.layer, fibers: 200, abandonsOpens: true }))
  }
  const choices = new Choices(options.random)
  const memory = MemoryEngine.layer(choices.turn, options.findings)
  const run = Storm.run({ ...options, engine: memory, fibers: 12, abandonsOpens: false })
  const report = await choices.drive(Effect.provideService(run, Clock.Clock, choices.clock))
  return { ...report, figures: { ...report.figures, choices: choices.steps } }
}

Report.print(await storm())
