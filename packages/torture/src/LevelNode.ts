/**
 * Programs on a Node that loads the prebuilt `rocksdb` binding, which is seldom
 * the Node of this repository: this one, the one that runs npm, or one of the
 * PATH. One that cannot strip types gets the program from vite, which vitest
 * brings along.
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import * as Process from "./Process.ts"

/** Runs a program of ./programs with that Node; `undefined` where there is none. */
export const program = (name: string, ...args: ReadonlyArray<string>): Process.Command | undefined => {
  const node = find()
  if (node === undefined) return undefined
  const [own, ...rest] = Process.program(name, ...args)
  if (node === Fs.realpathSync(own)) return [own, ...rest]
  const require = createRequire(createRequire(import.meta.url).resolve("vitest/package.json"))
  const vite = pathToFileURL(require.resolve("vite")).href
  const file = Path.join(import.meta.dirname, "programs", `${name}.ts`)
  const source =
    `const { runnerImport } = await import(${JSON.stringify(vite)});` +
    `await runnerImport(${JSON.stringify(file)}, { configFile: false, logLevel: "error" })`
  return [node, "--expose-gc", "--input-type=module", "--eval", source, "--", name, ...args]
}

const find = (): string | undefined => {
  const binding = createRequire(import.meta.resolve("@effect-bookie/rocksdb")).resolve("rocksdb")
  return candidates().find((node) => {
    const { status } = spawnSync(node, ["-e", "require(process.argv[1])", binding], {
      env: { ...process.env, NODE_OPTIONS: "" },
      stdio: "ignore",
      timeout: 30_000
    })
    return status === 0
  })
}

const candidates = (): ReadonlyArray<string> => {
  const executable = process.platform === "win32" ? "node.exe" : "node"
  const onPath = (process.env["PATH"] ?? "")
    .split(Path.delimiter)
    .filter((directory) => directory !== "" && !directory.includes("node_modules"))
    .map((directory) => Path.join(directory, executable))
  const nodes = [process.execPath, process.env["npm_node_execpath"] ?? "", ...onPath]
  return [...new Set(nodes.filter((node) => Fs.existsSync(node)).map((node) => Fs.realpathSync(node)))]
}
