import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import { RocksDB } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"
import * as Conformance from "@effect-bookie/testing/engines/conformance"
import { find, temporaryDirectory } from "@effect-bookie/testing/directory"
import { reasonOf } from "@effect-bookie/testing/failure"

Conformance.suite("LevelEngine", LevelEngine.layer)

const use = <A, E>(options: RocksDB.Options, f: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(RocksDB.make(options), f)).pipe(Effect.provide(LevelEngine.layer))

describe("LevelEngine", () => {
  it.effect("the size of the block cache can be set", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const capacity = yield* use({ path, blockCacheSize: "1 MiB" }, (database) =>
        database.property("rocksdb.block-cache-capacity")
      )
      assert.strictEqual(capacity, String(1024 * 1024))
    })
  )

  it.effect.each<readonly [string, Partial<RocksDB.Options>]>([
    ["bloomBitsPerKey", { bloomBitsPerKey: 5 }],
    ["at most 4294967295 bytes", { writeBufferSize: "4 GiB" }],
    ["at most 4294967295 bytes", { blockCacheSize: "4 GiB" }]
  ])("an option that it lacks is an error: %s", ([message, options]) =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const reason = yield* reasonOf(use({ path, ...options }, () => Effect.void))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.include(reason.message, message)
    })
  )

  it.effect("the options reach RocksDB, and the format of its tables is fixed", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      yield* use({ path, writeBufferSize: "1 MiB", maxOpenFiles: 100, bloomBitsPerKey: 10 }, () => Effect.void)
      const options = Fs.readFileSync(find(path, /^OPTIONS/), "utf8")
      assert.match(options, /\bformat_version=4\b/)
      assert.match(options, /\bchecksum=kCRC32c\b/)
      assert.match(options, /\bwrite_buffer_size=1048576\b/)
      assert.match(options, /\bmax_open_files=100\b/)
    })
  )
})
