/**
 * The engines that campaigns work on: the default one, and the Level engine
 * where a Node loads it. That is seldom the Node of this repository; programs
 * on it run under the Node that runs npm, or under one of the PATH.
 */
import { LevelEngine, NativeEngine } from "@effect-bookie/rocksdb"
import * as LevelNode from "@effect-bookie/testing/levelNode"
import type { Outcome } from "./Campaign.ts"
import * as Process from "./Process.ts"
import * as ThisEngine from "./ThisEngine.ts"

/** An engine, and how to run a program on it. */
export interface Engine {
  readonly name: string
  readonly program: (name: string, ...args: ReadonlyArray<string>) => Process.Command
}

/** The default engine. */
export const native: Engine = { name: NativeEngine.name, program: Process.program }

/** The Level engine; `undefined` where no Node loads it. */
export const level = (): Engine | undefined => {
  levelNode ??= { found: LevelNode.find() }
  const { found } = levelNode
  if (found === undefined) return undefined
  return {
    name: LevelEngine.name,
    program: (name, ...args) => {
      const { argv, env } = Process.program(name, ...args)
      return { argv: [found, ...argv.slice(1)], env: { ...env, [ThisEngine.variable]: LevelEngine.name } }
    }
  }
}

/** Those that there are. */
export const all = (): ReadonlyArray<Engine> => {
  const other = level()
  return other === undefined ? [native] : [native, other]
}

/** What a campaign did, where it could not work on the Level engine: it says so, and on CI that is a finding. */
export const withAbsence = (outcome: Outcome): Outcome => {
  if (level() !== undefined) return outcome
  const absence = `not on the Level engine, which no Node here loads (tried ${LevelNode.candidates().join(", ")})`
  const found = process.env["CI"] === undefined ? outcome.found : [...outcome.found, absence]
  return { did: `${outcome.did}; ${absence}`, found }
}

/** Looked for once: each look starts a process. */
let levelNode: { readonly found: string | undefined } | undefined
