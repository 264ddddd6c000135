/**
 * The records of a storage in the database of its index: whose they are, which
 * ledgers there are, which ids have been given, and the mark, up to which the
 * index holds what is in the logs.
 *
 * They are read here, and written into batches of the index, so that they change
 * together with the locations of entries.
 */
import type { Batch, EntryLocationIndex } from "@effect-bookie/entry-location-index/EntryLocationIndex"
import type { LogPosition } from "@effect-bookie/entry-log/EntryLog"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import { LedgerIds, type LedgerIdRange } from "../LedgerIds.ts"
import { above, fromBelow } from "./below.ts"
import * as CatalogRecord from "./CatalogRecord.ts"

type Error = LedgerStorageError.LedgerStorageError
type Answer<A> = Effect.Effect<A, Error>

/** A ledger, and its id. */
export interface CatalogLedger extends CatalogRecord.Ledger {
  readonly ledgerId: LedgerId.LedgerId
}

/** The records of one storage. */
export class Catalog {
  readonly #records: EntryLocationIndex["Service"]["records"]
  readonly #where: LedgerStorageError.Where

  constructor(index: EntryLocationIndex["Service"], storage: string) {
    this.#records = index.records
    this.#where = { operation: "read", storage }
  }

  /** The id of the storage, `undefined` where none has been written yet. */
  get storageId(): Answer<Uint8Array | undefined> {
    return this.#get(CatalogRecord.storeKey, "the id of the storage", CatalogRecord.decodeStore)
  }

  /** The place in the logs up to which the index is complete. */
  get mark(): Answer<LogPosition> {
    return Effect.map(this.#get(CatalogRecord.markKey, "the mark", CatalogRecord.decodeMark), (mark) => mark ?? noMark)
  }

  /** What is known of a ledger beside its entries. */
  ledger(ledgerId: LedgerId.LedgerId): Answer<CatalogRecord.Ledger | undefined> {
    return this.#get(CatalogRecord.ledgerKey(ledgerId), `the record of ledger ${ledgerId}`, CatalogRecord.decodeLedger)
  }

  /** The ledgers by their ids, as they stand when the stream begins. */
  get ledgers(): Stream.Stream<CatalogLedger, Error> {
    return this.#scan(CatalogRecord.ledgerKeys, (key, value) => {
      const ledgerId = CatalogRecord.idOf(key)
      const ledger = CatalogRecord.decodeLedger(value)
      return ledgerId === undefined || ledger === undefined ? undefined : { ledgerId, ...ledger }
    })
  }

  /** Which ids have been given. */
  get ledgerIds(): Answer<LedgerIds> {
    return Effect.map(
      Stream.runCollect(this.#scan(CatalogRecord.idsKeys, CatalogRecord.decodeIds)),
      (ranges) => new LedgerIds(ranges)
    )
  }

  #get<A>(key: Uint8Array, what: string, decode: (value: Uint8Array) => A | undefined): Answer<A | undefined> {
    return Effect.flatMap(above(this.#where)(this.#records.get(key)), (value) => {
      const decoded = value === undefined ? undefined : decode(value)
      return value !== undefined && decoded === undefined ? Effect.fail(this.#damaged(what)) : Effect.succeed(decoded)
    })
  }

  #scan<A>(
    range: { readonly gte: Uint8Array; readonly lt: Uint8Array },
    decode: (key: Uint8Array, value: Uint8Array) => A | undefined
  ): Stream.Stream<A, Error> {
    return this.#records.scan(range).pipe(
      Stream.mapError((error) => fromBelow(error, this.#where)),
      Stream.mapEffect(({ key, value }) => {
        const decoded = decode(key, value)
        return decoded === undefined ? Effect.fail(this.#damaged("a record")) : Effect.succeed(decoded)
      })
    )
  }

  #damaged(what: string): Error {
    const { storage } = this.#where
    const problem = `${what} in the index of ${storage} cannot be read. Rebuild the index with LedgerStorage.rebuild`
    return LedgerStorageError.corruption(problem, this.#where)
  }
}

/** Before all logs. */
export const noMark: LogPosition = { logId: 0, position: 0 }

export const putStore = (batch: Batch, storageId: Uint8Array): void =>
  batch.put(CatalogRecord.storeKey, CatalogRecord.encodeStore(storageId))

export const putMark = (batch: Batch, mark: LogPosition): void =>
  batch.put(CatalogRecord.markKey, CatalogRecord.encodeMark(mark))

export const putLedger = (batch: Batch, ledgerId: LedgerId.LedgerId, ledger: CatalogRecord.Ledger): void =>
  batch.put(CatalogRecord.ledgerKey(ledgerId), CatalogRecord.encodeLedger(ledger))

/** Removes a ledger, and all its entries. */
export const removeLedger = (batch: Batch, ledgerId: LedgerId.LedgerId): void => {
  batch.deleteLedger(ledgerId)
  batch.remove(CatalogRecord.ledgerKey(ledgerId))
}

/** Writes that an id has been given, with the range of all that touch it. */
export const putIds = (batch: Batch, ledgerIds: LedgerIds, ledgerId: LedgerId.LedgerId): void => {
  const range: LedgerIdRange = ledgerIds.rangeOf(ledgerId) ?? { first: ledgerId, last: ledgerId }
  batch.put(CatalogRecord.idsKey(range.first), CatalogRecord.encodeIds(range))
  // What began with one of the next ids has become part of it.
  if (range.first < ledgerId) batch.remove(CatalogRecord.idsKey(ledgerId))
  if (range.last > ledgerId) batch.remove(CatalogRecord.idsKey(ledgerId + 1n))
}
