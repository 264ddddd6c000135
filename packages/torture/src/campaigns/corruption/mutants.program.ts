/**
 * Damages copies of a bookie's directory, one after another, and says for each
 * what became of it: `begin N KIND`, `what WHAT` was damaged, `wrong WHAT` for
 * what must not be, and `end N OUTCOME`. Its arguments are a directory to work
 * in, the seed, and the numbers of the first mutant and of the one after the
 * last; without any it only loads, and ends.
 */
import { NativeEngine } from "@effect-bookie/rocksdb"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Random from "../../harness/Random.ts"
import { Answers } from "../../model/Answers.ts"
import * as Pristine from "../../model/Pristine.ts"
import * as databases from "./databases.ts"
import * as logs from "./logs.ts"
import * as pages from "./pages.ts"

const [room = "", seedText = "", from = "", to = ""] = process.argv.slice(2)
const seed = Number(seedText)

const say = (line: string): void => void Fs.writeSync(1, `${line.replaceAll("\n", " ")}\n`)

/** In MiB: what a process takes that works with the directory undamaged, and as much again. */
const maxResident = 512

const mutant = (pristine: Pristine.Pristine, number: number) =>
  Effect.gen(function* () {
    const random = Random.make(Math.imul(seed + 1, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b))
    const kind = random.pick(["database", "database", "log", "page"])
    say(`begin ${number} ${kind}`)
    const directory = Path.join(room, `mutant-${number}`)
    Fs.cpSync(pristine.directory, directory, { recursive: true })
    const outcome = new Answers((what) => say(`wrong ${what}`))
    const { mutant } = { database: databases, log: logs, page: pages }[kind] ?? databases
    const exit = yield* Effect.exit(mutant(pristine, directory, random, outcome, (what) => say(`what ${what}`)))
    if (Exit.isFailure(exit)) say(`wrong it dies of ${Cause.pretty(exit.cause)}`)
    const resident = process.resourceUsage().maxRSS / 1024
    if (resident > maxResident) say(`wrong it has taken ${Math.round(resident)} MiB of memory`)
    Fs.rmSync(directory, { recursive: true })
    say(`end ${number} ${kind}: ${outcome.summary}`)
  })

const program = Effect.gen(function* () {
  const pristine = yield* Pristine.make(seed, Path.join(room, "pristine"))
  for (let number = Number(from); number < Number(to); number++) yield* mutant(pristine, number)
})

if (room !== "") {
  await Effect.runPromise(program.pipe(Effect.provide([NativeEngine.layer, Logger.layer([])])))
}
