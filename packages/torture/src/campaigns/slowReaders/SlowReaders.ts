/**
 * Slow readers: readers of an index that are slow, stop in the middle, are
 * interrupted or forget their stream, while checkpoints follow one another.
 */
import * as Effect from "effect/Effect"
import type { Campaign, Settings } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Engines from "../../harness/Engines.ts"
import * as Process from "../../harness/Process.ts"
import * as Report from "../../harness/Report.ts"

/** How often an index is opened and closed, on each engine. */
const cycles = 40

/** Fewer meet too few checkpoints with a reader beside them. */
const fewestCycles = 6

/** The campaign. */
export const slowReaders: Campaign = {
  name: "slow-readers",
  promise: "Nobody waits for a slow reader, and each reader finds what stood there when it began",
  run: (settings) =>
    Effect.gen(function* () {
      const reports = yield* Effect.forEach(Engines.all(), (engine) => read(engine, settings), { concurrency: 2 })
      const total = (figure: string) => Report.sum(reports, figure).toLocaleString("en")
      return Engines.withAbsence({
        did:
          `${total("cycles")} cycles on ${Engines.all()
            .map(({ name }) => name)
            .join(" and ")}: ${total("read")} readers (${total("slow")} slow, ${total("interrupted")} interrupted, ` +
          `${total("stopped")} stopped until the close), ${total("forgotten")} streams forgotten, among ` +
          `${total("writes")} writes and ${total("compactions")} compactions`,
        found: Report.findings(reports)
      })
    })
}

const read = Effect.fnUntraced(function* (engine: Engines.Engine, { extraSeconds, scale, seed }: Settings) {
  const directory = yield* Directory.inMemory
  const count = Math.max(fewestCycles, Math.round(cycles * scale))
  const program = engine.program(
    "campaigns/slowReaders/read",
    directory,
    String(seed),
    String(count),
    String(extraSeconds)
  )
  const report = Report.read(yield* Process.run(program, { seconds: 600 + 10 * count + 2 * extraSeconds }))
  return { ...report, found: report.found.map((finding) => `${engine.name}: ${finding}`) }
}, Effect.scoped)
