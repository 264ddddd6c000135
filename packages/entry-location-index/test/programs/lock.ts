/**
 * Imports what locks a file and exchanges directories, uses both in a directory,
 * and prints what they fail with.
 */
import { writeSync } from "node:fs"
import * as Path from "node:path"

const [directory = ""] = process.argv.slice(2)

const FileLock = await import("../../src/internal/rebuild/FileLock.ts")
writeSync(1, "imported\n")
const attempts = [() => FileLock.take(Path.join(directory, "lock")), () => FileLock.native.swap(directory, directory)]
for (const attempt of attempts) {
  await attempt().catch((error) => writeSync(1, `${error.reason._tag}\n`))
}
