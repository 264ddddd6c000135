/**
 * Packs the packages, installs the tarballs in an empty folder as a user would,
 * and uses them there from plain JavaScript and from TypeScript.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const repository = Path.resolve(import.meta.dirname, "..")
const packages = ["rocksdb", "entry-log", "entry-location-index", "persistence"]

const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-bookie-packed-"))

const run = (command: string, args: ReadonlyArray<string>, cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

try {
  for (const name of packages) {
    run("npm", ["pack", "--silent", "--pack-destination", folder], Path.join(repository, "packages", name))
  }
  const tarballs = Fs.readdirSync(folder).filter((name) => name.endsWith(".tgz"))
  const { devDependencies } = JSON.parse(Fs.readFileSync(Path.join(repository, "package.json"), "utf8"))
  Fs.writeFileSync(Path.join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }))
  run(
    "npm",
    ["install", "--silent", `effect@${devDependencies.effect}`, ...tarballs.map((name) => `./${name}`)],
    folder
  )
  for (const name of ["use.mjs", "use.ts"]) {
    Fs.copyFileSync(Path.join(import.meta.dirname, "packed", name), Path.join(folder, name))
  }
  process.stdout.write(run(process.execPath, ["use.mjs"], folder))
  const compiler = Path.join(repository, "node_modules/typescript/bin/tsc")
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "", "--skipLibCheck"]
  run(process.execPath, [compiler, ...flags, "use.ts"], folder)
  console.log("and their declarations compile")
} finally {
  Fs.rmSync(folder, { recursive: true, force: true })
}
