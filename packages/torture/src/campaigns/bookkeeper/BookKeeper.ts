/**
 * `bookkeeper`: Apache BookKeeper itself reads, scans and rebuilds from what
 * `EntryLog` wrote, and we from what it wrote, on random logs.
 *
 * The work is that of `npm run interop`, see entry-log/bookkeeper.
 */
import * as Effect from "effect/Effect"
import * as Path from "node:path"
import { type Campaign, type Outcome, type Settings, Unavailable } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Process from "../../harness/Process.ts"
import { repeat } from "../../harness/Rounds.ts"
import * as Rebuilding from "./Rebuilding.ts"

/** The campaign. */
export const bookkeeper: Campaign = {
  name: "bookkeeper",
  isNarrow: true,
  promise:
    "Every entry, byte and location is the same to Apache BookKeeper and to us, each on what the other one wrote.",
  run: (settings) => run(settings)
}

/** How many seeds there are. */
const seeds = 20

/** How many seeds share a Java process. */
const seedsPerRun = 10

const program = Path.resolve(import.meta.dirname, "../../../../entry-log/bookkeeper/interop.ts")

/** What it exits with where Java or Maven is missing. */
const missing = 2

const run = Effect.fnUntraced(function* (settings: Settings): Effect.fn.Return<Outcome, Unavailable> {
  const findings = new Findings()
  // A seed that is a multiple of five has more than 10,000 ledgers in a log.
  const first = (settings.seed - (settings.seed % seedsPerRun)) % 1_000_000
  const asked = Math.max(1, Math.min(seedsPerRun, Math.round(seeds * settings.scale)))
  let unavailable: string | undefined
  let done = 0
  const totals = { rebuilt: 0, entries: 0 }
  yield* repeat(settings, seeds / seedsPerRun, (round) =>
    Effect.gen(function* () {
      const seed = first + round * seedsPerRun
      const room = yield* Directory.temporary
      const options = ["--seed", String(seed), "--seeds", String(asked), "--keep", room]
      const ended = yield* Process.run({ argv: [process.execPath, program, ...options] }, { seconds: 900 })
      if (ended.code === missing) unavailable = ended.stderr.trim()
      else if (ended.code !== 0) findings.add(Process.describe(ended))
      else done += asked
      if (ended.code !== 0) return false
      for (const directory of Rebuilding.directoriesIn(room)) {
        const rebuilt = yield* Effect.result(Rebuilding.rebuild(directory))
        if (rebuilt._tag === "Failure") findings.add(`${Path.basename(directory)}: ${rebuilt.failure.message}`)
        else totals.entries += rebuilt.success
        totals.rebuilt += 1
      }
      return findings.none
    }).pipe(Effect.scoped)
  )
  if (unavailable !== undefined) return yield* new Unavailable({ message: unavailable })
  return {
    did:
      `${done} seeds each way: every entry, byte and location is the same to BookKeeper and to us; ` +
      `${totals.rebuilt} indexes rebuilt by both, ${totals.entries.toLocaleString("en")} locations the same`,
    found: findings.all
  }
})
