/**
 * The files that the demo stores: those that the user names, and all the files
 * in the directories that the user names, but for what version control and npm
 * put there. By default this repository's own sources and documents.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"

/** The absolute paths of the files, each once, in order. `exclude` is a directory that is left out. */
export const files: (
  names: ReadonlyArray<string>,
  exclude: string
) => Effect.Effect<ReadonlyArray<string>, PlatformError, FileSystem.FileSystem | Path.Path> = Effect.fnUntraced(
  function* (names: ReadonlyArray<string>, exclude: string) {
    const path = yield* Path.Path
    if (names.length === 0) {
      const repository = path.resolve(import.meta.dirname, "../../..")
      const found = yield* walk(repository, exclude)
      return found.filter((file) => ownFile.test(file) && !builtFile.test(file)).toSorted()
    }
    const found = new Set<string>()
    for (const name of names) {
      for (const file of yield* walk(path.resolve(name), exclude)) found.add(file)
    }
    return [...found].toSorted()
  }
)

const ownFile = /\.(ts|js|java|json|md|sh|yml|xml)$|\/LICENSE$|\/\.ci\/run$/

const builtFile = /\/(dist|target)\//

const skipped: ReadonlySet<string> = new Set([".git", "node_modules"])

const walk: (
  name: string,
  exclude: string
) => Effect.Effect<Array<string>, PlatformError, FileSystem.FileSystem | Path.Path> = Effect.fnUntraced(function* (
  name: string,
  exclude: string
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const found: Array<string> = []
  const pending = [name]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const info = yield* fs.stat(next)
    if (info.type === "File") found.push(next)
    if (info.type !== "Directory" || next === exclude) continue
    for (const entry of yield* fs.readDirectory(next)) {
      if (!skipped.has(entry)) pending.push(path.join(next, entry))
    }
  }
  return found
})
