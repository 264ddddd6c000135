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
const report = await Effect.runPromise(storm.run(Number(cycles), Number(seconds)))
Report.print(report)
// What hangs is a finding by now, and must not keep the process.
if (report.found.length > 0) process.exit(0)
