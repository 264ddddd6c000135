/**
 * Locks a directory and prints `locked`, or the reason why it could not.
 */
import * as Effect from "effect/Effect"
import * as DirectoryLock from "@effect-bookie/rocksdb/DirectoryLock"

const [path = ""] = process.argv.slice(process.features.typescript ? 2 : 1)

const answer = Effect.match(Effect.scoped(DirectoryLock.acquire(path)), {
  onSuccess: () => "locked",
  onFailure: ({ reason }) => `${reason._tag} ${reason.message}`
})

console.log(await Effect.runPromise(answer))
