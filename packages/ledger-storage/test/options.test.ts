/**
 * The options of a storage.
 */
import { assert, describe, it } from "@effect/vitest"
import type { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Duration, Effect } from "effect"
import { defaults, resolve } from "../src/internal/options.ts"
import { reasonOf } from "./support.ts"

/** Passes something to whatever the compiler would not let it pass to. */
const anything = <A>(value: unknown): A => value as A

const refused: ReadonlyArray<readonly [about: string, options: LedgerStorage.Options]> = [
  ["durability", { durability: anything("flushed") }],
  ["maxBytesInFlight", { maxBytesInFlight: 0 }],
  ["maxBytesInFlight", { maxBytesInFlight: -1 }],
  ["maxBytesInFlight", { maxBytesInFlight: Number.NaN }],
  ["maxBytesInFlight", { maxBytesInFlight: 0.5 }],
  ["maxBytesInFlight", { maxBytesInFlight: Infinity }],
  ["maxBytesInFlight", { maxBytesInFlight: anything("much") }],
  ["recentEntries", { recentEntries: -1 }],
  ["recentEntries", { recentEntries: Number.NaN }],
  ["recentEntries", { recentEntries: "3 GiB" }],
  ["readAhead", { readAhead: 0 }],
  ["readAhead", { readAhead: anything({}) }],
  ["readOnly", { readOnly: anything("yes") }],
  ["interval", { collector: { interval: 0 } }],
  ["interval", { collector: { interval: -5 } }],
  ["interval", { collector: { interval: Number.NaN } }],
  ["interval", { collector: { interval: anything("now and then") } }],
  ["garbageTarget", { collector: { garbageTarget: 1.5 } }],
  ["garbageTarget", { collector: { garbageTarget: -0.1 } }],
  ["garbageTarget", { collector: { garbageTarget: Number.NaN } }],
  ["garbageTarget", { collector: { garbageTarget: anything("30 %") } }],
  ["rate", { collector: { rate: 0 } }],
  ["rate", { collector: { rate: Number.NaN } }],
  ["reserve", { collector: { reserve: Number.NaN } }],
  ["reserve", { collector: { reserve: -1 } }]
]

describe("options", () => {
  it.effect("all may be left out", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* resolve({}, "test"), defaults)
      assert.deepStrictEqual(yield* resolve({ collector: {} }, "test"), defaults)
    })
  )

  it.effect("sizes and durations may be written as Effect writes them", () =>
    Effect.gen(function* () {
      const settings = yield* resolve(
        {
          durability: "buffered",
          maxBytesInFlight: "8 MiB",
          recentEntries: 0,
          readAhead: 4096n,
          readOnly: true,
          collector: { interval: "10 seconds", garbageTarget: 0, rate: "100 MiB", reserve: "2 GiB" }
        },
        "test"
      )
      assert.strictEqual(settings.durability, "buffered")
      assert.strictEqual(settings.maxBytesInFlight, 8 * 1024 * 1024)
      assert.strictEqual(settings.recentEntries, 0)
      assert.strictEqual(settings.readAhead, 4096)
      assert.isTrue(settings.readOnly)
      assert.strictEqual(Duration.toSeconds(settings.collector.interval), 10)
      assert.strictEqual(settings.collector.garbageTarget, 0)
      assert.strictEqual(settings.collector.rate, 100 * 1024 * 1024)
      assert.strictEqual(settings.collector.reserve, 2 * 1024 ** 3)
    })
  )

  it.effect("what they cannot mean is refused, and the message says which", () =>
    Effect.gen(function* () {
      for (const [about, options] of refused) {
        const { _tag, message } = yield* reasonOf(resolve(options, "test"))
        assert.strictEqual(_tag, "InvalidArgument")
        assert.include(message, about)
      }
    })
  )
})
