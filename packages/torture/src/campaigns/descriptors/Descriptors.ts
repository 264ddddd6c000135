/**
 * Descriptors: a process that has few of them, and none for a while, at random
 * moments of all that a database, an index and entry logs do.
 */
import * as Effect from "effect/Effect"
import type { Campaign } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Engines from "../../harness/Engines.ts"
import * as Process from "../../harness/Process.ts"
import * as Report from "../../harness/Report.ts"
import * as Rounds from "../../harness/Rounds.ts"

/** How many processes there are, on each engine. */
const processes = 16

/** How often each of them opens and closes. */
const lives = 3

/** How many descriptors each may have: some more than it needs. */
const mostOpenFiles = 200

/** The campaign. */
export const descriptors: Campaign = {
  name: "descriptors",
  promise: "Without descriptors an operation is refused with an error that may pass, and with them again all go on",
  run: (settings) =>
    Effect.gen(function* () {
      const reports: Array<Report.Report> = []
      const engines = Engines.all()
      yield* Rounds.repeatInLanes(settings, engines.length, processes * engines.length, (round) =>
        Effect.map(starve(engines[round % engines.length] ?? Engines.native, settings.seed + round), (report) => {
          reports.push(report)
          return report.found.length === 0
        })
      )
      const total = (figure: string) => Report.sum(reports, figure).toLocaleString("en")
      return Engines.withAbsence({
        did:
          `${reports.length} processes on ${engines.map(({ name }) => name).join(" and ")} ran out of descriptors ` +
          `${total("famines")} times: ${total("acknowledged")} entries acknowledged, ${total("refused")} of ` +
          `${total("operations")} operations and ${total("refusedOpens")} opens refused`,
        found: Report.findings(reports)
      })
    })
}

const starve = (engine: Engines.Engine, seed: number): Effect.Effect<Report.Report> =>
  Effect.gen(function* () {
    const directory = yield* Directory.temporary
    const program = engine.program("campaigns/descriptors/starve", directory, String(seed), String(lives))
    const report = Report.read(yield* Process.run(Process.withOpenFiles(mostOpenFiles, program), { seconds: 900 }))
    return { ...report, found: report.found.map((finding) => `${engine.name}, seed ${seed}: ${finding}`) }
  }).pipe(Effect.scoped)
