/**
 * Uses up the descriptors of this process while entry logs, an index and its
 * database are at work, gives them back, and reports. Arguments: the directory,
 * the seed, how often to open and close all of it.
 */
import * as Effect from "effect/Effect"
import { Findings } from "../../harness/Findings.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import { Starving } from "./Starving.ts"

const [directory = "", seed = "", lives = ""] = process.argv.slice(2)

const starving = new Starving(directory, Random.make(Number(seed)), new Findings())
Report.finish(await Effect.runPromise(starving.run(Number(lives))))
