/**
 * Close storm: open, work and close, again and again, in processes of their
 * own: on each real engine, and on one in memory where the seed decides every
 * interleaving.
 */
import { LevelEngine, NativeEngine } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import type { Campaign, Settings } from "../Campaign.ts"
import * as Directory from "../Directory.ts"
import * as LevelNode from "../LevelNode.ts"
import * as Process from "../Process.ts"
import * as Report from "../Report.ts"

/** The campaign. */
export const closeStorm: Campaign = {
  name: "close-storm",
  promise: "A close in the middle of any work crashes nothing, hangs nothing, leaves nothing, and loses nothing",
  run: (settings) =>
    Effect.scoped(
      Effect.gen(function* () {
        const [native, [level, memory]] = yield* Effect.all(
          [
            storm(settings, NativeEngine.name, 1000, Process.program),
            Effect.all([storm(settings, LevelEngine.name, 100, LevelNode.program), storm(settings, "memory", 300)])
          ],
          { concurrency: 2 }
        )
        const reports = [native, level, memory]
        const total = (figure: string) => Report.sum(reports, figure).toLocaleString("en")
        const cycles = reports.map(({ figures }) => figures["cycles"] ?? 0)
        return {
          did:
            `${cycles.join(" + ")} cycles (native, Level, chosen interleavings), ${total("operations")} operations, ` +
            `${total("interrupted")} of them interrupted, ${total("scrapes")} scrapes, ` +
            `${total("closed")} answers Closed, ${total("acknowledged")} acknowledged adds held against ` +
            `${total("heldAgainst")} lookups; memory grew by ${growth(native)}`,
          found: Report.findings(reports)
        }
      })
    )
}

const storm = Effect.fnUntraced(function* (
  { extraSeconds, scale, seed }: Settings,
  engine: string,
  count: number,
  program: typeof LevelNode.program = Process.program
) {
  const cycles = Math.max(2, Math.round(count * scale))
  const seconds = engine === NativeEngine.name ? extraSeconds : extraSeconds / 2
  const directory = yield* Directory.temporary
  const command = program("close-storm", engine, directory, String(seed), String(cycles), String(seconds))
  // Where no Node loads the Level engine, it cannot crash either.
  if (command === undefined) return { figures: {}, found: [] }
  const ended = yield* Process.run(command, { seconds: 60 + cycles + 2 * seconds, env: fewArenas })
  const report = Report.read(ended)
  return { ...report, found: report.found.map((finding) => `${engine}: ${finding}`) }
})

/** Memory that is only spread over many arenas of the allocator looks like a leak. */
const fewArenas = { MALLOC_ARENA_MAX: "2" }

const growth = ({ figures }: Report.Report): string => {
  const mebibytes = (figure: string) => `${((figures[figure] ?? 0) / 1024 / 1024).toFixed(1)} MiB`
  return `${mebibytes("heapGrowth")} of heap, ${mebibytes("residentGrowth")} resident`
}
