/**
 * Runs the campaigns, one after another, and at the end those that need only one
 * core two at a time: `npm run torture -- --help`.
 *
 * Prints a line for each with what it did and what it found. A campaign that
 * found something prints the promise that is broken and the seed that repeats
 * it, and makes the exit code 1.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { campaigns } from "./campaigns/index.ts"
import type { Campaign, Outcome, Settings } from "./harness/Campaign.ts"
import * as Programs from "./harness/Programs.ts"

class Found extends Data.TaggedError("Found")<{ readonly message: string }> {}

const torture = Command.make(
  "torture",
  {
    names: Argument.Literals(
      "campaign",
      campaigns.map(({ name }) => name)
    ).pipe(Argument.withDescription("Which campaigns to run; by default all"), Argument.variadic()),
    seed: Flag.Int("seed").pipe(Flag.withDescription("Repeats the choices of an earlier run"), Flag.optional),
    hours: Flag.Finite("hours").pipe(
      Flag.withDescription("Goes on for so long, shared by the campaigns"),
      Flag.withDefault(0)
    ),
    quick: Flag.Boolean("quick").pipe(Flag.withDescription("A short run of each, as on CI"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* ({ hours, names, quick, seed }) {
    const start = Date.now()
    const chosen = campaigns.filter(({ name }) => names.length === 0 || names.includes(name))
    const settings: Settings = {
      seed: Option.getOrElse(seed, () => Math.floor(Math.random() * 0x7fff_ffff)),
      scale: quick ? 0.05 : 1,
      extraSeconds: (hours * 3600) / chosen.length
    }
    yield* Programs.bundle
    const { narrow = [], wide = [] } = Object.groupBy(chosen, ({ isNarrow }) => (isNarrow === true ? "narrow" : "wide"))
    const counts = [
      ...(yield* Effect.forEach(wide, (campaign) => report(campaign, settings))),
      ...(yield* Effect.forEach(narrow, (campaign) => report(campaign, settings), { concurrency: 2 }))
    ]
    const found = counts.reduce((sum, count) => sum + count, 0)
    if (found > 0) return yield* new Found({ message: `${found} findings` })
    const minutes = ((Date.now() - start) / 60_000).toFixed(1)
    return yield* Console.log(`${chosen.length} campaigns passed in ${minutes} minutes, 0 failed`)
  }, Effect.scoped)
).pipe(Command.withDescription("Tries to lose an entry, to crash the process, or to hang it"))

const report = Effect.fnUntraced(function* (campaign: Campaign, settings: Settings) {
  const start = Date.now()
  const outcome = yield* campaign
    .run(settings)
    .pipe(
      Effect.catchTag("Unavailable", ({ message }) =>
        Effect.succeed<Outcome>({ did: `not run: ${message}`, found: process.env["CI"] ? [message] : [] })
      )
    )
  const seconds = ((Date.now() - start) / 1000).toFixed(1)
  yield* Console.log(`${campaign.name.padEnd(20)} ${seconds.padStart(6)} s  ${outcome.did}`)
  for (const finding of outcome.found) yield* Console.error(`  FOUND ${finding}`)
  if (outcome.found.length > 0) {
    yield* Console.error(`  promised: ${campaign.promise}`)
    yield* Console.error(`  repeat with: npm run torture -- ${campaign.name} --seed ${settings.seed}`)
  }
  return outcome.found.length
})

Command.run(torture, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
