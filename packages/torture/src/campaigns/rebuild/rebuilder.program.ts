/**
 * Rebuilds an index over and over, each time without another ledger, and prints
 * `begin N` and `end N` for a rebuild without ledger N: until it is killed. Its
 * arguments are the directory of a bookie, the first ledger to leave out, and how
 * many ledgers there are; without any it only loads, and ends.
 */
import { IndexRebuild } from "@effect-bookie/entry-location-index"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { indexIn, logsIn } from "../../model/Inspection.ts"

const [directory = "", first = "", ledgers = ""] = process.argv.slice(2)

const say = (line: string): void => void Fs.writeSync(1, `${line}\n`)

const program = Effect.gen(function* () {
  for (let left = BigInt(first); ; left = (left + 1n) % BigInt(ledgers)) {
    say(`begin ${left}`)
    yield* IndexRebuild.rebuild({
      entryLogs: logsIn(directory),
      database: indexIn(directory),
      includes: (ledgerId) => ledgerId !== left
    })
    say(`end ${left}`)
  }
})

if (directory !== "") await Effect.runPromise(program)
