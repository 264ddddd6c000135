/**
 * The Java program beside this folder: how it is built and run.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { text } from "node:stream/consumers"

/** The folder of its pom. */
export const folder = Path.resolve(import.meta.dirname, "..")

/** A command of the judge, and the file that its output goes to. */
export interface Command {
  readonly output: string
  readonly words: ReadonlyArray<string>
}

/** Which of the programs that it needs cannot be started here. */
export const missing = (): ReadonlyArray<string> =>
  [
    ["Java 17", "java"],
    ["Maven", "mvn"]
  ].flatMap(([name = "", command = ""]) => (spawnSync(command, ["-version"]).status === 0 ? [] : [name]))

/** Compiles it and finds its class path. */
export const build = (): void => {
  const { status, stdout } = spawnSync("mvn", ["-q", "-B", "process-classes"], { cwd: folder, encoding: "utf8" })
  if (status !== 0) throw new Error(`Maven could not build the judge: ${stdout}`)
}

/** Runs commands one after another in one Java process. Answers what those that failed said. */
export const run = async (commands: ReadonlyArray<Command>): Promise<string> => {
  const classPath = [
    Path.join(folder, "target", "classes"),
    Fs.readFileSync(Path.join(folder, "target", "classpath"), "utf8").trim()
  ].join(Path.delimiter)
  const child = spawn("java", ["-cp", classPath, "effectbookie.Judge", "batch"], {
    stdio: ["pipe", "ignore", "pipe"],
    timeout: 300_000
  })
  child.stdin.end(commands.map(({ output, words }) => `${[output, ...words].join("\t")}\n`).join(""))
  const [said, [code, signal]]: readonly [string, ReadonlyArray<unknown>] = await Promise.all([
    text(child.stderr),
    once(child, "exit")
  ])
  return code === 0 ? "" : `the judge ended with ${String(signal ?? code)}:\n${said}`
}
