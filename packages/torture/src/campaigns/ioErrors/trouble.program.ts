/**
 * Brings one trouble of the file system upon entry logs and an index that are
 * in use, watches what they answer, ends the trouble, and opens all of it
 * again. Reports. Arguments: the trouble, the directory, the seed.
 */
import * as Effect from "effect/Effect"
import { Findings } from "../../harness/Findings.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import { Trouble, troubles } from "./Trouble.ts"

const [name = "", directory = "", seed = ""] = process.argv.slice(2)

const kind = troubles.find((trouble) => trouble.name === name)
if (kind === undefined) throw new Error(`there is no trouble ${name}`)

Report.print(await Effect.runPromise(new Trouble(kind, directory, Random.make(Number(seed)), new Findings()).run))
