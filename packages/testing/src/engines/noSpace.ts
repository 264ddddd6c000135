/**
 * What a full disk does to a database, on a real small file system: a tmpfs in
 * a mount namespace of its own, which Linux lets root make, and most users.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "../directory.ts"
import * as Program from "./program.ts"
import { canMount } from "../smallDisk.ts"

/** What a program sees of a database with an engine, on a file system of its own, of a size such as "24m". */
export const seenOnSmallDisk = Effect.fnUntraced(function* (
  size: string,
  program: string,
  engine: string,
  ...args: ReadonlyArray<string>
) {
  const directory = yield* temporaryDirectory
  const { code, stderr, stdout } = yield* Program.runOnSmallDisk(size, directory, program, [
    engine,
    `${directory}/database`,
    `${directory}/filler`,
    ...args
  ])
  assert.strictEqual(code, 0, stderr)
  // What is logged comes before it.
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "")
})

/** Closes a database on a disk that became full under it, and makes room so many seconds after the close has begun. */
export const closeOnFullDisk = Effect.fnUntraced(function* (engine: string, secondsUntilRoom: number) {
  const seen = yield* seenOnSmallDisk("3m", "close-full-disk", engine, String(secondsUntilRoom))
  assert.isAbove(seen.unwritten, 0)
  return seen
})

/** The tests of a full disk, with the engine of a name. */
export const suite = (engine: string): void => {
  // Only where a small file system can be mounted; CI must have one, see smallDisk.ts.
  describe.skipIf(!canMount)(`${engine} on a full disk`, () => {
    it.live("writes answer NoSpace and reads go on; writes work again once there is room, and nothing is lost", () =>
      Effect.gen(function* () {
        const seen = yield* seenOnSmallDisk("24m", "full-disk", engine)
        assert.strictEqual(seen.full, "NoSpace")
        assert.strictEqual(seen.stillFull, "NoSpace")
        assert.isAbove(seen.beforeRoom, 10)
        assert.strictEqual(seen.readable, seen.beforeRoom)
        // What is refused for want of room is no reason to open the directory anew.
        assert.strictEqual(seen.refusedMeanwhile, "NoSpace")
        assert.strictEqual(seen.kept, seen.beforeRoom)
        assert.strictEqual(seen.freed, "ok")
        assert.strictEqual(seen.again, "ok")
        assert.strictEqual(seen.acknowledged, seen.beforeRoom + 2)
        assert.strictEqual(seen.readableAfter, seen.acknowledged)
        // It ends early only if the directory had to be opened anew, and then it says so.
        assert.include(["ok", "NoSpace"], seen.streamed)
      })
    )

    it.live(
      "a close comes to its end although RocksDB could not write what is in memory to a file, and loses nothing",
      () =>
        Effect.gen(function* () {
          const seen = yield* closeOnFullDisk(engine, 1)
          assert.strictEqual(seen.refusal, "NoSpace")
          assert.strictEqual(seen.problem, "")
          assert.isAtLeast(seen.entries, seen.acknowledged)
        })
    )
  })
}
