/**
 * Ledgers on disk: entries in entry logs, and where they are in an index.
 *
 * Only its writer appends to the logs, and each of them begins with the id of the
 * storage. The logs have everything that has been acknowledged; what the index
 * holds can be worked out from them.
 */
import { EntryLocationIndex } from "@effect-bookie/entry-location-index/EntryLocationIndex"
import { EntryLog } from "@effect-bookie/entry-log/EntryLog"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Collection, Entry, EntryKey, LedgerInfo } from "../../LedgerStorage.ts"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import type { Backend } from "../Backend.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import * as LedgerRecord from "../format/LedgerRecord.ts"
import { above } from "./below.ts"
import { Catalog } from "./Catalog.ts"
import type { Ledger } from "./CatalogRecord.ts"
import { check } from "./check.ts"
import { DiskLog, type Places } from "./DiskLog.ts"
import { EntryCursor } from "./EntryCursor.ts"
import { Pending } from "./Pending.ts"
import * as Recovery from "./Recovery.ts"
import { type LocatedKey, StoredEntries } from "./StoredEntries.ts"

type Error = LedgerStorageError.LedgerStorageError
type Answer<A> = Effect.Effect<A, Error>

/** How to open a storage on disk. */
export interface Options {
  /** By default the directory of the entry logs. */
  readonly name: string | undefined
  /** In bytes. */
  readonly readAhead: number
}

/** Opens the storage in the current entry logs and the current index, in the current scope. */
export const make: (
  options: Options
) => Effect.Effect<Backend<Places>, Error, Scope.Scope | EntryLog | EntryLocationIndex> = Effect.fnUntraced(function* ({
  name,
  readAhead
}) {
  const entryLog = yield* EntryLog
  const index = yield* EntryLocationIndex
  const storage = name ?? entryLog.directory
  const where = { operation: "open", storage }
  if (entryLog.maxEntrySize < leastEntrySize) {
    const problem = `maxEntrySize is ${entryLog.maxEntrySize}, and a storage needs at least ${leastEntrySize} for its records`
    return yield* Effect.fail(LedgerStorageError.invalidArgument(problem, where))
  }
  const catalog = new Catalog(index, storage)
  const pending = new Pending()
  const stored = new StoredEntries({ storage, index, entryLog, pending })
  const { ledgerIds, mark, storageId } = yield* Recovery.open({ storage, entryLog, index, catalog, stored })
  const preamble = preambleOf({ _tag: "Log", storageId, copies: false })
  const writer = yield* above(where)(entryLog.makeWriter({ preamble: () => preamble }))
  const batch = yield* index.makeBatch
  const log = new DiskLog({ storage, writer, index, batch, catalog, pending, ledgerIds, mark })
  yield* Effect.addFinalizer(() =>
    Effect.catch(log.close(), (error) => Effect.andThen(Effect.logError(error.message), Effect.die(error)))
  )
  const info = (ledgerId: LedgerId.LedgerId, ledger: Ledger) => infoOf(stored, ledgerId, ledger)
  return {
    name: storage,
    maxPayloadSize: entryLog.maxEntrySize - EntryFrame.bodyHeaderSize,
    ledgerIds,
    log,
    ledger: (ledgerId) =>
      Effect.flatMap(catalog.ledger(ledgerId), (ledger) =>
        ledger === undefined ? Effect.succeed(undefined) : info(ledgerId, ledger)
      ),
    ledgers: catalog.ledgers.pipe(
      Stream.mapEffect(({ ledgerId }) =>
        // It may have been fenced or deleted since the stream began.
        Effect.flatMap(catalog.ledger(ledgerId), (ledger) =>
          ledger === undefined ? Effect.succeed(undefined) : info(ledgerId, ledger)
        )
      ),
      Stream.filter(isPresent)
    ),
    readMany: (keys) => readMany(storage, catalog, stored, keys),
    entries: (ledgerId, span) =>
      Stream.unwrap(
        Effect.map(Effect.scope, (scope) =>
          Stream.fromPull(Effect.succeed(new EntryCursor(stored, ledgerId, span, readAhead, scope).pull))
        )
      ),
    collect: () => Effect.succeed(nothing),
    check: (options) => check(catalog, stored, options)
  }
})

/** In bytes: a record of deletions is the largest that the storage writes. */
const leastEntrySize = 128 * 1024

/** Nothing is collected yet. */
const nothing: Collection = { removedLogs: [], removedBytes: 0, copiedEntries: 0, copiedBytes: 0, left: [] }

const preambleOf = (record: LedgerRecord.Log): Uint8Array => {
  const bytes = new Uint8Array(LedgerRecord.frameSize(record))
  LedgerRecord.encode(bytes, new DataView(bytes.buffer), 0, record)
  return bytes
}

/** What is known of a ledger: how far it reaches its last entry says. `undefined` if it is deleted meanwhile. */
const infoOf = (
  stored: StoredEntries,
  ledgerId: LedgerId.LedgerId,
  { createdAt, fenced, metadata }: Ledger
): Answer<LedgerInfo | undefined> =>
  Effect.gen(function* () {
    const created = { ledgerId, createdAt: DateTime.makeUnsafe(createdAt), metadata, fenced }
    const lastEntryId = yield* stored.last(ledgerId)
    if (lastEntryId === undefined) return { ...created, lastEntryId, entries: 0, length: 0 }
    const key = { ledgerId, entryId: lastEntryId }
    const [location] = yield* stored.locations([key])
    const [last] = location === undefined ? [] : yield* stored.read([{ ...key, location }])
    if (last === undefined) return undefined
    return { ...created, lastEntryId, entries: Number(lastEntryId) + 1, length: Number(last.length) }
  })

const readMany = (
  storage: string,
  catalog: Catalog,
  stored: StoredEntries,
  keys: ReadonlyArray<EntryKey>
): Answer<ReadonlyArray<Entry | undefined>> =>
  Effect.gen(function* () {
    const locations = yield* stored.locations(keys)
    const located = keys.flatMap((key, index): ReadonlyArray<LocatedKey> => {
      const location = locations[index]
      return location === undefined ? [] : [{ ...key, location }]
    })
    const found = yield* stored.read(located)
    let next = 0
    const entries = locations.map((location): Entry | undefined => {
      const entry = location === undefined ? undefined : found[next++]
      return entry && { ledgerId: entry.ledgerId, entryId: entry.entryId, payload: entry.payload.slice() }
    })
    const absent = new Set(keys.flatMap(({ ledgerId }, index) => (entries[index] === undefined ? [ledgerId] : [])))
    for (const ledgerId of absent) {
      // A delete is visible here for a moment before it is acknowledged.
      if ((yield* catalog.ledger(ledgerId)) !== undefined) continue
      return yield* Effect.fail(LedgerStorageError.noLedger(ledgerId, { operation: "read", storage }))
    }
    return entries
  })

const isPresent = <A>(value: A | undefined): value is A => value !== undefined
