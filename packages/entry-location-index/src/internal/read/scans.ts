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
import * as Keys from "../pages/keys.ts"
import { unread } from "../pages/PageCache.ts"
import { pageOf } from "../pages/pages.ts"
import type { Store } from "../Store.ts"
import { Turn } from "../turns.ts"
import { Columns, Entries, type EntryColumns, type EntryLocation } from "./collectors.ts"
import { type Collector, EntryMerge, type Selection } from "./EntryMerge.ts"
import { LedgerMerge } from "./LedgerMerge.ts"
import type { Merge } from "./Merge.ts"

type Answers<A> = Stream.Stream<A, RocksDBError.RocksDBError>

/** The entries of a ledger, from now on. */
export const entries = (gate: Gate, store: Store, selection: Selection): Answers<EntryLocation> =>
  entriesBy(gate, store, selection, "entries", () => new Entries())

/** The same in columns. */
export const entryColumns = (gate: Gate, store: Store, selection: Selection): Answers<EntryColumns> =>
  entriesBy(gate, store, selection, "entryColumns", () => new Columns())

const entriesBy = <A>(
  gate: Gate,
  store: Store,
  selection: Selection,
  operation: string,
  collector: () => Collector<A>
): Answers<A> => {
  const { from, ledgerId } = selection
  const begin = () => entriesOf(gate, store, selection, operation, collector())
  // The last entry says which pages there are; that is worth a read where they may all be in memory.
  return store.findRecord(ledgerId) === unread && store.find(ledgerId, from) !== unread
    ? Stream.unwrap(Effect.map(store.pages.readRecord(operation, ledgerId), begin))
    : begin()
}

const entriesOf = <A>(
  gate: Gate,
  store: Store,
  selection: Selection,
  operation: string,
  collector: Collector<A>
): Answers<A> => {
  const { from, ledgerId, to } = selection
  const first = pageOf(from)
  const last = pageOf(to)
  const known = store.pagesInMemory(ledgerId, first, last)
  if (known !== undefined) {
    const merge = new EntryMerge(collector, selection, known.above, known.below)
    merge.detach()
    return inMemory(gate, store, operation, merge)
  }
  const begin = () => {
    const above = store.snapshots(ledgerId, first, last)
    return new EntryMerge(collector, selection, above, store.isCovered(ledgerId, first) ? "none" : undefined)
  }
  if (store.isCovered(ledgerId, first)) return inMemory(gate, store, operation, begin())
  const records = store.database.stream({ gte: Keys.page(ledgerId, first), lte: Keys.page(ledgerId, last) })
  return merged(gate, store, operation, begin, records)
}

/** A scan that the database need not be read for. */
const inMemory = <A>(gate: Gate, store: Store, operation: string, merge: EntryMerge<A>): Answers<A> =>
  Stream.fromPull(Effect.sync(() => pull(gate, store, operation, merge, Effect.succeed([]))))

/** The ledgers that have entries. */
export const ledgers = (gate: Gate, store: Store): Answers<LedgerId> =>
  merged(
    gate,
    store,
    "ledgers",
    () => new LedgerMerge(store.memtables),
    store.database.stream(Keys.allLedgers, { keysOnly: true })
  )

/**
 * What memory held when the scan began, merged with the records of the database of the same moment. The database takes
 * its snapshot with the first read, and the lock is held until that has come back: not while somebody reads the stream.
 */
const merged = <A>(
  gate: Gate,
  store: Store,
  operation: string,
  begin: () => Merge<A>,
  records: Answers<RocksDB.Entry>
): Answers<A> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const more = orNone(yield* Stream.toPull(records))
      const merge = yield* store.snapshotLock.shared(
        Effect.suspend(() => {
          if (gate.closed) return gate.refuse(operation)
          const begun = begin()
          return begun.needsRecords ? Effect.as(feed(begun, more), begun) : Effect.succeed(begun)
        })
      )
      return Stream.fromPull(Effect.sync(() => pull(gate, store, operation, merge, more)))
    })
  )

type More = Effect.Effect<ReadonlyArray<RocksDB.Entry>, RocksDBError.RocksDBError>

/** The next records, none at their end. */
const orNone = (more: Pull.Pull<ReadonlyArray<RocksDB.Entry>, RocksDBError.RocksDBError>): More =>
  Effect.catchIf(more, Cause.isDone, () => Effect.succeed<ReadonlyArray<RocksDB.Entry>>([]))

const feed = <A>(merge: Merge<A>, more: More): Effect.Effect<void, RocksDBError.RocksDBError> =>
  Effect.map(more, (records) => merge.feed(records))

/** The next items of a merge, which is fed with records as long as it needs them. Others have their turns meanwhile. */
const pull = <A>(
  gate: Gate,
  store: Store,
  operation: string,
  merge: Merge<A>,
  more: More
): Pull.Pull<NonEmpty<A>, RocksDBError.RocksDBError> => {
  const turn = new Turn()
  const next: Pull.Pull<NonEmpty<A>, RocksDBError.RocksDBError> = Effect.suspend(() => {
    if (gate.closed) return gate.refuse(operation)
    if (turn.isOver) return Effect.andThen(turn.pass, next)
    const items = merge.take()
    if (typeof items === "string") {
      return Effect.fail(Errors.corruption(items, { operation, path: store.database.path }))
    }
    if (isNonEmpty(items)) return Effect.succeed(items)
    if (merge.isDone) return Cause.done()
    return merge.needsRecords ? Effect.andThen(feed(merge, more), next) : next
  })
  return next
}

type NonEmpty<A> = readonly [A, ...Array<A>]

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is NonEmpty<A> => values.length > 0
