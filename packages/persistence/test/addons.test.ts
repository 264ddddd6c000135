/**
 * Where Node loads no addons: every package can be imported, what needs native
 * code fails with an error that says so, and what needs none works.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Path from "node:path"
import { startCommand } from "@effect-bookie/testing/process"
import { temporaryDirectory } from "./support.ts"

it.effect("without addons all is imported, layers fail by their types, and nothing is made", () =>
  Effect.gen(function* () {
    const program = Path.join(import.meta.dirname, "programs", "no-addons.ts")
    const args = ["--no-addons", program, yield* temporaryDirectory]
    const child = yield* startCommand(process.execPath, args, import.meta.dirname)
    assert.strictEqual(yield* child.ended, 0)
    assert.deepStrictEqual(child.printed(), [
      "imported",
      "RocksDB: EngineUnavailable",
      "EntryLocationIndex: EngineUnavailable",
      "RocksDBKeyValueStore: EngineUnavailable",
      "IndexRebuild: EngineUnavailable",
      "EntryLog: LockUnavailable",
      "EntryLog, read-only: opens",
      "left: "
    ])
  }).pipe(Effect.scoped)
)
