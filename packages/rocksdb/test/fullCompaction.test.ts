import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import * as Program from "@effect-bookie/testing/engines/program"
import { canMount } from "@effect-bookie/testing/smallDisk"

// Only where a small file system can be mounted; CI must have one, see smallDisk.ts.
describe.skipIf(!canMount)("a compaction on a full disk", () => {
  it.live("answers NoSpace each time, and the process lives", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const ended = yield* Program.runOnSmallDisk("24m", directory, "full-compaction", [
        `${directory}/database`,
        `${directory}/filler`
      ])
      assert.deepStrictEqual([ended.code, ended.signal], [0, null], ended.stderr)
      assert.deepStrictEqual(JSON.parse(ended.stdout), ["NoSpace", "NoSpace"])
    })
  )
})
