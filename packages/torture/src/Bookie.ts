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

/** Where campaigns with bookies work: directories, and compiled programs, which makes each start twice as fast. */
export interface Room {
  readonly path: string
  readonly env: Readonly<Record<string, string>>
}

/**
 * Makes a room in which a program has been compiled: on the disk, or in memory, where a sync takes no time, so that
 * many more rounds fit in a minute.
 */
export const room = (program: string, where: "disk" | "memory"): Effect.Effect<Room, never, Scope.Scope> =>
  Effect.gen(function* () {
    const path = yield* where === "memory" && Fs.existsSync(memory) ? inMemory : Directory.temporary
    const env = { NODE_COMPILE_CACHE: Path.join(path, "compiled") }
    yield* Process.run(Process.program(program), { env })
    return { path, env }
  })

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
    ? { from: "start", millis: 150 + random.below(400) }
    : { from: "first line", millis: random.below(millis) }

/** Starts a program and kills it; answers how it ended. */
export const killed = (
  { env }: Room,
  { from, millis }: Moment,
  program: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<Process.Ended> =>
  Effect.gen(function* () {
    const child = yield* Process.start(Process.program(program, ...args), { env })
    if (from === "first line") yield* child.printed("\n")
    yield* Effect.sleep(millis)
    yield* child.kill("SIGKILL")
    return yield* child.ended
  }).pipe(Effect.scoped)
