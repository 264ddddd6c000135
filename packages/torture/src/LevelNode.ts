/**
 * Programs on a Node that loads the prebuilt `rocksdb` binding, which is seldom
 * the Node of this repository: this one, the one that runs npm, or one of the
 * PATH. One that cannot strip types gets the program from vite, which vitest
 * brings along.
 */
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import * as LevelNode from "../../rocksdb/test/support/levelNode.ts"
import * as Process from "./Process.ts"

/** Runs a program of ./programs with that Node; `undefined` where there is none. */
export const program = (name: string, ...args: ReadonlyArray<string>): Process.Command | undefined => {
  const node = LevelNode.find()
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
