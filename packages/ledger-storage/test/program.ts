/**
 * Programs of tests that run in a process of their own and tell, a line each,
 * what they have done.
 */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"

/** A program that runs in a process of its own. */
export interface Program {
  /** What it has printed up to now, by lines. */
  readonly printed: () => ReadonlyArray<string>
  /** Waits until it has printed so many lines, or dies if it ends before. */
  readonly lines: (count: number) => Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  /** Its exit code once it has ended; `null` if it was killed. */
  readonly ended: Effect.Effect<number | null>
}

/** Starts a command in a folder; one that still runs when the scope closes is killed. */
export const startCommand = (
  file: string,
  args: ReadonlyArray<string>,
  cwd: string
): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => programOf(spawn(file, args, { cwd, stdio: ["ignore", "pipe", "inherit"] }))),
    (program) => Effect.andThen(program.kill, program.ended)
  )

const programOf = (child: ChildProcess): Program => {
  let output = ""
  let wake: (() => void) | undefined
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk
    wake?.()
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", resolve)
  })
  const printed = () => output.split("\n").slice(0, -1)
  return {
    printed,
    lines: (count) =>
      Effect.promise(() =>
        Promise.race([
          new Promise<void>((resolve) => {
            wake = () => printed().length >= count && resolve()
            wake()
          }),
          ended.then((code) => Promise.reject(new Error(`the program ended with code ${code}: ${output}`)))
        ])
      ),
    kill: Effect.sync(() => void child.kill("SIGKILL")),
    ended: Effect.promise(() => ended)
  }
}
