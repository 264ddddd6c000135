/**
 * What the package does where its native binding cannot be loaded, in processes
 * of their own: this one has loaded it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Path from "node:path"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import * as Program from "@effect-bookie/testing/engines/program"

/** What the program said of each thing that it tried. */
const said = (stdout: string): ((what: string) => string) => {
  const lines = stdout.split("\n")
  return (what) => lines.find((line) => line.startsWith(`${what}: `))?.slice(what.length + 2) ?? "nothing"
}

describe("where the native binding cannot be loaded", () => {
  it.effect("the layer fails with EngineUnavailable and makes no directory, and what needs no binding works", () =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      const ended = yield* Program.runWithFlags(["--no-addons"], "no-binding", path)
      assert.strictEqual(ended.code, 0, ended.stderr)
      const answers = said(ended.stdout)
      for (const what of ["layer", "gauges", "layerTemp", "native"]) {
        const answer = answers(what)
        assert.match(
          answer,
          /^EngineUnavailable open: the native binding "rocksdb-native" cannot be loaded on this machine/
        )
        assert.include(answer, "loading addons is disabled")
        assert.include(answer, process.version)
        assert.include(answer, "LevelEngine")
      }
      assert.match(answers("level"), /^EngineUnavailable open: the native binding "rocksdb" cannot be loaded/)
      assert.strictEqual(answers("directory"), "not made")
      assert.strictEqual(answers("config"), "data buffered")
      assert.strictEqual(answers("error"), "NoSpace true")
    })
  )

  it.effect("a load that has failed is tried again when the next database is opened", () =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      const ended = yield* Program.runWithFlags([], "no-binding", path, "later")
      assert.strictEqual(ended.code, 0, ended.stderr)
      const answers = said(ended.stdout)
      assert.match(answers("layer"), /^EngineUnavailable .*there are too many open files/)
      assert.strictEqual(answers("layer, later"), "success")
    })
  )
})
