/**
 * Scans: the entries of a ledger and the ledgers of the index, as they stood
 * when the scan began, in order. A scan that cannot go on fails; it never ends
 * early.
 */
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as Errors from "../errors.ts"
import type { Gate } from "../Gate.ts"
import * as Keys from "../keys.ts"
import { unread } from "../PageCache.ts"
import { pageOf } from "../pages.ts"
import type { Store } from "../Store.ts"
import { type EntryLocation, EntryMerge, type Selection } from "./EntryMerge.ts"
import { LedgerMerge } from "./LedgerMerge.ts"
import type { Merge } from "./Merge.ts"

type Answer<A> = Stream.Stream<A, RocksDBError.RocksDBError>

/** The entries of a ledger, from now on. */
export const entries = (gate: Gate, store: Store, selection: Selection): Answer<EntryLocation> => {
  const { from, ledgerId } = selection
  // The last entry says which pages there are; that is worth a read where they may all be in memory.
  return store.findRecord(ledgerId) === unread && store.find(ledgerId, from) !== unread
    ? Stream.unwrap(Effect.map(store.pages.readRecord("entries", ledgerId), () => entriesOf(gate, store, selection)))
    : entriesOf(gate, store, selection)
}

const entriesOf = (gate: Gate, store: Store, selection: Selection): Answer<EntryLocation> => {
  const { from, ledgerId, to } = selection
  const first = pageOf(from)
  const last = pageOf(to)
  const known = store.pagesInMemory(ledgerId, first, last)
  if (known !== undefined) {
    const merge = new EntryMerge(selection, known.above, known.below)
    merge.settle()
    return Stream.fromPull(Effect.succeed(pull(gate, store, "entries", merge, Effect.succeed([]))))
  }
  return merged(
    gate,
    store,
    "entries",
    () => {
      const above = store.snapshots(ledgerId, first, last)
      return new EntryMerge(selection, above, store.isCovered(ledgerId, first) ? "none" : undefined)
    },
    store.database.stream({ gte: Keys.page(ledgerId, first), lte: Keys.page(ledgerId, last) })
  )
}

/** The ledgers that have entries. */
export const ledgers = (gate: Gate, store: Store): Answer<LedgerId> =>
  merged(
    gate,
    store,
    "ledgers",
    () => new LedgerMerge(store.memtables),
    store.database.stream(Keys.allLedgers, { keysOnly: true })
  )

/** What memory held when the scan began, merged with the records of the database of the same moment. */
const merged = <A>(
  gate: Gate,
  store: Store,
  operation: string,
  begin: () => Merge<A>,
  records: Answer<RocksDB.Entry>
): Answer<A> =>
  Stream.unwrap(
    Effect.map(store.snapshotLock.share, (letGo) => {
      const merge = begin()
      return Stream.transformPull(records, (more) => {
        // The database takes its snapshot with the first read.
        const fed = Effect.onExit(
          more.pipe(
            Effect.map((some): ReadonlyArray<RocksDB.Entry> => some),
            Effect.catchIf(Cause.isDone, () => Effect.succeed<ReadonlyArray<RocksDB.Entry>>([]))
          ),
          () => letGo
        )
        return Effect.succeed(pull(gate, store, operation, merge, fed))
      })
    })
  )

/** The next items of a merge, which is fed with records as long as it needs them. */
const pull = <A>(
  gate: Gate,
  store: Store,
  operation: string,
  merge: Merge<A>,
  more: Effect.Effect<ReadonlyArray<RocksDB.Entry>, RocksDBError.RocksDBError>
): Pull.Pull<NonEmpty<A>, RocksDBError.RocksDBError> => {
  const next: Pull.Pull<NonEmpty<A>, RocksDBError.RocksDBError> = Effect.suspend(() => {
    if (gate.closed) return gate.refuse(operation)
    const items = merge.take()
    if (typeof items === "string") {
      return Effect.fail(Errors.corruption(items, { operation, path: store.database.path }))
    }
    if (isNonEmpty(items)) return Effect.succeed(items)
    if (merge.isDone) return Cause.done()
    return Effect.flatMap(more, (records) => {
      merge.feed(records)
      return next
    })
  })
  return next
}

type NonEmpty<A> = readonly [A, ...Array<A>]

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is NonEmpty<A> => values.length > 0
