/**
 * Opens something that has one owner, and uses it until it is told to stop by
 * SIGTERM; or says why it could not be opened. Arguments: what, the directory,
 * and when to open it, in milliseconds since 1970.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { writeSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import { subjects } from "./Subject.ts"

const [name = "", directory = "", time = ""] = process.argv.slice(2)

const stop = Latch.makeUnsafe()
process.on("SIGTERM", () => stop.openUnsafe())

const subject = subjects.find((subject) => subject.name === name) ?? subjects[0]

const program = Effect.gen(function* () {
  yield* Effect.promise(() => setTimeout(Math.max(0, Number(time) - Date.now())))
  const start = performance.now()
  const owned = yield* Effect.tapError(subject.open(directory), () =>
    Effect.sync(() => writeSync(1, `refused in ${Math.round(performance.now() - start)}\n`))
  )
  writeSync(1, "owned\n")
  let used = 0
  const use = Effect.flatMap(
    Effect.suspend(() => owned.use(used)),
    (isRight) => {
      if (!isRight) return Effect.die(new Error(`the value of ${used} is another one`))
      used += 1
      return Effect.sleep("1 millis")
    }
  )
  yield* Effect.raceFirst(stop.await, Effect.forever(use))
  writeSync(1, `used ${used}\n`)
}).pipe(
  Effect.scoped,
  Effect.catch(({ reason }) => Effect.sync(() => writeSync(1, `${reason._tag}\n${reason.message}\n`)))
)

await Effect.runPromise(program)
