/**
 * A writer that appends entries to the logs in a directory until it is killed,
 * and prints each one when it has been acknowledged.
 *
 *     node killed.ts DIR SEED
 */
import { EntryLog } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import { entriesOfKilled, killedMaxLogSize } from "./Ours.ts"
import * as Table from "./Table.ts"

const [directory = "", seed = ""] = process.argv.slice(2)
const entries = entriesOfKilled(Number(seed))

const program = Effect.gen(function* () {
  const log = yield* EntryLog.make({ directory, maxLogSize: killedMaxLogSize })
  while (true) {
    const entry = entries.next()
    const location = yield* log.append(entry.ledgerId, entry.entryId, entry.payload)
    // Short enough that the pipe takes it whole or not at all; waited for, since a full one refuses more.
    yield* print(`${Table.format(Table.rowOf(entry, location))}\n`)
  }
})

const print = (line: string) =>
  Effect.callback<void>((resume) => void process.stdout.write(line, () => resume(Effect.void)))

await Effect.runPromise(Effect.scoped(program))
