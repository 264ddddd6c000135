/**
 * Compiles and runs every example of the READMEs, of docs/ and of the comments
 * in src: what a reader copies works.
 *
 * An example is a block of `ts`. One that imports nothing goes on where the last
 * one of its file or comment has ended. Each is a module of its own in an empty
 * folder, where it is type-checked as the repository is, and then run: a test by
 * vitest, everything else by Node. Where a line that logs ends in a comment, that
 * is what it has to print.
 *
 * Its lines have the numbers that they have in their source, so what a compiler
 * or a stack says of line 9 of `README.md.5.ts` is in line 9 of `README.md`.
 */
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"

/** How long a program may run, in milliseconds. */
const timeout = 60_000

/** How many run at the same time. */
const concurrency = Math.max(1, Math.min(4, Os.availableParallelism()))

const repository = Path.resolve(import.meta.dirname, "..")

interface Example {
  /** The file that it is written in, and its first line there. */
  readonly source: string
  readonly line: number
  readonly code: string
}

const check = async (folder: string): Promise<ReadonlyArray<string>> => {
  const examples = sources().flatMap(examplesIn)
  prepare(folder)
  const files = examples.map((example) => write(folder, example))
  const types = await run(folder, "tsc", ["--project", "."])
  if (types.problem !== undefined) return [types.output]
  const problems: Array<string> = []
  const waiting = examples.map((example, index) => ({ example, file: files[index] ?? "" }))
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const problem = await problemWith(next.file, next.example)
      if (problem !== undefined) problems.push(`${next.example.source}:${next.example.line}: ${problem}`)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  console.log(`${examples.length} examples compile, and ${examples.length - problems.length} of them run`)
  return problems
}

/** The files that may hold examples, relative to the repository. */
const sources = (): ReadonlyArray<string> =>
  Fs.globSync(["README.md", "docs/**/*.md", "packages/*/README.md", "packages/*/src/**/*.ts"], { cwd: repository })
    .filter((name) => !name.includes("node_modules"))
    .toSorted()

const examplesIn = (source: string): ReadonlyArray<Example> => {
  const text = Fs.readFileSync(Path.join(repository, source), "utf8")
  const examples: Array<Example> = []
  let comment: number | undefined
  for (const block of source.endsWith(".ts") ? inComments(text) : blocksIn(text, 0)) {
    const last = examples.at(-1)
    if (last !== undefined && comment === block.comment && !/^import /m.test(block.code)) {
      examples[examples.length - 1] = { ...last, code: `${last.code}${below(block.code, block.line, lastLine(last))}` }
    } else examples.push({ source, line: block.line, code: block.code })
    comment = block.comment
  }
  return examples
}

interface Block {
  readonly line: number
  readonly code: string
  /** Where the comment begins that it is in. */
  readonly comment: number
}

/** The blocks of the comments of a program, without the asterisks. */
const inComments = (text: string): ReadonlyArray<Block> =>
  [...text.matchAll(/^[ \t]*\/\*\*\n(?:[ \t]*\*.*\n)+/gm)].flatMap((match) =>
    blocksIn(match[0].replaceAll(/^[ \t]*\*( |$)/gm, ""), match.index, lineOf(text, match.index))
  )

const blocksIn = (text: string, comment: number, before = 0): ReadonlyArray<Block> =>
  [...text.matchAll(/^```ts\n([^]*?)^```/gm)].map((match) => ({
    line: before + lineOf(text, match.index) + 2,
    code: match[1] ?? "",
    comment
  }))

/** How many lines are above a place. */
const lineOf = (text: string, index: number): number => text.slice(0, index).split("\n").length - 1

const lastLine = ({ code, line }: Example): number => line + code.split("\n").length - 1

/** Code at a line, below code that ends at another one. */
const below = (code: string, line: number, last: number): string => "\n".repeat(Math.max(0, line - last)) + code

/** An empty project, in which the packages and their dependencies are installed. */
const prepare = (folder: string): void => {
  Fs.symlinkSync(Path.join(repository, "node_modules"), Path.join(folder, "node_modules"))
  Fs.writeFileSync(Path.join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  // An example may leave what it defines to its reader.
  const compilerOptions = { noUnusedLocals: false }
  // The packages are source here, which needs its declarations of native bindings.
  const include = ["examples", Path.join(repository, "packages/*/src/**/*.d.ts")]
  const tsconfig = { extends: Path.join(repository, "tsconfig.json"), compilerOptions, include }
  Fs.writeFileSync(Path.join(folder, "tsconfig.json"), JSON.stringify(tsconfig))
}

/** Writes an example as a module, and answers its path. */
const write = (folder: string, example: Example): string => {
  const ending = isTest(example) ? "test.ts" : "ts"
  const file = Path.join(folder, "examples", `${example.source}.${example.line}.${ending}`)
  Fs.mkdirSync(Path.dirname(file), { recursive: true })
  Fs.writeFileSync(file, below(example.code, example.line, 1))
  return file
}

const isTest = ({ code }: Example): boolean => /from "(vitest|@effect\/vitest|@effect-bookie\/testing)/.test(code)

/** What is wrong with an example when it runs, in a directory of its own. */
const problemWith = async (file: string, example: Example): Promise<string | undefined> => {
  const directory = Fs.mkdtempSync(`${file}.data-`)
  const { output, problem } = isTest(example)
    ? await run(directory, "vitest", ["run", "--root", Path.dirname(file), Path.basename(file)])
    : await run(directory, process.execPath, [file])
  if (problem !== undefined) return `${problem}\n${output}`
  const printed = output.split("\n")
  for (const line of promised(example)) {
    const found = printed.indexOf(line)
    if (found === -1) return `should print ${line}, and printed\n${output}`
    printed.splice(0, found + 1)
  }
  return undefined
}

/** What an example says that it prints: `console.log(1 + 1) // 2`. */
const promised = ({ code }: Example): ReadonlyArray<string> =>
  [...code.matchAll(/^.*[cC]onsole\.log\(.*\) \/\/ (.*)$/gm)].map((match) => match[1] ?? "")

interface Outcome {
  readonly output: string
  readonly problem: string | undefined
}

/** Runs a program of the repository, or one of which the path is given. */
const run = async (cwd: string, program: string, args: ReadonlyArray<string>): Promise<Outcome> => {
  const command = Path.isAbsolute(program) ? program : Path.join(repository, "node_modules/.bin", program)
  try {
    const { stderr, stdout } = await promisify(execFile)(command, args, { cwd, timeout })
    return { output: stdout + stderr, problem: undefined }
  } catch (error) {
    if (!(error instanceof Error && "stdout" in error && "stderr" in error && "killed" in error)) throw error
    const problem = error.killed === true ? `still runs after ${timeout} ms` : "fails"
    return { output: `${error.stdout}${error.stderr}`, problem }
  }
}

const folder = Fs.mkdtempSync(Path.join(Fs.realpathSync(Os.tmpdir()), "effect-bookie-examples-"))
try {
  const problems = await check(folder)
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
} finally {
  Fs.rmSync(folder, { recursive: true, force: true })
}
