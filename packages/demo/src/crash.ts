/**
 * The disease and the cure, with the `rocksdb` binding: a property read after
 * the database has closed.
 *
 * `npm run demo:crash` does it in two child processes of a Node that loads the
 * binding. On the bare binding the child dies of SIGSEGV; through `RocksDB` it
 * gets `Closed` and lives. Exits 0 if both happened.
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Os from "node:os"
import * as Path from "node:path"

/** A Node, and why one might use it. */
interface Candidate {
  readonly node: string
  readonly why: string
}

const repository = Path.resolve(import.meta.dirname, "../../..")
const binding = createRequire(import.meta.url).resolve("rocksdb")

const main = (): boolean => {
  const chosen = choose()
  if (chosen === undefined) return false
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-bookie-crash-"))
  try {
    const bare = runChild("the bare binding", chosen.node, "bare.mjs", [binding, Path.join(directory, "bare")])
    build()
    const scoped = runChild("RocksDB", chosen.node, "scoped.mjs", [Path.join(directory, "scoped")])
    const shown = bare.signal === "SIGSEGV" && scoped.status === 0
    console.log(shown ? "\nThe bare binding died, RocksDB lived." : "\nThis is not what should have happened.")
    return shown
  } finally {
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** The first Node that loads the binding; says which, and why. */
const choose = (): Candidate | undefined => {
  for (const candidate of candidates()) {
    const { signal, status } = spawnSync(candidate.node, ["-e", "require(process.argv[1])", binding])
    const version = spawnSync(candidate.node, ["--version"], { encoding: "utf8" }).stdout?.trim()
    if (status === 0) {
      console.log(`Using Node ${version} at ${candidate.node}: ${candidate.why}, and it loads the rocksdb binding.`)
      return candidate
    }
    console.log(
      `Not Node ${version} at ${candidate.node} (${candidate.why}): loading the binding ended it, ${signal ?? status}.`
    )
  }
  console.error(
    "No Node here loads the prebuilt rocksdb binding (Level/rocksdb#228). " +
      "`npm rebuild rocksdb` compiles it for the Node of this repository, which takes some minutes; then try again."
  )
  return undefined
}

const candidates = (): ReadonlyArray<Candidate> => {
  const name = process.platform === "win32" ? "node.exe" : "node"
  const others = (process.env["PATH"] ?? "")
    .split(Path.delimiter)
    .filter((folder) => folder !== "" && !folder.includes("node_modules"))
    .map((folder) => Path.join(folder, name))
  const all: ReadonlyArray<Candidate> = [
    { node: process.execPath, why: "it runs this program" },
    { node: process.env["npm_node_execpath"] ?? "", why: "it runs npm" },
    ...others.map((node) => ({ node, why: "it is on the PATH" }))
  ]
  const existing = all.filter(({ node }) => node !== "" && Fs.existsSync(node))
  return existing.filter(({ node }, at) => existing.findIndex((other) => other.node === node) === at)
}

/** Builds the packages to plain JavaScript, for a Node that cannot strip types; the condition `dist` finds what is built. */
const build = (): void => {
  const compiler = Path.join(repository, "node_modules/typescript/bin/tsc")
  const result = spawnSync(process.execPath, [compiler, "-b", "packages/rocksdb-level"], {
    cwd: repository,
    encoding: "utf8"
  })
  if (result.status !== 0) throw new Error(`The packages do not build:\n${result.stdout}${result.stderr}`)
}

const runChild = (what: string, node: string, program: string, args: ReadonlyArray<string>) => {
  console.log(`\nA child process on ${what}:`)
  const child = spawnSync(node, ["--conditions=dist", Path.join(import.meta.dirname, "crash", program), ...args], {
    encoding: "utf8"
  })
  const lines = `${child.stdout}${child.stderr}`.split("\n").filter((line) => line !== "")
  for (const line of lines) console.log(`  ${line}`)
  console.log(`  ended with ${child.signal ?? `exit code ${child.status}`}`)
  return child
}

process.exitCode = main() ? 0 : 1
