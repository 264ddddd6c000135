/**
 * Where Node loads no addons, what needs none works, and what does says so.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Path from "node:path"
import { startCommand } from "@effect-bookie/testing/process"
import { temporaryDirectory } from "./support.ts"

describe("a lock of a file", () => {
  it.effect("can be imported where there are no addons, and says what is missing when it is taken", () =>
    Effect.gen(function* () {
      const program = Path.join(import.meta.dirname, "programs", "lock.ts")
      const args = ["--no-addons", program, yield* temporaryDirectory]
      const child = yield* startCommand(process.execPath, args, import.meta.dirname)
      assert.strictEqual(yield* child.ended, 0)
      assert.deepStrictEqual(child.printed(), ["imported", "EngineUnavailable", "EngineUnavailable"])
    }).pipe(Effect.scoped)
  )
})
