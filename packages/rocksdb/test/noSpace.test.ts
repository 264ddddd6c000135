import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Engine, NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { withFullDisk } from "@effect-bookie/rocksdb/EngineSupport"
import * as NoSpace from "@effect-bookie/testing/engines/noSpace"
import { bytes, text } from "@effect-bookie/testing/bytes"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { reasonOf } from "@effect-bookie/testing/failure"
import { canMount } from "@effect-bookie/testing/smallDisk"

NoSpace.suite(NativeEngine.name)

// Only where a small file system can be mounted; CI must have one, see smallDisk.ts.
describe.skipIf(!canMount)("where files wait for a compaction that has no room", () => {
  it.live("writes answer NoSpace instead of waiting with them, and work again once there is room", () =>
    Effect.gen(function* () {
      const seen = yield* NoSpace.seenOnSmallDisk("64m", "stalled-writes", NativeEngine.name)
      assert.strictEqual(seen.refusal, "NoSpace")
      assert.strictEqual(seen.freed, "ok")
      assert.strictEqual(seen.missing, 0)
    })
  )
})

describe("a database that cannot be opened anew", () => {
  it.effect("is read on, and takes writes once it can", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const disk = { isFull: false, refusesOpens: false }
      const database = yield* RocksDB.make({ path }).pipe(Effect.provideService(Engine.Engine, yield* onDisk(disk)))
      yield* database.put(bytes("a"), bytes("1"))
      disk.isFull = true
      assert.strictEqual((yield* reasonOf(database.put(bytes("b"), bytes("2"))))._tag, "NoSpace")
      disk.isFull = false
      disk.refusesOpens = true
      assert.strictEqual((yield* reasonOf(database.put(bytes("b"), bytes("2"))))._tag, "NoSpace")
      assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
      disk.refusesOpens = false
      yield* database.put(bytes("b"), bytes("2"))
      assert.strictEqual(text(yield* database.get(bytes("a"))), "1")
      assert.strictEqual(text(yield* database.get(bytes("b"))), "2")
    })
  )
})

/** The real engine, which refuses every write once it has found the disk full, until it is opened anew. */
const onDisk = (disk: { readonly isFull: boolean; readonly refusesOpens: boolean }) =>
  Effect.map(Effect.provide(Engine.Engine, NativeEngine.layer), (engine) =>
    withFullDisk({
      name: engine.name,
      open: (options) =>
        Effect.map(
          disk.refusesOpens && !options.readOnly ? Effect.die(noSpace()) : engine.open(options),
          (database): Engine.Database => {
            let refuses = false
            return {
              getMany: database.getMany,
              write: (operations, sync) => {
                refuses ||= disk.isFull
                return refuses ? Promise.reject(noSpace()) : database.write(operations, sync)
              },
              cursor: database.cursor,
              property: database.property,
              compact: database.compact,
              syncWal: database.syncWal,
              isRecovering: database.isRecovering,
              close: database.close
            }
          }
        )
    })
  )

const noSpace = () => new Error("While appending to file: No space left on device")
