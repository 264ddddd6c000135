/**
 * Directories of tests: new ones, what is in one, and damage to their files.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

/** A new directory, without symbolic links in its path, removed with the scope. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => Fs.realpathSync(Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-bookie-test-")))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

/** The path of a file of the directory, found by its name. */
export const find = (directory: string, name: RegExp): string => {
  const found = Fs.readdirSync(directory).find((file) => name.test(file))
  if (found === undefined) throw new Error(`no file of ${directory} is named ${name}`)
  return Path.join(directory, found)
}

/** The name and a hash of the contents of each file of the directory. */
export const contents = (directory: string): Record<string, string> =>
  Object.fromEntries(
    Fs.readdirSync(directory)
      .toSorted()
      .map((name) => [
        name,
        createHash("sha256")
          .update(Fs.readFileSync(Path.join(directory, name)))
          .digest("hex")
      ])
  )

/** Inverts bytes of a file from a position, which is a part of its length. */
export const flip = (file: string, position: number, count: number): void => {
  const content = Fs.readFileSync(file)
  const start = Math.floor(content.length * position)
  for (const [index, byte] of content.subarray(start, start + count).entries()) content[start + index] = byte ^ 0xff
  Fs.writeFileSync(file, content)
}

/** Takes away what root may do, which is everything, for the length of the scope. */
export const asOrdinaryUser: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    if (process.geteuid?.() === 0) process.seteuid?.(ordinaryUser)
  }),
  () =>
    Effect.sync(() => {
      if (process.getuid?.() === 0) process.seteuid?.(0)
    })
).pipe(Effect.asVoid)

const ordinaryUser = 65_534
