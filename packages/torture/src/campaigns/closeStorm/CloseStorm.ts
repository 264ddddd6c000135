/**
 * Close storm: open, work and close, again and again, in processes of their
 * own: an index on each real engine, and on one in memory where the seed decides
 * every interleaving; and entry logs.
 */
import { NativeEngine } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Effect from "effect/Effect"
import type { Campaign, Settings } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Engines from "../../harness/Engines.ts"
import * as Process from "../../harness/Process.ts"
import * as Report from "../../harness/Report.ts"

/** The campaign. */
export const closeStorm: Campaign = {
  name: "close-storm",
  promise: "A close in the middle of any work crashes nothing, hangs nothing, leaves nothing, and loses nothing",
  run: (settings) =>
    Effect.scoped(
      Effect.gen(function* () {
        const other = Engines.level()
        const reports = yield* Effect.all(
          [
            storm(settings, NativeEngine.name, 500, Engines.native),
            storm({ ...settings, seed: settings.seed + 1 }, NativeEngine.name, 500, Engines.native),
            storm(settings, "memory", 200, Engines.native),
            other === undefined ? nothing : storm(settings, LevelEngine.name, 75, other),
            stormOfLogs(settings)
          ],
          { concurrency: 2 }
        )
        const total = (figure: string) => Report.sum(reports, figure).toLocaleString("en")
        const [first = 0, second = 0, memory = 0, level = 0] = reports.map(({ figures }) => figures["cycles"])
        return Engines.withAbsence({
          did:
            `${first + second} + ${level} + ${memory} cycles (native, Level, chosen interleavings), ${total("operations")} operations, ` +
            `${total("interrupted")} of them interrupted, ${total("scrapes")} scrapes, ` +
            `${total("closed")} answers Closed, ${total("acknowledged")} acknowledged adds held against ` +
            `${total("heldAgainst")} lookups; ${total("logCycles")} cycles of entry logs, ${total("appended")} acknowledged ` +
            `appends held against ${total("scanned")} scanned entries; memory grew by ${reports.slice(0, 2).map(growth).join(" and ")}`,
          found: Report.findings(reports)
        })
      })
    )
}

const nothing: Effect.Effect<Report.Report> = Effect.succeed({ figures: {}, found: [] })

const storm = Effect.fnUntraced(function* (
  { extraSeconds, scale, seed }: Settings,
  engine: string,
  count: number,
  { program }: Engines.Engine
) {
  const cycles = Math.max(2, Math.round(count * scale))
  const seconds = engine === NativeEngine.name ? extraSeconds : extraSeconds / 2
  const directory = yield* Directory.temporary
  const command = program(
    "campaigns/closeStorm/storm",
    engine,
    directory,
    String(seed),
    String(cycles),
    String(seconds)
  )
  const ended = yield* Process.run(command, { seconds: 60 + 5 * cycles + 2 * seconds, env: fewArenas })
  const report = Report.read(ended)
  return { ...report, found: report.found.map((finding) => `${engine}: ${finding}`) }
})

/** The same with entry logs, which have no engine. */
const stormOfLogs = Effect.fnUntraced(function* ({ extraSeconds, scale, seed }: Settings) {
  const cycles = Math.max(fewestLogCycles, Math.round(logCycles * scale))
  const directory = yield* Directory.temporary
  const program = Engines.native.program(
    "campaigns/closeStorm/logStorm",
    directory,
    String(seed),
    String(cycles),
    String(extraSeconds)
  )
  const report = Report.read(yield* Process.run(program, { seconds: 600 + 5 * cycles + 2 * extraSeconds }))
  return { ...report, found: report.found.map((finding) => `entry logs: ${finding}`) }
})

const logCycles = 400

/** Fewer meet too few closes in the midst of a write. */
const fewestLogCycles = 24

/** Memory that is only spread over many arenas of the allocator looks like a leak. */
const fewArenas = { MALLOC_ARENA_MAX: "2" }

const growth = ({ figures }: Report.Report): string => {
  const mebibytes = (figure: string) => `${((figures[figure] ?? 0) / 1024 / 1024).toFixed(1)} MiB`
  return `${mebibytes("heapGrowth")} of heap, ${mebibytes("residentGrowth")} resident`
}
