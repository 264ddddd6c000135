/**
 * A world in which a seed decides what happens next: of all the fibers that
 * could go on, the native calls that could answer and the sleepers that could
 * wake up, one is chosen at a time.
 *
 * So an interleaving that does harm happens again with its seed. What only the
 * machine can decide, such as the system calls of an open, is waited for.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"
import type { Random } from "../../harness/Random.ts"

/** Decides what happens next. */
export class Choices implements Scheduler.Scheduler {
  readonly executionMode = "async"
  readonly #random: Random
  readonly #possible: Array<() => void> = []
  readonly #patient: Array<{ readonly wake: () => void; readonly step: number }> = []
  #now = 0
  /** How often in a row nothing was possible. */
  #idle = 0
  /** How many choices were made. */
  steps = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** Makes choices until an effect has come to its end. */
  async drive<A>(self: Effect.Effect<A>): Promise<A> {
    const run = { running: true }
    const result = Effect.runPromise(self, { scheduler: this }).finally(() => {
      run.running = false
    })
    while (run.running) {
      this.#chooseOne()
      // What a choice has settled goes on before the next one.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return result
  }

  /** Settles when it is chosen. */
  readonly turn = (): Promise<void> => new Promise((resolve) => this.#possible.push(resolve))

  shouldYield(): boolean {
    return this.#random.oneIn(20)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => this.#possible.push(task),
      flush: () => {
        for (let steps = 0; this.#possible.length > 0 && steps < maxFlushed; steps++) this.#chooseOne()
      }
    }
  }

  /** Tells a time that goes on as sleepers wake up. */
  readonly clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => this.#now,
    currentTimeMillis: Effect.sync(() => this.#now),
    currentTimeNanosUnsafe: () => BigInt(this.#now) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(this.#now) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => BigInt(this.#now) * 1_000_000n,
    monotonicTimeNanos: Effect.sync(() => BigInt(this.#now) * 1_000_000n),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const millis = Duration.toMillis(duration)
        const wake = () => {
          this.#now += millis
          resume(Effect.void)
        }
        // A deadline passes only where nothing else has come to an end for long.
        if (millis >= shortestDeadline) this.#patient.push({ wake, step: this.steps + stepsOfDeadline })
        else this.#possible.push(wake)
        return Effect.sync(() => this.#forget(wake))
      })
  }

  #chooseOne(): void {
    // Without anything possible the machine is at work, unless that lasts.
    this.#idle = this.#possible.length === 0 ? this.#idle + 1 : 0
    if (this.#idle > 0 && this.#idle < mostIdle) return
    this.steps += this.#idle > 0 ? stepsOfDeadline : 1
    const due = this.#patient.findIndex(({ step }) => step <= this.steps)
    if (due !== -1) return this.#patient.splice(due, 1)[0]?.wake()
    const at = this.#random.below(this.#possible.length)
    const last = this.#possible.pop()
    if (last === undefined) return
    const chosen = this.#possible[at]
    if (chosen !== undefined) this.#possible[at] = last
    ;(chosen ?? last)()
  }

  #forget(wake: () => void): void {
    const possible = this.#possible.indexOf(wake)
    if (possible !== -1) this.#possible.splice(possible, 1)
    const patient = this.#patient.findIndex((sleeper) => sleeper.wake === wake)
    if (patient !== -1) this.#patient.splice(patient, 1)
  }
}

/** In milliseconds. */
const shortestDeadline = 5_000

const stepsOfDeadline = 20_000

const mostIdle = 1_000_000

const maxFlushed = 100_000
