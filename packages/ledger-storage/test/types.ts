/**
 * What the compiler refuses. `npm run check` compiles this file; nothing runs it.
 */
import type { Effect, Layer, Stream } from "effect"
import {
  EntryId,
  LedgerId,
  LedgerStorage,
  type LedgerStorageError,
  LedgerStorageMetrics
} from "@effect-bookie/ledger-storage"

declare const storage: LedgerStorage.Service

const ledgerId = LedgerId.make(1n)
const entryId = EntryId.make(1n)
const payload = new Uint8Array(0)

export const accepted: readonly [
  Layer.Layer<LedgerStorage.LedgerStorage>,
  Effect.Effect<LedgerStorage.LedgerInfo, LedgerStorageError.LedgerStorageError>,
  Effect.Effect<EntryId.EntryId, LedgerStorageError.LedgerStorageError>,
  Effect.Effect<LedgerStorage.EntryRange, LedgerStorageError.LedgerStorageError>,
  Effect.Effect<LedgerStorage.Entry | undefined, LedgerStorageError.LedgerStorageError>,
  Stream.Stream<LedgerStorage.Entry, LedgerStorageError.LedgerStorageError>
] = [
  LedgerStorage.layerMemory,
  storage.createLedger({ ledgerId, metadata: payload }),
  storage.append(ledgerId, payload, { durability: "buffered" }),
  storage.appendAll(ledgerId, [payload]),
  storage.read(ledgerId, entryId),
  storage.tail(ledgerId, { from: entryId, to: undefined })
]

// @ts-expect-error: a ledger id is no entry id
export const swapped = storage.read(entryId, ledgerId)

// @ts-expect-error: a bigint may be anything
export const plain = storage.append(1n, payload)

// @ts-expect-error: text is no bytes
export const text = storage.append(ledgerId, "text")

// @ts-expect-error: a tail has no reverse
export const backwards = storage.tail(ledgerId, { reverse: true })

// @ts-expect-error: entry ids are given by the storage
export const chosen = storage.append(ledgerId, payload, { entryId })

// @ts-expect-error: there is no close
export const closed = storage.close

// @ts-expect-error: gauges need a storage
export const gauges: Layer.Layer<never> = LedgerStorageMetrics.layer

// @ts-expect-error: what is known of a ledger is not to be changed
export const changed = (info: LedgerStorage.LedgerInfo) => (info.fenced = true)
