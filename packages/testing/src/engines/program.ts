/**
 * Runs a program of `programs` in a real process, under the Node of the test.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process that runs. */
export interface Running {
  /** Waits until the process has printed a line, or dies with what it printed if it ended before. */
  readonly line: (line: string) => Effect.Effect<void>
  /** Waits until it has printed so many lines. */
  readonly lines: (count: number) => Effect.Effect<void>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly ended: Effect.Effect<Ended>
}

/** The file of a program. */
export const fileOf = (name: string): string => Path.join(cwd, `${name}.ts`)

/** Starts a program; one that still runs when the scope closes is killed. */
export const start = (name: string, ...args: ReadonlyArray<string>): Effect.Effect<Running, never, Scope.Scope> =>
  startCommand(process.execPath, [...command(name), ...args])

/** Runs a program to its end. */
export const run = (name: string, ...args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.scoped(Effect.flatMap(start(name, ...args), (child) => child.ended))

/** Runs a program under flags of Node, such as `--no-addons`. */
export const runWithFlags = (
  flags: ReadonlyArray<string>,
  name: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<Ended> =>
  Effect.scoped(
    Effect.flatMap(startCommand(process.execPath, [...flags, ...command(name), ...args]), (child) => child.ended)
  )

/** Runs a program that cannot write a file longer than some 512-byte blocks. */
export const runWithFileLimit = (blocks: number, name: string, ...args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.scoped(
    Effect.flatMap(
      startCommand("sh", ["-c", `ulimit -f ${blocks} && exec "$@"`, "sh", process.execPath, ...command(name), ...args]),
      (child) => child.ended
    )
  )

/** Runs a program with a small file system of its own, such as "12m", at a directory. */
export const runOnSmallDisk = (
  size: string,
  directory: string,
  name: string,
  args: ReadonlyArray<string>
): Effect.Effect<Ended> => runMounted(`-t tmpfs -o size=${size} tmpfs`, directory, name, args)

/** Runs a program that finds a directory at another path, too. */
export const runWithMount = (
  directory: string,
  path: string,
  name: string,
  args: ReadonlyArray<string>
): Effect.Effect<Ended> => runMounted(`--bind ${directory}`, path, name, args)

/** Runs a program in a mount namespace of its own, with something mounted at a path. */
const runMounted = (what: string, path: string, name: string, args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.scoped(
    Effect.flatMap(
      startCommand("unshare", [
        "-rm",
        "sh",
        "-c",
        `mount ${what} "$1" && shift && exec "$@"`,
        "sh",
        path,
        process.execPath,
        ...command(name),
        ...args
      ]),
      (child) => child.ended
    )
  )

const startCommand = (file: string, args: ReadonlyArray<string>): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Process(spawn(file, args, { cwd, stdio: "pipe" }))),
    (child) => Effect.andThen(child.kill("SIGKILL"), Effect.asVoid(child.ended))
  )

class Process implements Running {
  readonly #child: ChildProcess
  readonly #ended: Promise<Ended>
  #stdout = ""
  #stderr = ""
  #watchers: Array<() => void> = []

  constructor(child: ChildProcess) {
    this.#child = child
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stdout += chunk
      for (const watcher of this.#watchers) watcher()
    })
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (this.#stderr += chunk))
    this.#ended = new Promise((resolve, reject) => {
      child.once("error", reject)
      child.once("close", (code, signal) => resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }))
    })
  }

  readonly line = (line: string): Effect.Effect<void> => this.#until((lines) => lines.includes(line))

  readonly lines = (count: number): Effect.Effect<void> => this.#until((lines) => lines.length > count)

  readonly kill = (signal: NodeJS.Signals): Effect.Effect<void> => Effect.sync(() => void this.#child.kill(signal))

  readonly ended: Effect.Effect<Ended> = Effect.promise(() => this.#ended)

  #until(condition: (lines: ReadonlyArray<string>) => boolean): Effect.Effect<void> {
    const printed = new Promise<void>((resolve) => {
      const watcher = () => condition(this.#stdout.split("\n")) && resolve()
      this.#watchers.push(watcher)
      watcher()
    })
    const early = this.#ended.then((ended) => {
      throw new Error(`the program ended too early: ${JSON.stringify(ended)}`)
    })
    return Effect.promise(() => Promise.race([printed, early]))
  }
}

const cwd = Path.join(import.meta.dirname, "programs")

/** A Node that cannot strip types itself gets the program from vite, which vitest brings along. */
const command = (name: string): ReadonlyArray<string> => {
  const program = fileOf(name)
  if (process.features.typescript) return [program]
  const require = createRequire(createRequire(import.meta.url).resolve("vitest/package.json"))
  const vite = pathToFileURL(require.resolve("vite")).href
  const source =
    `const { runnerImport } = await import(${JSON.stringify(vite)});` +
    `await runnerImport(${JSON.stringify(program)}, { configFile: false, logLevel: "error" })`
  return ["--input-type=module", "--eval", source, "--"]
}
