import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as NoSpace from "@effect-bookie/testing/engines/noSpace"
import { canMount } from "@effect-bookie/testing/smallDisk"

NoSpace.suite(LevelEngine.name)

// Only where a small file system can be mounted; CI must have one, see smallDisk.ts.
describe.skipIf(!canMount)("closing rocksdb while its RocksDB recovers from a full disk", () => {
  it.live("fails at the deadline and says so, and the handle is let go once there is room", () =>
    Effect.gen(function* () {
      const seen = yield* NoSpace.closeOnFullDisk(LevelEngine.name, 7)
      assert.isFalse(seen.hasRoom)
      assert.include(seen.problem, "still waiting for recovery from a full disk after 5s")
      assert.isAtLeast(seen.entries, seen.acknowledged)
    })
  )
})
