/**
 * Works on an index with a small page cache and on entry logs for some time,
 * with readers slower than their streams and writers faster than the disk,
 * weighs this process all the while, and reports. Arguments: the directory, the
 * seed, how many entries to add, for how many seconds to go on at least.
 */
import * as Effect from "effect/Effect"
import { Findings } from "../../harness/Findings.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import * as Stack from "../../harness/Stack.ts"
import { Weighing } from "./Weighing.ts"

const [directory = "", seed = "", entries = "", seconds = ""] = process.argv.slice(2)

const weighing = new Weighing(Random.make(Number(seed)), new Findings(), Number(entries), Number(seconds))
const stack = Stack.layer({
  directory,
  index: { pageCacheSize: "4 MiB", memtableSize: "2 MiB", compactionInterval: "1 second" },
  database: { writeBufferSize: "4 MiB", maxOpenFiles: 100 },
  logs: { maxLogSize: "8 MiB" }
})
Report.print(await Effect.runPromise(Effect.provide(weighing.run, stack)))
