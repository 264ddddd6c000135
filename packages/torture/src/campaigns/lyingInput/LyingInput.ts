/**
 * `lying-input`: arguments that no type allows, and files that lie about
 * themselves.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Campaign, Outcome, Settings } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Process from "../../harness/Process.ts"
import { repeat } from "../../harness/Rounds.ts"

/** The campaign. */
export const lyingInput: Campaign = {
  name: "lying-input",
  isNarrow: true,
  promise: "Ids out of range, sizes, names, headers and maps that lie get a typed error, in bounded memory.",
  run: (settings) => Effect.scoped(Effect.flatMap(Directory.inMemory, (room) => run(settings, room)))
}

/** How many ledgers one log has. */
const ledgers = 1_000_000

const run = (settings: Settings, room: string): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const findings = new Findings()
    let lies = 0
    const count = Math.round(ledgers * Math.min(1, settings.scale))
    yield* repeat({ ...settings, scale: 1 }, 1, (round) =>
      Effect.gen(function* () {
        const directory = Path.join(room, String(round))
        Fs.mkdirSync(directory)
        const ended = yield* Process.run(
          Process.program("campaigns/lyingInput/lies", directory, String(settings.seed + round), String(count)),
          { env: { NODE_OPTIONS: "--max-old-space-size=512" }, seconds: 180 }
        )
        Fs.rmSync(directory, { recursive: true })
        const lines = ended.stdout.split("\n")
        lies += lines.filter((line) => line.startsWith("ok ")).length
        for (const line of lines) if (line.startsWith("wrong ")) findings.add(line.slice("wrong ".length))
        if (ended.code !== 0) findings.add(`the process ${Process.describe(ended)}`)
        return findings.none
      })
    )
    return { did: `${lies} lies, and ${count} ledgers in one log: typed errors or the truth`, found: findings.all }
  })
