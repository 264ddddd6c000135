/**
 * The layers of an entry log: temporary, from Config, and what they tell Lifecycle.
 */
import { Lifecycle, Shutdown } from "@effect-bookie/lifecycle"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer } from "effect"
import * as Fs from "node:fs"
import { EntryLog } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { entry, tagOf } from "./support.ts"

const append = Effect.gen(function* () {
  const log = yield* EntryLog.EntryLog
  const { entryId, ledgerId, payload } = entry(1n, 0n, "hello")
  yield* log.append(ledgerId, entryId, payload)
  return log.directory
})

/** How an append with a layer ends. */
const tagWith = (layer: ReturnType<typeof fromEnvironment>) =>
  Effect.match(Effect.provide(append, layer), {
    onSuccess: () => "Success",
    onFailure: (error) => (error._tag === "EntryLogError" ? error.reason._tag : error._tag)
  })

const fromEnvironment = (environment: Record<string, string>) =>
  Layer.provide(EntryLog.layerConfig(), ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))

describe("layerTemp", () => {
  it.effect("is a directory of its own, which is gone after the release", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.provide(append, EntryLog.layerTemp())
      assert.isFalse(Fs.existsSync(directory))
      assert.notStrictEqual(yield* Effect.provide(append, EntryLog.layerTemp()), directory)
    })
  )

  it.effect("takes the other options", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* tagOf(Effect.provide(append, EntryLog.layerTemp({ maxLogSize: 0 }))), "InvalidArgument")
    })
  )
})

describe("layerConfig", () => {
  it.effect("reads every option", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const small = {
        ENTRY_LOG_DIRECTORY: directory,
        ENTRY_LOG_MAX_ENTRY_SIZE: "20 B",
        ENTRY_LOG_MAX_LOG_SIZE: "1 MiB"
      }
      assert.strictEqual(yield* tagWith(fromEnvironment(small)), "InvalidArgument")
      assert.strictEqual(yield* Effect.provide(append, fromEnvironment({ ENTRY_LOG_DIRECTORY: directory })), directory)
      const reader = { ENTRY_LOG_DIRECTORY: directory, ENTRY_LOG_READ_ONLY: "true" }
      assert.strictEqual(yield* tagWith(fromEnvironment(reader)), "ReadOnly")
    })
  )

  it.effect("fails with a ConfigError without a directory", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(append, fromEnvironment({})))
      assert.strictEqual(error._tag, "ConfigError")
      assert.include(String(error), "ENTRY_LOG_DIRECTORY")
    })
  )
})

describe("Lifecycle", () => {
  it.effect.each([false, true])("is told of the release once everything is closed (readOnly: %s)", (readOnly) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* Effect.provide(append, EntryLog.layer({ directory }))
      const released = yield* Shutdown.expectOrder(EntryLog.layer({ directory, readOnly }), ["entry-log"])
      assert.deepStrictEqual(released, ["entry-log"])
    })
  )

  it.effect("is told of nothing where the open fails", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const listener: Lifecycle.Listener = ({ _tag }) => Effect.sync(() => events.push(_tag))
      const missing = EntryLog.layer({ directory: "/no/such/directory", readOnly: true })
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(Layer.provide(missing, Lifecycle.layer(listener)))))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(events, [])
    })
  )
})
