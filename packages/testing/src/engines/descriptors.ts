/**
 * What a database does where the process runs out of descriptors, on every
 * engine: `suite(name)`. The process is a real one of its own, because what is
 * left to it is taken from all of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Path from "node:path"
import { temporaryDirectory } from "../directory.ts"
import * as Program from "./program.ts"

const seenBy = Effect.fnUntraced(function* (program: string, engine: string) {
  const path = Path.join(yield* temporaryDirectory, "database")
  const { code, stderr, stdout } = yield* Program.run(program, engine, path)
  assert.strictEqual(code, 0, stderr)
  // What is logged comes before it.
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "")
})

/** Declares the tests of the engine of a name. */
export const suite = (engine: string): void => {
  // Only Linux lets a process lower the limit of its descriptors while it runs.
  describe.skipIf(process.platform !== "linux")(`${engine} without descriptors`, () => {
    it.live("each operation works or answers EMFILE, each works again once there are some, and nothing is lost", () =>
      Effect.gen(function* () {
        const seen = yield* seenBy("out-of-descriptors", engine)
        for (const answer of Object.values(seen.without)) assert.include(["ok", "IOError EMFILE passes"], answer)
        assert.strictEqual(seen.without.puts, "IOError EMFILE passes")
        assert.strictEqual(seen.without.put, "IOError EMFILE passes")
        assert.deepStrictEqual(new Set(Object.values(seen.again)), new Set(["ok"]))
        assert.strictEqual(seen.lost, 0)
      })
    )

    it.live("an open answers EMFILE, whatever it was that could not be opened, and loses nothing", () =>
      Effect.gen(function* () {
        const seen = yield* seenBy("few-descriptors", engine)
        const failed = seen.answers.lastIndexOf("IOError EMFILE passes") + 1
        assert.isAbove(failed, 5)
        assert.isBelow(failed, seen.answers.length)
        assert.deepStrictEqual(seen.answers, [
          ...Array.from({ length: failed }, () => "IOError EMFILE passes"),
          ...Array.from({ length: seen.answers.length - failed }, () => "ok")
        ])
        assert.strictEqual(seen.lost, 0)
      })
    )
  })
}
