/**
 * The bench: see `npm run bench -- --help`. It exits 0 only if every answer of
 * every engine was right.
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Chart from "./Chart.ts"
import { folder } from "./engines/bookkeeper.ts"
import { help, type Options, parse } from "./Options.ts"
import { run } from "./Run.ts"
import * as Table from "./Table.ts"

const main = async (options: Options): Promise<void> => {
  if (options.engines.includes("bookkeeper")) buildBookKeeper()
  Fs.mkdirSync(options.directory, { recursive: true })
  const directory = Fs.mkdtempSync(Path.join(options.directory, "effect-bookie-bench-"))
  const clear = () => Fs.rmSync(directory, { recursive: true, force: true })
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      clear()
      process.exit(1)
    })
  }
  try {
    const report = await run({ ...options, directory }, (text) => process.stderr.write(`${text}\n`))
    process.stdout.write(Table.render(report))
    if (options.json !== undefined) Fs.writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`)
    if (options.chart !== undefined) Fs.writeFileSync(options.chart, Chart.render(report))
  } finally {
    clear()
  }
}

/** Compiles the Java program, and finds its class path. */
const buildBookKeeper = (): void => {
  const { error, status, stdout } = spawnSync("mvn", ["-q", "-B", "process-classes"], { cwd: folder, encoding: "utf8" })
  if (error !== undefined) throw new Error(`--bookkeeper needs Java 17 and Maven: ${error.message}`)
  if (status !== 0) throw new Error(`Maven could not build ${folder}: ${stdout}`)
}

const failWith =
  (exitCode: number) =>
  (cause: unknown): never => {
    console.error(cause instanceof Error ? cause.message : cause)
    process.exit(exitCode)
  }

const options = (() => {
  try {
    return parse(process.argv.slice(2))
  } catch (cause) {
    return failWith(2)(cause)
  }
})()

if (options === "help") console.log(help)
else await main(options).catch(failWith(1))
