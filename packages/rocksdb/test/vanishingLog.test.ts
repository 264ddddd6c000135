import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { RocksDB } from "@effect-bookie/rocksdb"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { tagOf } from "@effect-bookie/testing/failure"

it.effect("a second open is Locked, also where the owner removes a log file before it is looked at", () =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    yield* Effect.provide(
      Effect.gen(function* () {
        // Listed, and not there.
        Fs.symlinkSync(Path.join(path, "nowhere"), Path.join(path, "999999.log"))
        assert.strictEqual(
          yield* tagOf(Effect.scoped(Effect.provide(RocksDB.RocksDB, RocksDB.layer({ path })))),
          "Locked"
        )
      }),
      RocksDB.layer({ path })
    )
  })
)
