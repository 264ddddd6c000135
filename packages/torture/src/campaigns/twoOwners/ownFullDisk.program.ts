/**
 * Owns a database on a file system that fills up, while another process tries to
 * open it, and reports. Arguments: the directory, the seed, and as JSON the
 * command of the other process, which gets what to open as arguments.
 */
import * as Effect from "effect/Effect"
import { Findings } from "../../harness/Findings.ts"
import type { Command } from "../../harness/Process.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import { FullDisk } from "./FullDisk.ts"

const [directory = "", seed = "", contend = ""] = process.argv.slice(2)

const { argv, env }: Command = JSON.parse(contend)

const owner = new FullDisk(directory, Random.make(Number(seed)), new Findings())
const contender = (paths: ReadonlyArray<string>): Command => ({
  argv: [...argv, ...paths.map((path) => `database=${path}`)],
  env
})
Report.print(await Effect.runPromise(owner.run(contender)))
