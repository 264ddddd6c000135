/**
 * Starts a program, and kills it at a moment that a seed decides.
 */
import * as Effect from "effect/Effect"
import * as Process from "./Process.ts"
import type { Random } from "./Random.ts"

/** When a process is killed. */
export interface Moment {
  /** What it has printed, such as the end of an operation; `undefined` for its start. */
  readonly after: string | undefined
  /** How long after that. */
  readonly millis: number
}

/** A moment: mostly while it works, sometimes while it starts, and recovers what the one before it left. */
export const moment = (random: Random, millis: number): Moment =>
  random.oneIn(8)
    ? { after: undefined, millis: 60 + random.below(150) }
    : { after: firstLine, millis: random.below(millis) }

/** A moment as soon as an operation has been acknowledged: what it had not brought to disk is lost most surely then. */
export const momentAfter = (random: Random, operation: number): Moment => ({
  after: `end ${operation}\n`,
  millis: random.below(4) * random.below(10)
})

/** Any line. */
const firstLine = "\n"

/** A moment, for a finding. */
export const describe = ({ after, millis }: Moment): string =>
  `killed ${millis} ms after its ${after === undefined ? "start" : after === firstLine ? "first line" : after.trim()}`

/** Starts a program and kills it; answers how it ended. */
export const at = ({ after, millis }: Moment, program: Process.Command): Effect.Effect<Process.Ended> =>
  Effect.gen(function* () {
    const child = yield* Process.start(program)
    if (after !== undefined) yield* child.printed(after)
    yield* Effect.sleep(millis)
    yield* child.kill("SIGKILL")
    return yield* child.ended
  }).pipe(Effect.scoped)
