/**
 * One writer a directory, in this process and in any other.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { EntryLog } from "../src/index.ts"
import * as Fixtures from "./fixtures.ts"
import { entry, reasonOf, start, tagOf, using } from "./support.ts"

describe("a second writer", () => {
  it.effect("in the same process is refused at once, and told what to do", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const log = yield* EntryLog.make({ directory })
      const reason = yield* reasonOf(Effect.scoped(EntryLog.make({ directory })))
      assert.strictEqual(reason._tag, "Locked")
      assert.include(reason.message, "readOnly")
      yield* log.appendAll([entry(1n, 1n)])
      assert.strictEqual(yield* tagOf(Effect.scoped(EntryLog.make({ directory }))), "Locked")
    })
  )

  it.effect("by another path to the same directory is refused", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const link = Path.join(yield* Fixtures.temporaryDirectory, "link")
      Fs.symlinkSync(directory, link)
      yield* EntryLog.make({ directory })
      assert.strictEqual(yield* tagOf(Effect.scoped(EntryLog.make({ directory: link }))), "Locked")
    })
  )

  it.effect("is welcome once the first one is closed", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      for (let round = 0; round < 3; round += 1) {
        yield* using({ directory }, (log) => log.appendAll([entry(1n, BigInt(round))]))
      }
      assert.strictEqual(yield* using({ directory }, (log) => Stream.runCount(log.scan())), 3)
    })
  )

  it.effect("is refused while another process writes, and welcome once that is killed", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const child = yield* start("hold", directory)
      yield* child.lines(1)
      assert.strictEqual(yield* tagOf(Effect.scoped(EntryLog.make({ directory }))), "Locked")
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.map(Stream.runCount(log.scan()), (count) => assert.strictEqual(count, 1))
      )
      yield* child.kill
      yield* child.ended
      yield* using({ directory }, (log) => log.appendAll([entry(1n, 2n)]))
    })
  )

  it.effect("in another process is refused while this one writes", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* EntryLog.make({ directory })
      const child = yield* start("locked", directory)
      assert.strictEqual(yield* child.ended, 0)
      assert.deepStrictEqual(child.printed(), ["Locked"])
    })
  )
})

describe("the lock file", () => {
  it.effect("stays, and locks nobody out", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, () => Effect.void)
      assert.isTrue(Fs.existsSync(Path.join(directory, "entry-log.lock")))
      yield* using({ directory }, () => Effect.void)
    })
  )
})
