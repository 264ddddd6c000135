/**
 * The process of an engine, as the run sees it.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import * as Path from "node:path"
import type { Setup, Values } from "./Session.ts"
import type { StepName } from "./steps.ts"

/** A step to do. */
export interface Request {
  readonly step: StepName
  readonly turn: number
}

/** What it measured, or how it failed. */
export interface Answer {
  readonly values?: Values
  readonly failure?: string
}

export class Child {
  readonly #setup: Setup
  readonly #process: ChildProcess

  constructor(setup: Setup) {
    this.#setup = setup
    this.#process = fork(Path.join(import.meta.dirname, "worker.ts"), [JSON.stringify(setup)], {
      execArgv: ["--disable-warning=ExperimentalWarning"]
    })
  }

  /** Has a step done. Rejects if an answer was wrong, or the process ended. */
  async run(step: StepName, turn: number): Promise<Values> {
    const { engine } = this.#setup
    this.#process.send({ step, turn } satisfies Request)
    const answered = new AbortController()
    try {
      const [answer]: ReadonlyArray<Answer> = await Promise.race([
        once(this.#process, "message", { signal: answered.signal }),
        once(this.#process, "exit", { signal: answered.signal }).then(([code, signal]) => [
          { failure: `its process ended with ${signal ?? code}` }
        ])
      ])
      if (answer?.values === undefined) throw new Error(`${engine} failed at ${step}: ${answer?.failure}`)
      return answer.values
    } finally {
      answered.abort()
    }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, "exit")
    this.#process.disconnect()
    // Some bindings do not let a process end, now and then: classic-level once waited for good.
    const killer = setTimeout(() => this.#process.kill("SIGKILL"), patience)
    await exited
    clearTimeout(killer)
  }
}

/** How long a process may take to end, in milliseconds: to stop BookKeeper, too. */
const patience = 30_000
