import { assert, describe, it } from "@effect/vitest"
import { type Options, parse } from "../src/Options.ts"

const parsed = (...flags: ReadonlyArray<string>): Options => {
  const options = parse(flags)
  assert(options !== "help")
  return options
}

describe("Options", () => {
  it("measure 1 M and 10 M entries in five turns by every engine but BookKeeper unless told otherwise", () => {
    const options = parsed()
    assert.deepStrictEqual(options.entries, [1e6, 1e7])
    assert.deepStrictEqual(options.ledgers, [1000, 10_000, 100_000])
    assert.strictEqual(options.turns, 5)
    assert.notInclude(options.engines, "bookkeeper")
    assert.include(parsed("--bookkeeper").engines, "bookkeeper")
  })

  it("read sizes, lists and files", () => {
    const options = parsed("--entries", "200k,2M", "--engines", "lmdb,ours", "--works", "add", "--json", "a.json")
    assert.deepStrictEqual(options.entries, [200_000, 2e6])
    assert.deepStrictEqual(options.engines, ["ours", "lmdb"])
    assert.deepStrictEqual(options.works, ["add"])
    assert.strictEqual(options.json, "a.json")
  })

  it("let a flag change a preset", () => {
    const options = parsed("--quick", "--turns", "3")
    assert.strictEqual(options.turns, 3)
    assert.isBelow(options.entries[0] ?? 0, 1e6)
    assert.deepStrictEqual(parsed("--huge").entries, [1e6, 1e8])
  })

  it("refuse what they cannot make sense of, and say which flag it is", () => {
    for (const [flag, value] of [
      ["--entries", "many"],
      ["--entries", "0"],
      ["--entries", "150k"],
      ["--flush", "25k"],
      ["--deleted", "150k"],
      ["--ledgers", "1000"],
      ["--works", "dance"],
      ["--engines", "ours,bolt"],
      ["--engines", "lmdb,ours-metrics"]
    ] as const) {
      assert.throws(() => parse([flag, value]), RangeError, flag)
    }
    assert.throws(() => parse(["--nonsense"]), TypeError, "--nonsense")
  })
})
