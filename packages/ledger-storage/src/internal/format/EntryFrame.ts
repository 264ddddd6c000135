/**
 * An entry as it stands in an entry log, with the body that BookKeeper's own
 * client writes with `DigestType.CRC32`; all integers big-endian.
 *
 *     0   int32  size of what follows
 *     4   int64  ledger id
 *     12  int64  entry id
 *     20  int64  last add confirmed: the entry id before this one, -1 for the first
 *     28  int64  length: payload bytes of the ledger up to and with this entry
 *     36  int64  CRC-32 (as java.util.zip.CRC32) of the 32 bytes before it and the payload
 *     44  payload
 *
 * From the ledger id on it is the body, which BookKeeper's `DigestManager` can
 * verify. BookKeeper's client lets the last add confirmed lag behind while adds
 * are in flight; ours never does, so here a body with another one is refused.
 *
 * Pure: nothing here trusts what it is given to decode.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import { crc32 } from "node:zlib"

/** The bytes of a size field. */
export const sizeFieldSize = 4

/** The bytes of a frame before the payload. */
export const headerSize = 44

/** The bytes of a body before the payload. */
export const bodyHeaderSize: number = headerSize - sizeFieldSize

/** A body, decoded. The payload is a view of it. */
export interface Decoded {
  readonly ledgerId: LedgerId.LedgerId
  readonly entryId: EntryId.EntryId
  /** Payload bytes of the ledger up to and with this entry. */
  readonly length: bigint
  readonly payload: Uint8Array
}

/** How many bytes the frame of a payload has. */
export const frameSize = (payload: Uint8Array): number => headerSize + payload.length

/** How many bytes the frame at an offset has. */
export const frameSizeAt = (view: DataView, offset: number): number => sizeFieldSize + view.getInt32(offset)

/** Puts the size and the payload of a frame at an offset, and leaves the room between them. Answers the offset after it. */
export const putPayload = (bytes: Uint8Array, view: DataView, offset: number, payload: Uint8Array): number => {
  view.setInt32(offset, bodyHeaderSize + payload.length)
  bytes.set(payload, offset + headerSize)
  return offset + headerSize + payload.length
}

/** Fills in what `putPayload` has left out at an offset. `length` covers this entry, too. */
export const putHeader = (
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  ledgerId: LedgerId.LedgerId,
  entryId: bigint,
  length: bigint
): void => {
  const end = offset + frameSizeAt(view, offset)
  // The fields stand right before the payload for a moment, so that one call has the checksum of both.
  putFields(view, offset + headerSize - checkedFieldsSize, ledgerId, entryId, length)
  const checksum = crc32(bytes.subarray(offset + headerSize - checkedFieldsSize, end))
  putFields(view, offset + sizeFieldSize, ledgerId, entryId, length)
  view.setUint32(offset + checksumOffset, 0)
  view.setUint32(offset + checksumOffset + 4, checksum)
}

/**
 * Decodes a body and verifies all of it. What no storage of ours can have written is answered, as a string that begins
 * with "it", as a problem.
 */
export const decode = (body: Uint8Array): Decoded | { readonly problem: string } => {
  if (body.length < bodyHeaderSize) {
    return { problem: `it has ${body.length} bytes, and an entry has at least ${bodyHeaderSize}` }
  }
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const ledgerId = view.getBigInt64(0)
  const entryId = view.getBigInt64(8)
  const lastAddConfirmed = view.getBigInt64(16)
  const length = view.getBigInt64(24)
  const payload = body.subarray(bodyHeaderSize)
  const checksum = crc32(payload, crc32(body.subarray(0, checkedFieldsSize)))
  if (view.getUint32(32) !== 0 || view.getUint32(36) !== checksum) return { problem: "its checksum does not match" }
  if (!LedgerId.is(ledgerId)) return { problem: `it is of ledger ${ledgerId}, and there is no such ledger` }
  if (!EntryId.is(entryId)) return { problem: `it has entry id ${entryId}, and there is no such id` }
  if (lastAddConfirmed !== entryId - 1n) {
    return { problem: `its last add confirmed is ${lastAddConfirmed} and not the id before ${entryId}` }
  }
  const lengthOfOthers = length - BigInt(payload.length)
  if (lengthOfOthers < 0n || (entryId === 0n && lengthOfOthers !== 0n)) {
    return { problem: `it says that its ledger has ${length} bytes, and has ${payload.length} itself` }
  }
  return { ledgerId, entryId, length, payload }
}

/** Of a frame. */
const checksumOffset = 36

/** Ledger id, entry id, last add confirmed and length. */
const checkedFieldsSize = 32

const putFields = (view: DataView, offset: number, ledgerId: bigint, entryId: bigint, length: bigint): void => {
  view.setBigInt64(offset, ledgerId)
  view.setBigInt64(offset + 8, entryId)
  view.setBigInt64(offset + 16, entryId - 1n)
  view.setBigInt64(offset + 24, length)
}
