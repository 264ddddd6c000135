/**
 * Packs the packages that are published, looks at the tarballs with publint and
 * attw, installs them in an empty folder as a user would, and uses them there
 * from plain JavaScript on every supported Node, and from TypeScript. Of each
 * package every module that its exports offer is looked at and imported.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

/** The oldest Node that the packages support, and the newest; the one of the repository lies between them. */
const otherNodes = { oldest: "22.19.0", newest: "26" }

const repository = Path.resolve(import.meta.dirname, "..")
const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-bookie-packed-"))

/** A package that is published. */
interface Packed {
  readonly name: string
  readonly tarball: string
  /** The modules that its exports offer beside the main one. */
  readonly modules: ReadonlyArray<string>
}

const check = (): void => {
  const packages = pack()
  for (const { modules, tarball } of packages) {
    run(bin("publint"), ["run", tarball, "--strict"], folder)
    // It looks at no module that a `*` in the exports stands for, unless it is told of it.
    const entrypoints = ["--include-entrypoints", ...modules.map((module) => `./${module}`)]
    run(bin("attw"), [tarball, "--profile", "esm-only", ...entrypoints], folder)
  }
  console.log(`publint and attw find nothing wrong with ${packages.map(({ name }) => name).join(", ")}`)
  install(packages.map(({ tarball }) => tarball))
  Fs.writeFileSync(Path.join(folder, "imports.mjs"), packages.flatMap(importsOf).join("\n"))
  for (const node of [process.execPath, ...nodes()]) {
    Fs.rmSync(Path.join(folder, "data"), { recursive: true, force: true })
    run(node, ["imports.mjs"], folder)
    process.stdout.write(`Node ${run(node, ["--version"], folder).trim()}: ${run(node, ["use.mjs"], folder)}`)
  }
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "", "--skipLibCheck"]
  run(bin("tsc"), [...flags, "use.ts"], folder)
  console.log("and their declarations compile")
}

/** Packs every workspace that is not private. */
const pack = (): ReadonlyArray<Packed> => {
  const workspaces: ReadonlyArray<string> = manifest(repository).workspaces
  return workspaces
    .map((workspace) => Path.join(repository, workspace))
    .filter((directory) => !manifest(directory).private)
    .map((directory) => ({
      name: manifest(directory).name,
      tarball: run("npm", ["pack", "--silent", "--pack-destination", folder], directory).trim(),
      modules: Fs.globSync("src/*.ts", { cwd: directory })
        .map((file) => Path.basename(file, ".ts"))
        .filter((module) => module !== "index")
    }))
}

const importsOf = ({ modules, name }: Packed): ReadonlyArray<string> =>
  [name, ...modules.map((module) => `${name}/${module}`)].map((module) => `import ${JSON.stringify(module)}`)

const install = (tarballs: ReadonlyArray<string>): void => {
  const { effect } = manifest(repository).devDependencies
  Fs.writeFileSync(Path.join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }))
  run("npm", ["install", "--silent", `effect@${effect}`, ...tarballs.map((name) => `./${name}`)], folder)
  for (const name of ["use.mjs", "use.ts"]) {
    Fs.copyFileSync(Path.join(import.meta.dirname, "packed", name), Path.join(folder, name))
  }
}

/** The other Nodes, from the npm registry. */
const nodes = (): ReadonlyArray<string> => {
  const directory = Path.join(folder, "nodes")
  Fs.mkdirSync(directory)
  const names = Object.keys(otherNodes)
  const aliases = Object.entries(otherNodes).map(([name, version]) => `${name}@npm:node@${version}`)
  const allowScripts = Object.fromEntries([...names, "node"].map((name) => [name, true]))
  Fs.writeFileSync(Path.join(directory, "package.json"), JSON.stringify({ private: true, allowScripts }))
  run("npm", ["install", "--silent", ...aliases], directory)
  return names.map((name) => Path.join(directory, "node_modules", name, "bin/node"))
}

const manifest = (directory: string) => JSON.parse(Fs.readFileSync(Path.join(directory, "package.json"), "utf8"))

const bin = (name: string): string => Path.join(repository, "node_modules/.bin", name)

const run = (command: string, args: ReadonlyArray<string>, cwd: string): string => {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
  } catch (error) {
    if (typeof error === "object" && error !== null && "stdout" in error) process.stderr.write(String(error.stdout))
    throw error
  }
}

try {
  check()
} finally {
  Fs.rmSync(folder, { recursive: true, force: true })
}
