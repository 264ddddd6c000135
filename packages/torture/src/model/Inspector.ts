/**
 * Inspects directories of any engine: those of the default one in this process,
 * others in a process of a Node that loads their engine.
 */
import * as Effect from "effect/Effect"
import * as Engines from "../harness/Engines.ts"
import * as Process from "../harness/Process.ts"
import { inspect, type Inspection } from "./Inspection.ts"

/** What a bookie's directory holds, or why it cannot be read. */
export const inspectOn = (
  engine: Engines.Engine,
  seed: number,
  directory: string
): Effect.Effect<Inspection, { readonly message: string }> => {
  if (engine === Engines.native) return inspect(seed, directory)
  return inspectBy(engine.program("model/inspect", String(seed), directory))
}

/** What the program `inspect` says of a directory. */
export const inspectBy = (command: Process.Command): Effect.Effect<Inspection, { readonly message: string }> =>
  Effect.flatMap(Process.run(command), (ended) => {
    if (ended.code !== 0 || !ended.stdout.startsWith("{")) return Effect.fail({ message: Process.describe(ended) })
    const { index, logs, problems } = JSON.parse(ended.stdout)
    return Effect.succeed({ index: new Map(index), logs: new Map(logs), problems })
  })
