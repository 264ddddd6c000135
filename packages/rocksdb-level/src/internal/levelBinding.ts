/**
 * Loads the `rocksdb` binding, but only where it can be loaded.
 *
 * Its prebuilt binary aborts the whole process with `std::bad_alloc` on the
 * official builds of Node since 20.12 (Level/rocksdb#228), which no `try` can
 * catch. So a child process of the same Node loads it first.
 */
import type Binding from "rocksdb"
import { execFile } from "node:child_process"
import { createRequire } from "node:module"

/** Loads the binding, or rejects with the reason why this Node cannot. A load that failed can be tried again. */
export const load = (): Promise<typeof Binding> => {
  loaded ??= probe()
    .then((): typeof Binding => require("rocksdb"))
    .catch((cause: unknown) => {
      loaded = undefined
      throw cause
    })
  return loaded
}

let loaded: Promise<typeof Binding> | undefined

// A failed `import` would fail for good.
const require = createRequire(import.meta.url)

const probe = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const entry = resolveEntry()
    execFile(
      process.execPath,
      ["-e", "require(process.argv[1])", entry],
      // The flags of this process must not make the child do anything but load.
      { env: { ...process.env, NODE_OPTIONS: "" }, timeout: probeTimeoutMillis },
      (error, _stdout, stderr) => {
        if (error === null) return resolve()
        reject(new Error(firstLine(stderr) || error.message, { cause: error }))
      }
    )
  })

const probeTimeoutMillis = 30_000

const resolveEntry = (): string => require.resolve("rocksdb")

const firstLine = (text: string): string => {
  const lines = text.split("\n").map((line) => line.trim())
  return lines.find((line) => /error|what\(\)|terminate/i.test(line)) ?? lines.find((line) => line !== "") ?? ""
}
