/**
 * How long a campaign goes on: so many rounds, and then until its time is up.
 */
import * as Effect from "effect/Effect"
import type { Settings } from "./Campaign.ts"

/**
 * Runs rounds until as many have been done as the scale asks for, at least one, and the extra time is up. Stops at the
 * first round that answers false. Answers how many were done.
 */
export const repeat = <R>(
  { extraSeconds, scale }: Settings,
  count: number,
  round: (number: number) => Effect.Effect<boolean, never, R>
): Effect.Effect<number, never, R> =>
  Effect.gen(function* () {
    const rounds = Math.max(1, Math.round(count * scale))
    let done = 0
    let deadline = Infinity
    while (done < rounds || Date.now() < deadline) {
      const goOn = yield* round(done)
      done += 1
      if (!goOn) break
      if (done === rounds) deadline = Date.now() + extraSeconds * 1000
    }
    return done
  })

/**
 * The same in lanes that work at a time, round by round in turn; a lane whose round answers false stops alone.
 * Answers how many rounds were done.
 */
export const repeatInLanes = <R>(
  settings: Settings,
  lanes: number,
  count: number,
  round: (number: number) => Effect.Effect<boolean, never, R>
): Effect.Effect<number, never, R> =>
  Effect.map(
    Effect.forEach(
      Array.from({ length: lanes }, (_, lane) => lane),
      (lane) => repeat(settings, count / lanes, (number) => round(number * lanes + lane)),
      { concurrency: "unbounded" }
    ),
    (done) => done.reduce((sum, rounds) => sum + rounds, 0)
  )
