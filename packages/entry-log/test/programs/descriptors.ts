/**
 * Does everything that can be done with entry logs in a process that has few
 * descriptors left, or none, and what was refused once more with some. Prints a
 * line for each: how many were left, what was done, and "done" or the code that
 * it was refused with and whether that is retryable.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import { EntryLog, type EntryLogError, Location } from "../../src/index.ts"
import { bytes, entry } from "../support.ts"

const [, , root = ""] = process.argv

/** Takes all descriptors but some. Answers how to give them back. */
const takeAllBut = (left: number): (() => void) => {
  const taken: Array<number> = []
  try {
    while (true) taken.push(Fs.openSync("/dev/null", "r"))
  } catch {
    for (const descriptor of taken.splice(0, left)) Fs.closeSync(descriptor)
  }
  return () => taken.forEach((descriptor) => Fs.closeSync(descriptor))
}

const attempt = Effect.fnUntraced(function* <A>(
  left: number,
  name: string,
  effect: Effect.Effect<A, EntryLogError.EntryLogError>
) {
  const giveBack = takeAllBut(left)
  const exit = yield* Effect.result(effect)
  giveBack()
  if (exit._tag === "Success") {
    console.log(left, name, "done")
    return exit.success
  }
  const { isRetryable, reason } = exit.failure
  console.log(left, name, reason._tag === "IOError" ? reason.code : reason._tag, isRetryable)
  return yield* effect
})

const program = Effect.fnUntraced(function* (left: number) {
  const directory = `${root}/${left}`
  const scope = yield* Scope.make()
  const log = yield* attempt(left, "open", Scope.provide(EntryLog.make({ directory, maxLogSize: 2048 }), scope))
  const { entryId, ledgerId, payload } = entry(1n, 1n, bytes(900))
  yield* attempt(left, "append", log.append(ledgerId, entryId, payload))
  yield* attempt(left, "read", log.read(ledgerId, entryId, Location.fromLog(0, 1028)))
  yield* attempt(left, "rollover", log.append(ledgerId, entryId, payload))
  yield* attempt(left, "scan", Stream.runCount(log.scan()))
  yield* attempt(left, "logs", log.logs)
  yield* attempt(left, "sync", log.sync)
  yield* attempt(left, "release", Scope.close(scope, Exit.void))
})

await Effect.runPromise(Effect.forEach([0, 1, 2, 3, 4], program, { discard: true }))
