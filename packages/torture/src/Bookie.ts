/**
 * Starts the program `bookie`, and kills it at a moment that a seed decides.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Directory from "./Directory.ts"
import * as Process from "./Process.ts"
import type { Random } from "./Random.ts"

/** A directory for bookies: on the disk, or in memory, where a sync takes no time and more rounds fit in a minute. */
export const room = (where: "disk" | "memory"): Effect.Effect<string, never, Scope.Scope> =>
  where === "memory" && Fs.existsSync(memory) ? inMemory : Directory.temporary

/** A file system in memory that Linux has mounted. */
const memory = "/dev/shm"

const inMemory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(memory, "effect-bookie-torture-"))),
  (path) => Effect.promise(() => Fs.promises.rm(path, { recursive: true, force: true }))
)

/** When a process is killed: after so many milliseconds from its start, or from its first line. */
export interface Moment {
  readonly from: "start" | "first line"
  readonly millis: number
}

/** A moment: mostly while it works, sometimes while it starts, and recovers what the one before it left. */
export const moment = (random: Random, millis: number): Moment =>
  random.oneIn(8)
    ? { from: "start", millis: 60 + random.below(150) }
    : { from: "first line", millis: random.below(millis) }

/** Starts a program and kills it; answers how it ended. */
export const killed = ({ from, millis }: Moment, program: Process.Command): Effect.Effect<Process.Ended> =>
  Effect.gen(function* () {
    const child = yield* Process.start(program)
    if (from === "first line") yield* child.printed("\n")
    yield* Effect.sleep(millis)
    yield* child.kill("SIGKILL")
    return yield* child.ended
  }).pipe(Effect.scoped)
