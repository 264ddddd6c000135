/**
 * The vitest project of the Level engine: its tests run under a Node that loads
 * the prebuilt `rocksdb` binding, which is seldom the one that runs vitest.
 *
 * Looked for, in this order: this Node, the Node that runs npm, and the `node`s
 * of the PATH. Where none loads the binding, the project is left out and a line
 * says so, except on CI: there it is a failure.
 */
import * as Path from "node:path"
import { ForksPoolWorker, type PoolOptions } from "vitest/node"
import * as LevelNode from "@effect-bookie/testing/levelNode"

/** The projects to add to vitest's: the one of the Level engine, or none. */
export const levelProjects = (): ReadonlyArray<ReturnType<typeof project>> => {
  // vitest evaluates its configuration several times; the Node is looked for, and missed, once.
  const known = process.env[variable]
  const node = known ?? LevelNode.find() ?? ""
  process.env[variable] = node
  if (node !== "") return [project(node)]
  const problem =
    `No Node here loads the prebuilt "rocksdb" binding (tried ${LevelNode.candidates().join(", ")}), so the tests of ` +
    `LevelEngine cannot run. "npm rebuild rocksdb" compiles it for this Node.`
  if (process.env.CI) throw new Error(problem)
  if (known === undefined) console.warn(`SKIPPED project rocksdb-level: ${problem}`)
  return []
}

/** Names the Node that was found. */
const variable = "EFFECT_BOOKIE_LEVEL_NODE"

const project = (node: string) => ({
  test: {
    name: "rocksdb-level",
    root: Path.resolve(import.meta.dirname, ".."),
    include: ["test/**/*.level.ts"],
    pool: { name: "forks of another node", createPoolWorker: (options: PoolOptions) => new Worker(options, node) },
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})

/** A worker process of the given Node. */
class Worker extends ForksPoolWorker {
  readonly #node: string

  constructor(options: PoolOptions, node: string) {
    super(options)
    this.#node = node
  }

  /** `fork` takes `process.execPath` at the time of its call, which is before the first await. */
  override start(): Promise<void> {
    const own = process.execPath
    process.execPath = this.#node
    try {
      return super.start()
    } finally {
      process.execPath = own
    }
  }
}
