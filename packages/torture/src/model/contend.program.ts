/**
 * Tries to open what another process owns, again and again until SIGTERM; each
 * time it must be told `Locked`. Says `contending` first, and reports. Arguments:
 * `database=PATH` and `entry-log=PATH`, as many as there are.
 */
import { EntryLog } from "@effect-bookie/entry-log"
import { type Engine, RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { writeSync } from "node:fs"
import * as Exits from "../harness/Exits.ts"
import { Findings } from "../harness/Findings.ts"
import * as Report from "../harness/Report.ts"
import * as ThisEngine from "../harness/ThisEngine.ts"

const over = Latch.makeUnsafe()
process.on("SIGTERM", () => over.openUnsafe())

const findings = new Findings()
let refused = 0

const open = (what: string, path: string): Effect.Effect<void, Exits.Failure, Engine.Engine | Scope.Scope> =>
  what === "database" ? Effect.asVoid(RocksDB.make({ path })) : Effect.asVoid(EntryLog.make({ directory: path }))

const attempt = Effect.fnUntraced(function* (argument: string) {
  const [what = "", path = ""] = argument.split("=")
  const exit = yield* Effect.exit(Effect.scoped(open(what, path)))
  if (Exits.reasonOf(exit) === "Locked") refused += 1
  else findings.add(`a second open of the ${what} at ${path} answered ${Exits.describe(Option.some(exit))}`)
  yield* Effect.sleep("1 millis")
})

const contending = Effect.gen(function* () {
  writeSync(1, "contending\n")
  while (findings.none) yield* Effect.forEach(process.argv.slice(2), attempt, { discard: true })
})

await Effect.runPromise(Effect.provide(Effect.raceFirst(contending, over.await), ThisEngine.layer))
Report.print({ figures: { refused }, found: findings.all })
