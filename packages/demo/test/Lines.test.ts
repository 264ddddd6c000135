import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import * as Lines from "../src/Lines.ts"

const collect = (chunks: ReadonlyArray<Uint8Array>) => Stream.runCollect(Lines.fromBytes(Stream.fromIterable(chunks)))

describe("Lines", () => {
  it.effect.prop(
    "the lines of a file, one after another, are its bytes, however it was cut into chunks",
    [Schema.Array(Schema.Array(Schema.Literals([0x0a, 0x61, 0x62])))],
    ([chunks]) =>
      Effect.gen(function* () {
        const bytes = chunks.map((chunk) => Uint8Array.from(chunk))
        const lines = yield* collect(bytes)
        assert.deepStrictEqual(Buffer.concat(lines), Buffer.concat(bytes))
        for (const line of lines.slice(0, -1)) assert.strictEqual(line.indexOf(0x0a), line.length - 1)
        assert.isTrue(lines.every((line) => line.length > 0))
      })
  )

  it.effect("a line longer than the bound comes in pieces", () =>
    Effect.gen(function* () {
      const line = new Uint8Array(2 * Lines.maxLineLength + 5).fill(0x61)
      const lines = yield* collect([line])
      assert.deepStrictEqual(
        lines.map(({ length }) => length),
        [Lines.maxLineLength, Lines.maxLineLength, 5]
      )
    })
  )

  it.effect("groups hold no more lines than asked for, and all of them in order", () =>
    Effect.gen(function* () {
      const lines = Array.from({ length: 25 }, (_, at) => Uint8Array.of(at))
      const groups = yield* Stream.runCollect(Lines.grouped(10)(Stream.fromIterable(lines)))
      assert.deepStrictEqual(
        groups.map((group) => group.length),
        [10, 10, 5]
      )
      assert.deepStrictEqual(groups.flat(), lines)
    })
  )
})
