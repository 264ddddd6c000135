/**
 * Does with the entry logs of a directory what a Node can do that loads no
 * native code, and prints it, a line each; last the reason why it cannot write,
 * and whether it has created a directory all the same.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { existsSync } from "node:fs"
import * as Path from "node:path"
import { EntryId, EntryLog, LedgerId, Location } from "../../src/index.ts"

const [, , directory = ""] = process.argv

const program = Effect.gen(function* () {
  console.log(LedgerId.make(1n), EntryId.make(2n), Location.fromLog(3, 4))
  const log = yield* EntryLog.make({ directory, readOnly: true })
  console.log(yield* Stream.runCount(log.scan()))
  console.log(new TextDecoder().decode(yield* log.read(LedgerId.make(1n), EntryId.make(1n), Location.fromLog(0, 1028))))
  const missing = Path.join(directory, "missing")
  const { isRetryable, message, reason } = yield* Effect.flip(EntryLog.make({ directory: missing }))
  console.log(reason._tag, isRetryable, existsSync(missing))
  console.log(message)
})

await Effect.runPromise(Effect.scoped(program))
