/**
 * Disk full: entry logs and their index on a real small file system, a tmpfs in
 * a mount namespace of its own, that fills up again and again.
 */
import * as Effect from "effect/Effect"
import { type Campaign, Unavailable } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Engines from "../../harness/Engines.ts"
import * as Process from "../../harness/Process.ts"
import * as Report from "../../harness/Report.ts"
import * as Rounds from "../../harness/Rounds.ts"

/** The campaign. */
export const diskFull: Campaign = {
  name: "disk-full",
  promise: "A full disk refuses writes and nothing else, and with room again everything goes on",
  run: (settings) =>
    Effect.gen(function* () {
      if (!Process.canMount()) {
        return yield* new Unavailable({ message: "this system does not let us mount a file system of our own" })
      }
      const reports: Array<Report.Report> = []
      const engines = Engines.all()
      yield* Rounds.repeatInLanes(settings, 2, 8, (round) =>
        Effect.map(fill(engines[round % engines.length] ?? Engines.native, settings.seed + round), (report) => {
          reports.push(report)
          return report.found.length === 0
        })
      )
      const total = (figure: string) => Report.sum(reports, figure).toLocaleString("en")
      return Engines.withAbsence({
        did:
          `${reports.length} disks of ${engines.map(({ name }) => name).join(" and ")} filled up ${total("fills")} times: ` +
          `${total("acknowledged")} entries acknowledged, ${total("refused")} writes refused ` +
          `(${total("refusedByIndex")} of them by the index), ${total("read")} entries read back, ` +
          `${total("closedFull")} closes on a full disk, ${total("waitedForRoom")} of them waited for room`,
        found: Report.findings(reports)
      })
    })
}

const fill = (engine: Engines.Engine, seed: number): Effect.Effect<Report.Report> =>
  Effect.gen(function* () {
    const directory = yield* Directory.temporary
    const program = engine.program("campaigns/diskFull/fill", directory, String(seed))
    const ended = yield* Process.run(Process.onSmallDisk("32m", directory, program), { seconds: 900 })
    const report = Report.read(ended)
    return { ...report, found: report.found.map((finding) => `${engine.name}, disk of seed ${seed}: ${finding}`) }
  }).pipe(Effect.scoped)
