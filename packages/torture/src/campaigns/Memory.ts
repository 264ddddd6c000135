/**
 * Memory: work without an end in a bounded page cache weighs no more after an
 * hour than after a minute, whoever is slow.
 */
import * as Effect from "effect/Effect"
import type { Campaign } from "../Campaign.ts"
import * as Directory from "../Directory.ts"
import * as Process from "../Process.ts"
import * as Report from "../Report.ts"

/** How many entries are added. */
const entries = 5_000_000

/** In seconds; it only ends what hangs. */
const deadline = 900

/** The campaign. */
export const memory: Campaign = {
  name: "memory",
  isNarrow: true,
  promise:
    "Queues and caches are bounded: memory stays flat under slow readers and fast writers, and nothing is dropped",
  run: ({ extraSeconds, scale, seed }) =>
    Effect.gen(function* () {
      const count = Math.round(entries * Math.max(0.08, scale))
      const directory = yield* Directory.temporary
      const program = Process.program("memory", directory, String(seed), String(count), String(extraSeconds))
      const report = Report.read(
        yield* Process.run(program, { seconds: deadline + 2 * extraSeconds, env: { MALLOC_ARENA_MAX: "2" } })
      )
      const figure = (name: string) => (report.figures[name] ?? 0).toLocaleString("en")
      const mebibytes = (name: string) => `${((report.figures[name] ?? 0) / 1024 / 1024).toFixed(1)} MiB`
      return {
        did:
          `${figure("added")} entries added, ${figure("deleted")} ledgers deleted, ${figure("read")} ` +
          `entries read slowly, ${figure("looked")} lookups: heap ${mebibytes("heap")} (${mebibytes("heapGrowth")} more ` +
          `than before), resident ${mebibytes("resident")} (${mebibytes("residentGrowth")} more)`,
        found: report.found
      }
    }).pipe(Effect.scoped)
}
