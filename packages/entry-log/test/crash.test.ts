/**
 * A real process that is killed, or refused by the operating system, in the
 * middle of its appends.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { numbered, start, startLimited, using } from "./support.ts"

describe("a writer that is killed", () => {
  it.effect("has lost nothing that it had synced, and left nothing that it had not appended", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      for (const lines of [2, 40, 7, 90]) {
        const child = yield* start("append", directory)
        yield* child.lines(lines)
        yield* child.kill
        yield* child.ended
        const synced = Number(child.printed().at(-1))

        const scanned = yield* using({ directory }, (log) =>
          Effect.gen(function* () {
            const scanned = yield* Stream.runCollect(log.scan())
            for (const { entryId, ledgerId, location, payload } of scanned) {
              assert.deepStrictEqual(yield* log.read(ledgerId, entryId, location), payload)
            }
            return scanned
          })
        )
        assert.isAtLeast(scanned.length, synced + 1)
        assert.deepStrictEqual(
          scanned.map(({ entryId, ledgerId, payload }) => ({ ledgerId, entryId, payload })),
          scanned.map((_, index) => numbered(index))
        )
      }
    })
  )
})

describe("a writer that the operating system refuses in the middle of an entry", () => {
  it.effect.each([
    ["an entry", 1_000_000],
    ["the ledgers map", 65_500]
  ] as const)("goes on with what fits: %s", ([, maxLogSize]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const child = yield* startLimited("-f 64", "fill", directory, String(maxLogSize))
      assert.strictEqual(yield* child.ended, 0)
      assert.deepStrictEqual(child.printed(), ["IOError", "whole"])
      // 63 entries of 1020 bytes fit below the 64 KiB, and the three of 20 bytes after them.
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(
            (yield* log.logs).map(({ id, sealed, size }) => ({ id, sealed, size })),
            [{ id: 0, sealed: false, size: 1024 + 63 * 1020 + 3 * 20 }]
          )
          assert.strictEqual(yield* Stream.runCount(log.scan()), 66)
          yield* log.appendAll([numbered(0)])
        })
      )
    })
  )
})
