/**
 * Stores entries until it ends in the way of its first argument, and says what
 * was acknowledged, what was released, and what is not on disk. Arguments: the
 * way, the directory, how many batches at least, whether the index is "sync".
 */
import { NodeRuntime } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeSync } from "node:fs"
import { unsynced } from "../../harness/DiskWatch.ts"
import * as Stack from "../../harness/Stack.ts"
import * as Storing from "../../model/Storing.ts"

const [way = "", directory = "", batches = "", durability = ""] = process.argv.slice(2)

const released: Array<string> = []

process.on("exit", () => {
  const { index, logs } = Stack.directories(directory)
  const pending = [...unsynced(index), ...unsynced(logs)]
  writeSync(1, `released ${released.join()}\nunsynced ${pending.join()}\n`)
})

if (way === "exit") process.on("SIGTERM", () => process.exit(3))

const enough = Number(batches)

/** Ends the process in its way, once enough was acknowledged. */
const end = Effect.suspend(() => {
  if (way === "defect") return Effect.die(new Error("a bug of the application"))
  if (way === "uncaught") {
    setTimeout(() => {
      throw new Error("a bug of the application, outside of every fiber")
    })
  }
  writeSync(1, "enough\n")
  return Effect.never
})

const storing = Storing.until(enough, (ledger, count) => writeSync(1, Storing.acknowledgedLine(ledger, count)))

const stack = Stack.layer({
  directory,
  index: { durability: durability === "sync" ? "sync" : "buffered" },
  onRelease: (resource) => released.push(resource)
})

const failing = Layer.effectDiscard(Effect.andThen(storing, Effect.fail(new Error("this layer does not build"))))

const program =
  way === "layer"
    ? Effect.provide(Effect.never, Layer.provideMerge(failing, stack))
    : Effect.provide(way === "end" ? storing : Effect.andThen(storing, end), stack)

NodeRuntime.runMain(program, { disableErrorReporting: true })
