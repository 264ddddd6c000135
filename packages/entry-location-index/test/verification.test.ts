/**
 * The check of a rebuilt index finds whatever is not as an index is.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Keys from "../src/internal/pages/keys.ts"
import * as Records from "../src/internal/pages/records.ts"
import { verify } from "../src/internal/rebuild/verification.ts"
import { EntryId } from "../src/index.ts"
import { range, reasonOf, temporaryDirectory, using } from "./support.ts"

/** An index of 3000 ledgers, more than are compared at once, in an open database. */
const withIndex = (use: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<void, unknown>) =>
  Effect.gen(function* () {
    const path = yield* temporaryDirectory
    yield* using(path, (index) =>
      Effect.andThen(
        index.addLocations(Array.from({ length: 3000 }, (_, at) => range(BigInt(at), 0, at === 7 ? 600 : 2)).flat()),
        index.compact
      )
    )
    yield* RocksDB.RocksDB.use(use).pipe(Effect.provide(RocksDB.layer({ path })))
  }).pipe(Effect.scoped)

const damages: ReadonlyArray<readonly [string, RocksDB.Operation, RegExp]> = [
  ["a page is missing", { type: "remove", key: Keys.page(7n, 1) }, /record of ledger 7 does not say/],
  ["the last page is missing", { type: "remove", key: Keys.page(2999n, 0) }, /3000 ledgers have a record, and 2999/],
  [
    "a page is damaged",
    { type: "put", key: Keys.page(7n, 1), value: Uint8Array.of(1, 1) },
    /page 1 of ledger 7 is damaged/
  ],
  ["the record of a ledger is missing", { type: "remove", key: Keys.ledger(2999n) }, /record of ledger 2999 does not/],
  [
    "the record of a ledger counts wrong",
    {
      type: "put",
      key: Keys.ledger(2000n),
      value: Records.encodeLedger({ entries: 1, lastEntry: EntryId.make(1n) })
    },
    /record of ledger 2000 does not say/
  ],
  [
    "the record of a ledger names another last entry",
    {
      type: "put",
      key: Keys.ledger(5n),
      value: Records.encodeLedger({ entries: 2, lastEntry: EntryId.make(2n) })
    },
    /record of ledger 5 does not say/
  ],
  [
    "the number of entries is wrong",
    { type: "put", key: Keys.metadata, value: Records.encodeMetadata(6597, 1) },
    /6598 entries are there/
  ],
  ["the number of entries is missing", { type: "remove", key: Keys.metadata }, /6598 entries are there/],
  [
    "the journal holds something",
    { type: "put", key: Keys.journal(2), value: Uint8Array.of(1, 0, 0, 0) },
    /the journal has what no page holds/
  ],
  [
    "the key of a page is too long",
    { type: "put", key: Uint8Array.of(...Keys.page(7n, 1), 0), value: Uint8Array.of(1) },
    /key of a page is malformed/
  ]
]

describe("the check of an index", () => {
  it.effect("counts what is there", () =>
    withIndex((database) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* verify(database), { entries: 6598, ledgers: 3000 })
      })
    )
  )

  it.effect.each([...damages])("says so if %s", ([, damage, message]) =>
    withIndex((database) =>
      Effect.gen(function* () {
        yield* database.write([damage])
        const reason = yield* reasonOf(verify(database))
        assert.strictEqual(reason._tag, "Corruption")
        assert.match(reason.message, message)
      })
    )
  )
})
