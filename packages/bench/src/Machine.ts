/**
 * The machine that a run is on, and what took part.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { type EngineName, engines } from "./Engines.ts"
import type { Participant } from "./Report.ts"

/** In a few words. */
export const describe = (): string => {
  const cpus = Os.cpus()
  const memory = `${Math.round(Os.totalmem() / 2 ** 30)} GiB`
  return `${cpus.length} × ${cpus[0]?.model.trim()}, ${memory}, ${Os.type()} ${process.arch}, Node ${process.version}`
}

/** The engine of a name. */
export const participant = (name: EngineName): Participant => {
  const { package: packageName, title, variantOf, version } = engines[name]
  return { name, title, variantOf, version: version ?? (packageName === undefined ? "" : versionOf(packageName)) }
}

/** The version of an installed package. */
const versionOf = (packageName: string): string => {
  for (let folder = import.meta.dirname; folder !== Path.dirname(folder); folder = Path.dirname(folder)) {
    const file = Path.join(folder, "node_modules", packageName, "package.json")
    if (!Fs.existsSync(file)) continue
    const { version }: { readonly version: string } = JSON.parse(Fs.readFileSync(file, "utf8"))
    return version
  }
  return ""
}
