/**
 * Every test of the repository: one project a package, one for the tests that
 * need a Node that loads the Level engine, and one for those that run in a realm
 * of their own, where bytes and errors of Node are no `instanceof` anything.
 */
import { defineConfig } from "vitest/config"
import { levelProjects } from "./packages/rocksdb-level/test/levelProject.ts"

const packages = [
  "lifecycle",
  "rocksdb",
  "entry-log",
  "entry-location-index",
  "ledger-storage",
  "persistence",
  "demo",
  "bench"
]

/** A project of the tests of a package that run on this Node. */
const project = (name: string, directory: string = name) => ({
  test: {
    name,
    root: `packages/${directory}`,
    include: ["test/**/*.test.ts"],
    pool: "forks" as const,
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})

export default defineConfig({
  test: {
    projects: [
      ...packages.map((name) => project(name)),
      // Its other tests are those of `levelProjects`, whose name is that of the package.
      project("rocksdb-level-any-node", "rocksdb-level"),
      {
        test: {
          name: "vm",
          root: "packages",
          include: ["*/test/**/*.vm.ts"],
          pool: "vmThreads" as const,
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      },
      ...levelProjects()
    ]
  }
})
