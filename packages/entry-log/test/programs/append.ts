/**
 * Appends numbered entries to the logs of a directory, on from the last one
 * there, and prints the number of each that a sync has brought to disk. Runs
 * until it is killed.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { EntryLog } from "../../src/index.ts"
import { numbered } from "../support.ts"

const [, , directory = ""] = process.argv

const program = Effect.gen(function* () {
  const log = yield* EntryLog.EntryLog
  let next = yield* Stream.runCount(log.scan({ payloads: false }))
  yield* Effect.sync(() => console.log("open"))
  while (true) {
    const batch = Array.from({ length: 1 + (next % 40) }, (_, index) => numbered(next + index))
    yield* log.appendAll(batch)
    yield* log.sync
    next += batch.length
    yield* Effect.sync(() => console.log(String(next - 1)))
  }
}).pipe(Effect.provide(EntryLog.layer({ directory, maxLogSize: "200 KiB" })))

await Effect.runPromise(program)
