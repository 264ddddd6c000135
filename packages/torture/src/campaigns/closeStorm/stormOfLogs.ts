/**
 * The body of the program `logStorm`.
 */
import * as Effect from "effect/Effect"
import { Findings } from "../../harness/Findings.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import { LogStorm } from "./LogStorm.ts"

const [directory = "", seed = "", cycles = "", seconds = ""] = process.argv.slice(2)

const storm = new LogStorm(directory, Number(seed), Random.make(Number(seed)), new Findings())
Report.finish(await Effect.runPromise(storm.run(Number(cycles), Number(seconds))))
