/**
 * Memory: work without an end in a bounded page cache weighs no more after an
 * hour than after a minute, whoever is slow.
 */
import * as Effect from "effect/Effect"
import type { Campaign, Outcome, Settings } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import * as Engines from "../../harness/Engines.ts"
import * as Process from "../../harness/Process.ts"
import * as Report from "../../harness/Report.ts"

/** How many entries are added. */
const entries = 5_000_000

/** Fewer fill no cache. */
const fewestEntries = 400_000

/** In seconds; it only ends what hangs. */
const deadline = 900

/** The campaign. */
export const memory: Campaign = {
  name: "memory",
  isNarrow: true,
  promise:
    "Queues and caches are bounded: memory stays flat under slow readers and fast writers, and nothing is dropped",
  run: (settings) =>
    Effect.gen(function* () {
      const outcomes: Array<Outcome> = []
      for (const engine of Engines.all()) outcomes.push(yield* weigh(engine, settings))
      return Engines.withAbsence({
        did: outcomes.map(({ did }) => did).join("; "),
        found: outcomes.flatMap(({ found }) => found)
      })
    })
}

/** Works on an engine; on the opt-in one a quarter of the work takes as long. */
const weigh = Effect.fnUntraced(function* (engine: Engines.Engine, { extraSeconds, scale, seed }: Settings) {
  const count = Math.max(fewestEntries, Math.round((entries * scale) / (engine === Engines.native ? 1 : 4)))
  const directory = yield* Directory.temporary
  const program = engine.program("campaigns/memory/weigh", directory, String(seed), String(count), String(extraSeconds))
  const ended = yield* Process.run(
    { ...program, env: { ...program.env, MALLOC_ARENA_MAX: "2" } },
    { seconds: deadline + 2 * extraSeconds }
  )
  const report = Report.read(ended)
  const figure = (name: string) => (report.figures[name] ?? 0).toLocaleString("en")
  const mebibytes = (name: string) => `${((report.figures[name] ?? 0) / 1024 / 1024).toFixed(1)} MiB`
  return {
    did:
      `${engine.name}: ${figure("added")} entries added, ${figure("deleted")} ledgers deleted, ${figure("read")} ` +
      `entries read slowly, ${figure("looked")} lookups: heap ${mebibytes("heap")} (${mebibytes("heapGrowth")} more ` +
      `than before), resident ${mebibytes("resident")} (${mebibytes("residentGrowth")} more)`,
    found: report.found.map((finding) => `${engine.name}: ${finding}`)
  }
}, Effect.scoped)
