/**
 * The Node that loads the prebuilt `rocksdb` binding, which is seldom the one of
 * this repository: this Node, the Node that runs npm, or one of the PATH.
 */
import { spawnSync } from "node:child_process"
import { existsSync, realpathSync } from "node:fs"
import { createRequire } from "node:module"
import * as Path from "node:path"

/** The first of the candidates that loads the binding. */
export const find = (): string | undefined => {
  const binding = createRequire(import.meta.url).resolve("rocksdb")
  return candidates().find((node) => {
    const { status } = spawnSync(node, ["-e", "require(process.argv[1])", binding], {
      env: { ...process.env, NODE_OPTIONS: "" },
      stdio: "ignore",
      timeout: 30_000
    })
    return status === 0
  })
}

/** The Nodes of this machine, in the order in which they are tried. */
export const candidates = (): ReadonlyArray<string> => {
  const executable = process.platform === "win32" ? "node.exe" : "node"
  const onPath = (process.env.PATH ?? "")
    .split(Path.delimiter)
    .filter((directory) => directory !== "" && !directory.includes("node_modules"))
    .map((directory) => Path.join(directory, executable))
  const nodes = [process.execPath, process.env.npm_node_execpath ?? "", ...onPath]
  return [...new Set(nodes.filter((node) => existsSync(node)).map((node) => realpathSync(node)))]
}
