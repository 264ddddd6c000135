/**
 * Last entry: what was deleted does not make the lookup of a last entry slower,
 * of a ledger that is there nor of one that is not.
 */
import * as Effect from "effect/Effect"
import type { Campaign } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Process from "../../harness/Process.ts"
import * as Report from "../../harness/Report.ts"
import * as Rounds from "../../harness/Rounds.ts"

/** The campaign. */
export const lastEntry: Campaign = {
  name: "last-entry",
  isNarrow: true,
  promise: "The last entry of a ledger costs no more than twice as much over 10,000 deleted ledgers as over none",
  run: (settings) =>
    Effect.gen(function* () {
      const reports: Array<Report.Report> = []
      // The turns take the scale, so that one round is enough.
      const turns = Math.max(10, Math.round(200 * settings.scale))
      yield* Rounds.repeat({ ...settings, scale: 1 }, 1, (round) =>
        Effect.map(measure(settings.seed + round, turns), (report) => {
          reports.push(report)
          return report.found.length === 0
        })
      )
      const worst = (when: string) =>
        ["an existing", "a missing"]
          .map((what) => Math.max(...reports.map(({ figures }) => figures[`${what} ledger ${when}`] ?? 0)).toFixed(2))
          .join(" and ")
      return {
        did:
          `${Report.sum(reports, "lookups").toLocaleString("en")} lookups over ${deleted.toLocaleString("en")} deleted ` +
          `ledgers and over none: ${worst("at once")} times the cost of an existing and of a missing ledger, ` +
          `${worst("reopened")} times once reopened`,
        found: Report.findings(reports)
      }
    })
}

const deleted = 10_000

const measure = (seed: number, turns: number): Effect.Effect<Report.Report> =>
  Effect.gen(function* () {
    const directory = yield* Directory.temporary
    const program = Process.program(
      "campaigns/lastEntry/lookups",
      directory,
      String(seed),
      String(deleted),
      String(turns)
    )
    return Report.read(yield* Process.run(program, { seconds: 900 }))
  }).pipe(Effect.scoped)
