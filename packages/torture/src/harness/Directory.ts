/**
 * Directories of campaigns, and what a process holds open.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

/** A new directory, without symbolic links in its path, removed with the scope. */
export const temporary: Effect.Effect<string, never, Scope.Scope> = Effect.suspend(() => newIn(Os.tmpdir()))

/** The same in memory, where a sync takes no time and more rounds fit in a minute; on a disk where Linux has no such place. */
export const inMemory: Effect.Effect<string, never, Scope.Scope> = Effect.suspend(() =>
  newIn(Fs.existsSync(memory) ? memory : Os.tmpdir())
)

/** What the open descriptors of this process lead to, sorted; `undefined` on systems that do not tell. */
export const openFiles = (): ReadonlyArray<string> | undefined => {
  if (!Fs.existsSync(descriptors)) return undefined
  const files: Array<string> = []
  for (const name of Fs.readdirSync(descriptors)) {
    try {
      files.push(Fs.readlinkSync(Path.join(descriptors, name)))
    } catch {
      // The descriptor of the listing itself is gone by now.
    }
  }
  return files.toSorted()
}

const newIn = (parent: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => Fs.realpathSync(Fs.mkdtempSync(Path.join(parent, "effect-bookie-torture-")))),
    (path) => Effect.promise(() => Fs.promises.rm(path, { recursive: true, force: true }))
  )

/** A file system in memory that Linux has mounted. */
const memory = "/dev/shm"

const descriptors = "/proc/self/fd"
