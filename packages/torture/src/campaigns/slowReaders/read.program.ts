/**
 * Reads an index in ways that could make others wait, while it is written to,
 * and reports. Arguments: the directory, the seed, how many cycles, for how many
 * seconds to go on.
 */
import * as Effect from "effect/Effect"
import { Findings } from "../../harness/Findings.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import { Reading } from "./Reading.ts"

const [directory = "", seed = "", cycles = "", seconds = ""] = process.argv.slice(2)

const reading = new Reading(directory, Random.make(Number(seed)), new Findings())
Report.finish(await Effect.runPromise(reading.run(Number(cycles), Number(seconds))))
