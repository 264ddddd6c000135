/**
 * The programs that processes run: the files `*.program.ts` of this package,
 * each named by its path in `src`, such as `campaigns/closeStorm/storm`.
 *
 * Each is bundled into one file: so a process starts in a tenth of a second,
 * four times as soon as from the sources, and a Node that cannot strip types
 * runs them too.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import * as Directory from "./Directory.ts"

/** Bundles all programs, for as long as the scope lasts; without it they are run from their sources. */
export const bundle: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function* () {
  const directory = yield* Directory.temporary
  const output = Path.join(directory, "programs")
  yield* Effect.promise(() => write(output))
  // Whoever a program runs as may read it, and it finds the packages that are not in the bundle.
  Fs.chmodSync(directory, 0o755)
  Fs.symlinkSync(Path.join(root, "node_modules"), Path.join(directory, "node_modules"))
  yield* Effect.acquireRelease(
    Effect.sync(() => void (bundled = output)),
    () => Effect.sync(() => void (bundled = undefined))
  )
})

/** The file of a program. */
export const file = (name: string): string =>
  bundled === undefined ? Path.join(sources, `${name}${ending}`) : Path.join(bundled, `${name}.js`)

let bundled: string | undefined

const sources = Path.resolve(import.meta.dirname, "..")

const root = Path.resolve(import.meta.dirname, "../../../..")

const ending = ".program.ts"

/** What is used of rolldown, which vitest brings along in vite. */
interface Bundler {
  readonly rolldown: (options: {
    readonly input: Readonly<Record<string, string>>
    readonly platform: "node"
    readonly external: ReadonlyArray<string>
  }) => Promise<{
    readonly write: (options: { readonly dir: string; readonly format: "esm" }) => Promise<unknown>
    readonly close: () => Promise<void>
  }>
}

const write = async (dir: string): Promise<void> => {
  const vitest = createRequire(import.meta.url).resolve("vitest/package.json")
  const vite = createRequire(vitest).resolve("vite")
  const { rolldown }: Bundler = await import(pathToFileURL(createRequire(vite).resolve("rolldown")).href)
  const files = Fs.readdirSync(sources, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(ending))
  const input = Object.fromEntries(files.map((name) => [name.slice(0, -ending.length), Path.join(sources, name)]))
  const bundle = await rolldown({ input, platform: "node", external: native })
  await bundle.write({ dir, format: "esm" })
  await bundle.close()
}

/** Packages with native code, which no bundle can hold. */
const native = ["rocksdb", "rocksdb-native", "fs-native-extensions"]
