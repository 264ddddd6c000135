/**
 * Runs the demo as its user does: a process of its own, its output read.
 */
import { Effect } from "effect"
import { spawn, type ChildProcess } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

/** What a run printed, and how it ended. */
export interface Outcome {
  readonly code: number | null
  readonly output: string
}

const main = Path.resolve(import.meta.dirname, "../src/main.ts")

/** A directory that goes away with the scope. */
export const directory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-bookie-demo-test-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

/** Runs the demo to its end. */
export const run = (...args: ReadonlyArray<string>): Effect.Effect<Outcome> =>
  Effect.flatMap(start(...args), (program) => program.outcome).pipe(Effect.scoped)

/** Starts the demo; it is killed if the scope ends before it does. */
export const start = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => new Program(spawn(process.execPath, [main, ...args]))),
    (program) => Effect.sync(() => program.kill("SIGKILL"))
  )

/** A demo that runs. */
export class Program {
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  output = ""

  constructor(child: ChildProcess) {
    this.#child = child
    child.stdout?.on("data", (chunk) => (this.output += String(chunk)))
    child.stderr?.on("data", (chunk) => (this.output += String(chunk)))
    this.#ended = new Promise((resolve) => child.once("close", resolve))
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Waits until the output has a text, or the program has ended. */
  printed(text: string): Effect.Effect<boolean> {
    return Effect.promise(async () => {
      while (this.#child.exitCode === null && !this.output.includes(text)) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return this.output.includes(text)
    })
  }

  get outcome(): Effect.Effect<Outcome> {
    return Effect.promise(async () => ({ code: await this.#ended, output: this.output }))
  }
}
