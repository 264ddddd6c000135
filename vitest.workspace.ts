/**
 * Every test of the repository: one project a package.
 */
import { defineConfig } from "vitest/config"

const packages = ["rocksdb", "entry-log", "entry-location-index", "demo"]

export default defineConfig({
  test: {
    projects: packages.map((name) => ({
      test: {
        name,
        root: `packages/${name}`,
        include: ["test/**/*.test.ts"],
        pool: "forks" as const,
        testTimeout: 60_000,
        hookTimeout: 60_000
      }
    }))
  }
})
