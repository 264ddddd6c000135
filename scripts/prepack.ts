/**
 * Runs before and after `npm pack` and `npm publish` of a package, in its folder.
 *
 * Before: builds it, puts what `publishConfig` says of its exports in force
 * (npm does not), and adds the license. After, with `--undo`: puts everything
 * back as it was.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"

const repository = Path.resolve(import.meta.dirname, "..")
const manifest = Path.resolve("package.json")
const original = Path.resolve("package.json.original")
const license = Path.resolve("LICENSE")

const prepare = (): void => {
  execFileSync(process.execPath, [Path.join(repository, "node_modules/typescript/bin/tsc"), "-b", "."])
  if (!Fs.existsSync(original)) Fs.copyFileSync(manifest, original)
  const { exports } = JSON.parse(Fs.readFileSync(original, "utf8")).publishConfig
  Fs.writeFileSync(
    manifest,
    `${JSON.stringify({ ...JSON.parse(Fs.readFileSync(original, "utf8")), exports }, undefined, 2)}\n`
  )
  Fs.copyFileSync(Path.join(repository, "LICENSE"), license)
}

const undo = (): void => {
  if (Fs.existsSync(original)) Fs.renameSync(original, manifest)
  Fs.rmSync(license, { force: true })
}

if (process.argv.includes("--undo")) undo()
else prepare()
