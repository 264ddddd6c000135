/**
 * Every test of the repository: one project a package, and one for the tests
 * that need a Node that loads the Level engine.
 */
import { defineConfig } from "vitest/config"
import { levelProjects } from "./packages/rocksdb/test/levelProject.ts"

const packages = ["rocksdb", "entry-log", "entry-location-index", "persistence", "demo", "bench"]

export default defineConfig({
  test: {
    projects: [
      ...packages.map((name) => ({
        test: {
          name,
          root: `packages/${name}`,
          include: ["test/**/*.test.ts"],
          pool: "forks" as const,
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      })),
      ...levelProjects()
    ]
  }
})
