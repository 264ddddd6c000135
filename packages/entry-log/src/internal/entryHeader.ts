/**
 * Tells what the bytes at a position of a log can be: an entry, a record that is
 * no entry, the beginning of one of these, or nothing that a writer writes.
 *
 * What has the ledger id -1 is a record: the ledgers map has the entry id -2,
 * others are their writers' own. No other id is below zero, and no size is
 * smaller than the two ids. Of bytes that were cut off, those that are there
 * decide.
 */
import * as Format from "./format.ts"

/** What stands at a position. */
export type Found =
  | { readonly _tag: "Entry"; readonly size: number; readonly ledgerId: bigint; readonly entryId: bigint }
  | { readonly _tag: "Record"; readonly size: number }
  /** What is there of an entry or a record that goes on past the end; its size, if that is there. */
  | { readonly _tag: "Cut"; readonly size: number | undefined }
  /** A size of zero. */
  | { readonly _tag: "Zeros" }
  | { readonly _tag: "Impossible"; readonly problem: string }

/** How many bytes decide. */
export const length: number = Format.mapPartHeaderSize

/**
 * Tells what begins at an offset of a buffer. `room` is how many bytes there are from it up to the end of the entries;
 * the buffer has as many of them, or {@link length}.
 */
export const examine = (buffer: Buffer, offset: number, room: number, maxEntrySize: number): Found => {
  const bytes = room < length ? padded(buffer, offset, room) : buffer
  const at = room < length ? 0 : offset
  const size = bytes.readInt32BE(at)
  if (size === 0) return { _tag: "Zeros" }
  const isRecord = room > Format.sizeFieldSize && bytes.readInt8(at + 4) < 0
  const problem = problemOf(bytes, at, room, isRecord, maxEntrySize)
  if (problem !== undefined) return { _tag: "Impossible", problem }
  if (room < Format.entryHeaderSize || Format.sizeFieldSize + size > room) {
    return { _tag: "Cut", size: room < Format.sizeFieldSize ? undefined : size }
  }
  return isRecord
    ? { _tag: "Record", size }
    : { _tag: "Entry", size, ledgerId: bytes.readBigInt64BE(at + 4), entryId: bytes.readBigInt64BE(at + 12) }
}

/** What is wrong with a size and ids, as far as they are there; what is cut off counts as zeros. */
const problemOf = (
  bytes: Buffer,
  at: number,
  room: number,
  isRecord: boolean,
  maxEntrySize: number
): string | undefined => {
  const size = bytes.readInt32BE(at)
  if (size < 0) return `has a size of ${size}, which no writer writes`
  if (room >= Format.sizeFieldSize && size < Format.idsSize) return `has a size of ${size}, which holds no ids`
  const mayBeRecord = isRecord || room <= Format.sizeFieldSize
  const largest = mayBeRecord ? Math.max(maxEntrySize, Format.maxMapPartSize) : maxEntrySize
  if (size > largest) {
    return `has ${size} bytes, and maxEntrySize allows ${largest}: allow more if its writer wrote larger ones`
  }
  if (!isRecord) {
    const entryId = bytes.readBigInt64BE(at + 12)
    return entryId < 0n && room > 12 ? `has the id ${entryId}, which no entry has` : undefined
  }
  for (let byte = 4; byte < Math.min(room, 12); byte += 1) {
    if (bytes[at + byte] !== 0xff) return `has the ledger id ${bytes.readBigInt64BE(at + 4)}, which no ledger has`
  }
  return room >= Format.mapPartHeaderSize &&
    bytes.readBigInt64BE(at + 12) === Format.mapEntryId &&
    Format.decodeMapPartHeader(bytes.subarray(at)) === undefined
    ? "is a part of a ledgers map that no writer writes"
    : undefined
}

const padded = (buffer: Buffer, offset: number, room: number): Buffer => {
  const bytes = Buffer.alloc(length)
  buffer.copy(bytes, 0, offset, offset + room)
  return bytes
}
