/**
 * The comparisons that a run makes, and whether every one held: the exit code
 * of the demo.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** What a run fails with if a comparison did not hold. */
export class ComparisonsFailed extends Schema.TaggedError<ComparisonsFailed>()("ComparisonsFailed", {
  failures: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.failures.length} comparisons did not hold, the first: ${this.failures[0]}`
  }
}

/** Gathers the comparisons of a run. */
export interface Comparison {
  /** Notes that something must hold, and whether it does. */
  readonly check: (holds: boolean, what: string) => Effect.Effect<void>
  /** Fails if any comparison did not hold. */
  readonly conclude: Effect.Effect<void, ComparisonsFailed>
}

/** Begins a run. */
export const make: Effect.Effect<Comparison> = Effect.sync(() => {
  let checked = 0
  let failed = 0
  const failures: Array<string> = []
  return {
    check: (holds, what) => {
      checked += 1
      if (holds) return Effect.void
      failed += 1
      if (failures.length < maxFailuresKept) failures.push(what)
      return failed <= maxFailuresKept ? Console.error(`MISMATCH   ${what}`) : Effect.void
    },
    conclude: Effect.suspend(() =>
      failed === 0
        ? Console.log(`compared   ${checked} comparisons, all of them held`)
        : Effect.fail(new ComparisonsFailed({ failures }))
    )
  }
})

/** Enough to see what is wrong; a file that differs throughout must not fill memory or the screen. */
const maxFailuresKept = 20
