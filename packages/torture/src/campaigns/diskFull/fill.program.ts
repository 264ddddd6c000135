/**
 * Fills the file system of a directory, frees some room, goes on, and opens all
 * of it again. Reports. Arguments: the directory, the seed.
 */
import * as Effect from "effect/Effect"
import { Findings } from "../../harness/Findings.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import { Filling } from "./Filling.ts"

const [directory = "", seed = ""] = process.argv.slice(2)

const filling = new Filling(directory, Random.make(Number(seed)), new Findings())
// Whoever ends a process that hangs sees what it was waiting for.
setInterval(() => console.error(filling.status), 5_000).unref()
Report.print(await Effect.runPromise(filling.run))
