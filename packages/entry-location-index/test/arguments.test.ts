/**
 * Arguments that no type allows.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arguments from "../src/internal/arguments.ts"

describe("an id that cannot be made a string", () => {
  it("is refused like any other", () => {
    for (const value of [Object.create(null), { toString: () => assert.fail("called") }, Symbol("id"), () => 1n]) {
      assert.include(Arguments.checkLocation(value, 1n, 1n), "the ledger id must be a bigint")
      assert.include(Arguments.checkLocation(1n, value, 1n), "the entry id must be a bigint")
      assert.include(Arguments.checkLocation(1n, 1n, value), "the location must be a bigint")
    }
  })
})
