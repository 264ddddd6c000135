/**
 * Ways to copy a directory that others write to: some of its files may be gone
 * before they are copied, and then the copy goes on without them.
 */
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Random } from "../../harness/Random.ts"

/** Copies a directory in this process, in one of the ways that a program has. */
export const byThis = async (random: Random, source: string, target: string): Promise<void> => {
  const copy = random.pick([fileByFile, fileByFile, atOnce, concurrently, byAnother])
  await copy(source, target)
}

/** Copies a directory in a process that knows nothing of it. */
export const byAnother = (source: string, target: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn("cp", ["-r", source, target], { stdio: "ignore" })
    child.once("error", reject)
    child.once("close", () => resolve())
  })

/** Reads each file whole, as an archiver does, and closes it: the lock files, too. */
const fileByFile = async (source: string, target: string): Promise<void> => {
  Fs.mkdirSync(target)
  for (const entry of Fs.readdirSync(source, { withFileTypes: true })) {
    const from = Path.join(source, entry.name)
    const to = Path.join(target, entry.name)
    if (entry.isDirectory()) await fileByFile(from, to)
    else ignoreMissing(() => Fs.writeFileSync(to, Fs.readFileSync(from)))
    // Others go on in between.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Each directory in one call: what follows a file that is gone is missing in the copy of its directory. */
const atOnce = async (source: string, target: string): Promise<void> => {
  Fs.mkdirSync(target)
  for (const name of Fs.readdirSync(source)) {
    ignoreMissing(() => Fs.cpSync(Path.join(source, name), Path.join(target, name), { recursive: true }))
  }
}

const concurrently = async (source: string, target: string): Promise<void> => {
  Fs.mkdirSync(target)
  const copies = Fs.readdirSync(source).map((name) =>
    Fs.promises.cp(Path.join(source, name), Path.join(target, name), { recursive: true })
  )
  for (const copy of await Promise.allSettled(copies)) {
    if (copy.status === "rejected") {
      ignoreMissing(() => {
        throw copy.reason
      })
    }
  }
}

const ignoreMissing = (run: () => void): void => {
  try {
    run()
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause
  }
}
