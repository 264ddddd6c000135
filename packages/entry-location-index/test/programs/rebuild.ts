/**
 * Rebuilds an index over and over, each time without another ledger, and prints
 * a line when a rebuild begins and when it has ended: until it is killed. Where
 * somebody else has the database open it waits. Its
 * arguments are the directories of the logs and of the database, and the first
 * ledger to leave out.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { writeSync } from "node:fs"
import { IndexRebuild } from "../../src/index.ts"

const [entryLogs = "", database = "", first = "0"] = process.argv.slice(2)

const program = Effect.gen(function* () {
  for (let left = BigInt(first); ; left++) {
    writeSync(1, `begin ${left}\n`)
    yield* IndexRebuild.rebuild({ entryLogs, database, includes: (ledgerId) => ledgerId !== left }).pipe(
      Effect.retry({ schedule: Schedule.spaced("1 millis"), while: ({ reason }) => reason._tag === "Locked" })
    )
    writeSync(1, `end ${left}\n`)
  }
})

await Effect.runPromise(program)
