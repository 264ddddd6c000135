/**
 * Opens the entry logs of a directory for writing, appends an entry, prints
 * "held", and holds them until it is killed.
 */
import * as Effect from "effect/Effect"
import { EntryId, EntryLog, LedgerId } from "../../src/index.ts"

const [, , directory = ""] = process.argv

const program = Effect.gen(function* () {
  const log = yield* EntryLog.EntryLog
  yield* log.append(LedgerId.make(1n), EntryId.make(1n), Buffer.from("by a child"))
  yield* Effect.sync(() => console.log("held"))
  yield* Effect.never
}).pipe(Effect.provide(EntryLog.layer({ directory })))

// Effect.never does not keep the process alive.
setInterval(() => {}, 60_000)
await Effect.runPromise(program)
