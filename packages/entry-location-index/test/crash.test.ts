/**
 * A real process that is killed in the middle of its work.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { stateAfter } from "./programs/operations.ts"
import { verify } from "../src/internal/rebuild/verification.ts"
import { everything, raw, start, temporaryDirectory, using } from "./support.ts"

/** What the index at a path holds, and its count. */
const stateOf = (path: string) =>
  using(path, (index) =>
    Effect.gen(function* () {
      const entries = yield* everything(index)
      assert.strictEqual(yield* index.entryCount, BigInt(entries.length))
      assert.deepStrictEqual(
        yield* index.getLocations(entries),
        entries.map(({ location }) => location)
      )
      return new Map(entries.map(({ entryId, ledgerId, location }) => [`${ledgerId}:${entryId}`, location as bigint]))
    })
  )

describe("an index whose process is killed", () => {
  // With the default nothing of this gets into pages, with 20 kB it does now and then, with 0 behind each operation.
  it.effect.each([
    ["in the journal alone", 134_217_728],
    ["in memory and pages", 20_000],
    ["always being checkpointed", 0]
  ] as const)(
    "holds what had been acknowledged, of the operation under way all or nothing, and counts exactly: %s",
    ([, memtableSize]) =>
      Effect.gen(function* () {
        const path = yield* temporaryDirectory
        let next = 0
        for (const [lines, millis] of [
          [1, 0],
          [60, 3],
          [20, 1],
          [110, 7],
          [2, 12],
          [35, 0]
        ] as const) {
          const child = yield* start("add", path, String(next), String(memtableSize))
          yield* child.lines(lines)
          yield* TestClock.withLive(Effect.sleep(millis))
          yield* child.kill
          assert.isNull(yield* child.ended)
          const acknowledged = Number(child.printed().at(-1))
          const found = yield* stateOf(path)
          // As often the next one meets what the checkpoint under way left, and what a whole one makes of it.
          if (lines % 2 === 0) {
            yield* using(path, (index) => index.compact)
            assert.strictEqual((yield* raw(path, verify)).entries, found.size)
            assert.deepStrictEqual(yield* stateOf(path), found)
          }
          const [before, after] = [stateAfter(acknowledged + 1), stateAfter(acknowledged + 2)]
          const isAfter =
            found.size === after.size && [...after].every(([key, location]) => found.get(key) === location)
          if (!isAfter) assert.deepStrictEqual(sorted(found), sorted(before))
          next = acknowledged + (isAfter ? 2 : 1)
        }
      }).pipe(Effect.scoped)
  )
})

const sorted = (state: ReadonlyMap<string, bigint>) => [...state].toSorted(([left], [right]) => (left < right ? -1 : 1))
