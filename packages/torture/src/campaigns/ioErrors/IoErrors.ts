/**
 * I/O errors: directories that turn read-only, vanish, or were never permitted,
 * files that may not grow. Real ones: an ordinary user's permissions, a file
 * system of its own, a limit of the process.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { Campaign } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Disk from "../../harness/Disk.ts"
import * as Engines from "../../harness/Engines.ts"
import * as Process from "../../harness/Process.ts"
import * as Report from "../../harness/Report.ts"
import * as Rounds from "../../harness/Rounds.ts"
import { type Kind, troubles } from "./Trouble.ts"

/** The campaign. */
export const ioErrors: Campaign = {
  name: "io-errors",
  promise: "What the file system refuses fails with a typed error, the exit too, and nothing acknowledged is lost",
  run: (settings) =>
    Effect.gen(function* () {
      const reports: Array<Report.Report> = []
      const engines = Engines.all()
      const room = yield* Directory.temporary
      const here = { nothing: true, "file system": Process.canMount(), disk: Disk.isPossible(room) }
      const possible = troubles.filter(({ needs }) => here[needs])
      const without = here.disk ? "" : "; without a disk that fails, which this system does not let us have"
      const rounds = yield* Rounds.repeat(settings, 2, (round) =>
        Effect.gen(function* () {
          const found = yield* Effect.forEach(
            engines.flatMap((engine) => possible.map((kind) => ({ engine, kind }))),
            ({ engine, kind }) => suffer(engine, kind, settings.seed + round),
            { concurrency: 2 }
          )
          reports.push(...found)
          return Report.findings(found).length === 0
        })
      )
      const total = (figure: string) => Report.sum(reports, figure).toLocaleString("en")
      return Engines.withAbsence({
        did:
          `${rounds} times ${possible.length} troubles on ${engines.map(({ name }) => name).join(" and ")}: ${total("acknowledged")} entries acknowledged, ` +
          `${total("refused")} operations refused (${total("eio")} answers EIO), ${total("read")} reads, ${total("failedCloses")} closes that said so${without}`,
        found: Report.findings(reports)
      })
    }).pipe(Effect.scoped)
}

const suffer = (engine: Engines.Engine, { name, needs }: Kind, seed: number): Effect.Effect<Report.Report> =>
  Effect.gen(function* () {
    const directory = yield* Directory.temporary
    const ended = yield* Process.run(commandOf(engine, name, needs, directory, seed))
    const report = Report.read(ended)
    return { ...report, found: report.found.map((finding) => `${engine.name}, ${name}, seed ${seed}: ${finding}`) }
  }).pipe(Effect.scoped)

const commandOf = (
  engine: Engines.Engine,
  name: string,
  needs: Kind["needs"],
  directory: string,
  seed: number
): Process.Command => {
  const program = (at: string) => engine.program("campaigns/ioErrors/trouble", name, at, String(seed))
  if (needs === "nothing") return asOrdinaryUser(directory, program(directory))
  if (needs === "file system") return Process.onSmallDisk("64m", directory, program(directory))
  const disk = Disk.of(directory)
  Disk.format(disk, { journal: false, mebibytes: 24 })
  return Disk.mounted(disk, program(disk.directory))
}

/** Root may write where nobody may. */
const asOrdinaryUser = (directory: string, command: Process.Command): Process.Command => {
  if (process.getuid?.() !== 0) return command
  Fs.chownSync(directory, nobody, nobody)
  const { argv, env } = command
  return { argv: ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", ...argv], env }
}

const nobody = 65_534
