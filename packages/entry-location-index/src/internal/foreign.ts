/**
 * Tells records that no index of this package wrote, before any is written among
 * them: a database that holds something else must not look like an empty index.
 *
 * - Without a metadata record there may be no key below `0a`: those belong to
 *   the index. What others keep from there on is left alone, as long as the
 *   database does not look like an index of BookKeeper's.
 * - With a metadata record no other key may begin with its byte, `00`: that of
 *   each ledger below 2^56 does in an index of BookKeeper's.
 *
 * Records between those of the index which it did not write are `Corruption` to
 * whoever meets them.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Errors from "./errors.ts"
import * as Keys from "./pages/keys.ts"

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** Fails with `UnsupportedFormat` if a database holds what no index may lie beside. */
export const check: (database: RocksDB.RocksDB["Service"], hasMetadata: boolean) => Answer<void> = Effect.fnUntraced(
  function* (database: RocksDB.RocksDB["Service"], hasMetadata: boolean) {
    const stray = yield* database.first(hasMetadata ? Keys.besideMetadata : Keys.reserved)
    if (stray !== undefined) return yield* refuse(stray, hasMetadata, database.path)
    if (hasMetadata) return
    const lowest = yield* database.first()
    const highest = yield* database.last()
    if (lowest === undefined || highest === undefined) return
    if (isBookKeepers(lowest) && isBookKeepers(highest)) return yield* refuse(lowest, hasMetadata, database.path)
  }
)

const refuse = (entry: RocksDB.Entry, hasMetadata: boolean, path: string): Answer<never> => {
  const where = { operation: "open", path }
  if (isBookKeepers(entry)) {
    const advice =
      "Leave that directory to BookKeeper, and build an index in a new one from its entry logs, with IndexRebuild"
    return Effect.fail(Errors.unsupportedFormat("there are records of BookKeeper's own index", where, advice))
  }
  const which = `where those of an index are, the first one under the key ${hex(entry.key)},`
  return Effect.fail(
    hasMetadata
      ? Errors.unsupportedFormat(`there are records ${which} that no index writes`, where)
      : Errors.unsupportedFormat(`there are records ${which} but none that says its version`, where)
  )
}

/** BookKeeper's index has the ledger id and the entry id in a key, and a location in a value, 8 bytes each. */
const isBookKeepers = ({ key, value }: RocksDB.Entry): boolean =>
  key.length === 16 && value.length === 8 && (key[0] ?? 0) < 0x80 && (key[8] ?? 0) < 0x80

/** The beginning of a key in hexadecimal digits. */
const hex = (key: Uint8Array): string =>
  Array.from(key.subarray(0, 20), (byte) => byte.toString(16).padStart(2, "0")).join("") +
  (key.length > 20 ? `… (${key.length} bytes)` : "")
