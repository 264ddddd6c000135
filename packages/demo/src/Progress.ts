/**
 * How far a step of the demo is: a bar that moves on a terminal, and a line at
 * its end elsewhere.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/** Tells of the units that have been done. */
export interface Progress {
  readonly advance: (units: number) => Effect.Effect<void>
  /** Ends the step with a line. */
  readonly done: (summary: string) => Effect.Effect<void>
}

/** Begins a step of so many units. */
export const start = (step: string, total: number): Effect.Effect<Progress> =>
  Effect.sync(() => {
    const terminal = process.stdout.isTTY
    let units = 0
    let drawn = ""
    const draw = () => {
      const next = bar(step, total === 0 ? 1 : Math.min(1, units / total))
      if (next === drawn) return
      drawn = next
      process.stdout.write(`\r${next}`)
    }
    return {
      advance: (more) =>
        Effect.sync(() => {
          units += more
          if (terminal) draw()
        }),
      done: (summary) => Console.log(`${terminal ? clearLine : ""}${step.padEnd(stepWidth)} ${summary}`)
    }
  })

const stepWidth = 10

const barWidth = 40

const clearLine = "\r\u001b[2K"

const bar = (step: string, fraction: number): string => {
  const filled = Math.round(fraction * barWidth)
  const percent = String(Math.floor(fraction * 100)).padStart(3)
  return `${step.padEnd(stepWidth)} [${"#".repeat(filled)}${".".repeat(barWidth - filled)}] ${percent}%`
}
