/**
 * What a storage keeps beside the locations of its entries, as records in the
 * database of the index; all integers big-endian.
 *
 *     0a 01                    store    16 bytes id of the storage
 *     0a 02                    mark     int32 log id, uint32 position
 *     0a 03 int64 ledger id    ledger   uint8 1 if fenced, else 0; int64 milliseconds since 1970; metadata
 *     0a 04 int64 ledger id    ids      int64: from the id in the key to this one all have been given
 *
 * Each value begins with a version, uint8. They change in the same write as the
 * locations. How far a ledger reaches is not among them: its last entry says so.
 *
 * Pure: nothing here trusts what it is given to decode.
 */
import type { LogPosition } from "@effect-bookie/entry-log/EntryLog"
import * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type { LedgerIdRange } from "../LedgerIds.ts"
import { storageIdSize } from "../format/LedgerRecord.ts"

/** What is known of a ledger beside its entries. */
export interface Ledger {
  readonly fenced: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly metadata: Uint8Array
}

/** The keys of records, and of ranges of them. */
export const storeKey = Uint8Array.of(0x0a, 1)
export const markKey = Uint8Array.of(0x0a, 2)
export const ledgerKeys = { gte: Uint8Array.of(0x0a, 3), lt: Uint8Array.of(0x0a, 4) }
export const idsKeys = { gte: Uint8Array.of(0x0a, 4), lt: Uint8Array.of(0x0a, 5) }

/** The key of a ledger. */
export const ledgerKey = (ledgerId: bigint): Uint8Array => keyOf(3, ledgerId)

/** The key of the ids that have been given from one on. */
export const idsKey = (first: bigint): Uint8Array => keyOf(4, first)

/** The ledger id in the key of a ledger, or of given ids. */
export const idOf = (key: Uint8Array): LedgerId.LedgerId | undefined => {
  const id = key.length === keySize ? viewOf(key).getBigInt64(2) : undefined
  return LedgerId.is(id) ? id : undefined
}

export const encodeStore = (storageId: Uint8Array): Uint8Array => {
  const { value } = make(storageIdSize)
  value.set(storageId, versionSize)
  return value
}

export const decodeStore = (value: Uint8Array): Uint8Array | undefined =>
  open(value, storageIdSize) === undefined ? undefined : value.slice(versionSize)

export const encodeMark = ({ logId, position }: LogPosition): Uint8Array => {
  const { value, view } = make(8)
  view.setInt32(1, logId)
  view.setUint32(5, position)
  return value
}

export const decodeMark = (value: Uint8Array): LogPosition | undefined => {
  const view = open(value, 8)
  if (view === undefined || view.getInt32(1) < 0) return undefined
  return { logId: view.getInt32(1), position: view.getUint32(5) }
}

export const encodeLedger = ({ createdAt, fenced, metadata }: Ledger): Uint8Array => {
  const { value, view } = make(9 + metadata.length)
  view.setUint8(1, fenced ? 1 : 0)
  view.setBigInt64(2, BigInt(createdAt))
  value.set(metadata, versionSize + 9)
  return value
}

export const decodeLedger = (value: Uint8Array): Ledger | undefined => {
  const view = open(value, Math.max(9, value.length - versionSize))
  if (view === undefined || view.getUint8(1) > 1) return undefined
  const createdAt = Number(view.getBigInt64(2))
  // A Date holds no more than this on either side of 1970.
  if (Math.abs(createdAt) > 8.64e15) return undefined
  return { fenced: view.getUint8(1) === 1, createdAt, metadata: value.slice(versionSize + 9) }
}

export const encodeIds = ({ last }: LedgerIdRange): Uint8Array => {
  const { value, view } = make(8)
  view.setBigInt64(1, last)
  return value
}

/** The range that begins with the id in a key. */
export const decodeIds = (key: Uint8Array, value: Uint8Array): LedgerIdRange | undefined => {
  const first = idOf(key)
  const last = open(value, 8)?.getBigInt64(1)
  return first !== undefined && LedgerId.is(last) && first <= last ? { first, last } : undefined
}

const keySize = 10

const version = 1
const versionSize = 1

const keyOf = (kind: number, id: bigint): Uint8Array => {
  const key = new Uint8Array(keySize)
  key.set([0x0a, kind])
  viewOf(key).setBigInt64(2, id)
  return key
}

const make = (size: number): { readonly value: Uint8Array; readonly view: DataView } => {
  const value = new Uint8Array(versionSize + size)
  value[0] = version
  return { value, view: viewOf(value) }
}

/** The view of a value of this version and of this size behind it, or `undefined`. */
const open = (value: Uint8Array, size: number): DataView | undefined =>
  value.length === versionSize + size && value[0] === version ? viewOf(value) : undefined

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
