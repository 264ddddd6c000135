/**
 * Stores entries, copies its own directory meanwhile so many times from SIGUSR2
 * on, and goes on until it is ended. Prints what is acknowledged, `copying NAME`
 * before each copy, and `copied enough`. Arguments: the directory, where the
 * copies are to be, the seed, how many copies.
 */
import { NodeRuntime } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { writeSync } from "node:fs"
import * as Path from "node:path"
import * as Random from "../../harness/Random.ts"
import * as Stack from "../../harness/Stack.ts"
import * as Storing from "../../model/Storing.ts"
import * as Copying from "./Copying.ts"

const [directory = "", room = "", seed = "", copies = ""] = process.argv.slice(2)

const random = Random.make(Number(seed))

const begin = Latch.makeUnsafe()
process.on("SIGUSR2", () => begin.openUnsafe())

/** In milliseconds, before a copy at most. */
const longestPause = 150

const copying = Effect.gen(function* () {
  yield* begin.await
  for (let copy = 0; copy < Number(copies); copy++) {
    yield* Effect.sleep(random.below(longestPause))
    const name = `within-${copy}`
    writeSync(1, `copying ${name}\n`)
    yield* Effect.promise(() => Copying.byThis(random, directory, Path.join(room, name)))
  }
  writeSync(1, "copied enough\n")
  return yield* Effect.never
})

const storing = Storing.until(
  Infinity,
  (ledger, count) => writeSync(1, Storing.acknowledgedLine(ledger, count)),
  Effect.suspend(() => Effect.sleep(random.below(20)))
)

/** Small sizes: files come and go all the time. */
const stack = Stack.layer({
  directory,
  database: { writeBufferSize: "64 KiB" },
  index: { compactionInterval: "5 millis", memtableSize: "16 KiB" },
  logs: { maxLogSize: "256 KiB" }
})

NodeRuntime.runMain(Effect.provide(Effect.raceFirst(storing, copying), stack), { disableErrorReporting: true })
