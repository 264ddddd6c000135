/**
 * Tries to open the entry logs of a directory for writing, and prints the
 * reason why it cannot.
 */
import * as Effect from "effect/Effect"
import { EntryLog } from "../../src/index.ts"

const [, , directory = ""] = process.argv

const { reason } = await Effect.runPromise(Effect.flip(Effect.scoped(EntryLog.make({ directory }))))
console.log(reason._tag)
