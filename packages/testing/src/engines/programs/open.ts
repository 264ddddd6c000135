/**
 * Opens databases of paths, each while the ones before it are open, and prints
 * a line for each: `opened`, or the reason why it could not be.
 */
import * as Effect from "effect/Effect"
import { RocksDB } from "@effect-bookie/rocksdb"
import { args, engine } from "./engine.ts"

const open = (path: string) =>
  Effect.match(RocksDB.make({ path }), { onSuccess: () => "opened", onFailure: ({ reason }) => reason._tag })

const program = Effect.forEach(args, (path) => Effect.map(open(path), (answer) => console.log(answer)), {
  discard: true
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), engine))
