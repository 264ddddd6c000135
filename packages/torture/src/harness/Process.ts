/**
 * Child processes of campaigns: each wait has a bound, and one that still runs
 * when its scope closes, or past its deadline, is killed. So a child that hangs
 * is a finding, and never a campaign that hangs.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as Programs from "./Programs.ts"

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Whether it ran past its deadline, and was killed for that. */
  readonly hung: boolean
  readonly stdout: string
  readonly stderr: string
}

/** A process that runs. */
export interface Running {
  readonly pid: number | undefined
  /** Waits until standard output holds a text; false if the process has ended without it. */
  readonly printed: (text: string) => Effect.Effect<boolean>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly ended: Effect.Effect<Ended>
}

/** How to run a process. */
export interface Options {
  /** How long it may run. Default: ten minutes; it only ends what hangs. */
  readonly seconds?: number | undefined
  /** On top of the environment of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** What to run. */
export interface Command {
  readonly argv: readonly [file: string, ...args: ReadonlyArray<string>]
  /** On top of the environment of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** Runs a program, named as in Programs.ts, with the Node of this process. */
export const program = (name: string, ...args: ReadonlyArray<string>): Command => ({
  argv: [process.execPath, "--expose-gc", Programs.file(name), ...args]
})

/** Runs a command that finds a file system of its own, of a size such as "24m", at a directory. */
export const onSmallDisk = (size: string, directory: string, { argv, env }: Command): Command => ({
  argv: [
    "unshare",
    "-rm",
    "sh",
    "-c",
    `mount -t tmpfs -o size=${size} tmpfs "$1" && shift && exec "$@"`,
    "sh",
    directory,
    ...argv
  ],
  env
})

/** Runs a command that may have so many descriptors open at a time. */
export const withOpenFiles = (most: number, { argv, env }: Command): Command => ({
  argv: ["sh", "-c", `ulimit -n ${most} && exec "$@"`, "sh", ...argv],
  env
})

/** Whether this system lets {@link onSmallDisk} mount file systems. */
export const canMount = (): boolean =>
  spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0

/** Starts a process. */
export const start = (command: Command, options: Options = {}): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Process(command, options)),
    (child) => Effect.andThen(child.kill("SIGKILL"), Effect.asVoid(child.ended))
  )

/** Runs a process to its end. */
export const run = (command: Command, options?: Options): Effect.Effect<Ended> =>
  Effect.scoped(Effect.flatMap(start(command, options), (child) => child.ended))

/** How a process ended, and the last that it said, for a finding. */
export const describe = ({ code, hung, signal, stderr, stdout }: Ended): string => {
  const how = hung ? "ran past its deadline" : signal === null ? `exited with ${code}` : `died of ${signal}`
  const said = `${stdout.slice(-500)}${stderr.slice(-1500)}`.trim()
  return said === "" ? how : `${how}, and said: ${said}`
}

class Process implements Running {
  readonly pid: number | undefined
  readonly ended: Effect.Effect<Ended>
  readonly #child: ChildProcess
  readonly #end: Promise<Ended>
  #stdout = ""
  #stderr = ""
  #hung = false
  #watchers: Array<() => void> = []

  constructor(command: Command, { env, seconds = 600 }: Options) {
    const [file, ...args] = command.argv
    this.#child = spawn(file, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...command.env, ...env }
    })
    this.pid = this.#child.pid
    this.#child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stdout += chunk
      for (const watcher of this.#watchers) watcher()
    })
    this.#child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stderr = (this.#stderr + chunk).slice(-maxStderr)
    })
    const deadline = setTimeout(() => {
      this.#hung = true
      this.#child.kill("SIGKILL")
    }, seconds * 1000)
    this.#end = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        clearTimeout(deadline)
        resolve({ code, signal, hung: this.#hung, stdout: this.#stdout, stderr: this.#stderr })
      }
      this.#child.once("error", (error) => {
        this.#stderr += String(error)
        end(null, null)
      })
      this.#child.once("close", end)
    })
    this.ended = Effect.promise(() => this.#end)
  }

  readonly printed = (text: string): Effect.Effect<boolean> => {
    const found = new Promise<boolean>((resolve) => {
      const watcher = () => {
        if (!this.#stdout.includes(text)) return
        this.#watchers = this.#watchers.filter((other) => other !== watcher)
        resolve(true)
      }
      this.#watchers.push(watcher)
      watcher()
    })
    return Effect.promise(() => Promise.race([found, this.#end.then(() => this.#stdout.includes(text))]))
  }

  readonly kill = (signal: NodeJS.Signals): Effect.Effect<void> => Effect.sync(() => void this.#child.kill(signal))
}

/** In characters; what was said last tells most. */
const maxStderr = 100_000
