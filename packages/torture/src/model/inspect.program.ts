/**
 * Inspects the directory of a bookie, and prints what it holds or why it cannot
 * be read. Arguments: the seed, the directory.
 */
import * as Effect from "effect/Effect"
import * as Inspection from "./Inspection.ts"

const [seed = "", directory = ""] = process.argv.slice(2)

const result = await Effect.runPromise(Effect.result(Inspection.inspect(Number(seed), directory)))
console.log(
  result._tag === "Failure"
    ? `failed ${result.failure.message}`
    : JSON.stringify({
        index: [...result.success.index],
        logs: [...result.success.logs],
        problems: result.success.problems
      })
)
