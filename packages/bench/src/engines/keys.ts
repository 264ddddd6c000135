/**
 * BookKeeper's layout: a record an entry, its key the ledger id and the entry
 * id, its value the location, each 8 bytes, big-endian.
 */
import type { Entries } from "../Engine.ts"

export const keySize = 16
export const valueSize = 8
export const recordSize = keySize + valueSize

/** The largest entry id. */
export const maxEntryId = 0x7fff_ffff_ffff_ffffn

/** The key of an entry in new memory. */
export const key = (ledgerId: bigint, entryId: bigint): Buffer => {
  // Out of Node's pool of 8 KiB: cheaper than memory of its own.
  const bytes = Buffer.allocUnsafe(keySize)
  bytes.writeBigInt64BE(ledgerId, 0)
  bytes.writeBigInt64BE(entryId, 8)
  return bytes
}

/** The records of some entries behind one another in new memory. */
export const records = ({ entryIds, ledgerIds, locations }: Entries, from: number, to: number): Uint8Array => {
  const bytes = new Uint8Array((to - from) * recordSize)
  const view = new DataView(bytes.buffer)
  for (let at = from; at < to; at++) {
    const start = (at - from) * recordSize
    view.setBigInt64(start, ledgerIds[at] ?? 0n)
    view.setBigInt64(start + 8, entryIds[at] ?? 0n)
    view.setBigInt64(start + keySize, locations[at] ?? 0n)
  }
  return bytes
}

/** The location of a value. Not more than 11 ns, where a view of its own for each value takes 90. */
export const locationOf = (value: Uint8Array): bigint => {
  scratch.set(value)
  return scratchView.getBigInt64(0)
}

/** The entry id of a key. */
export const entryIdOf = (bytes: Uint8Array): bigint => {
  scratch.set(bytes)
  return scratchView.getBigInt64(8)
}

const scratch = new Uint8Array(keySize)
const scratchView = new DataView(scratch.buffer)
