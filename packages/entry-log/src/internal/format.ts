/**
 * The bytes of a BookKeeper entry log, version 1, all integers big-endian.
 *
 *     0     "BKLO", int32 version (0 or 1), int64 offset of the ledgers map,
 *           int32 ledgers in it; both 0 while the log is not sealed
 *     1024  entries: int32 size, then int64 ledger id, int64 entry id, payload
 *     …     the ledgers map, once sealed, in parts of at most 10,000 ledgers:
 *           int32 size, int64 -1, int64 -2, int32 count,
 *           count times (int64 ledger id, int64 bytes of it in the log)
 *
 * Pure: nothing here reads or writes a file, and nothing trusts what it is
 * given to decode.
 */
import type { EntryId } from "../EntryId.ts"
import * as LedgerId from "../LedgerId.ts"

/** Where the entries begin. */
export const headerSize = 1024

/** The bytes of a size field. */
export const sizeFieldSize = 4

/** The bytes of the two ids, which an entry's size includes. */
export const idsSize = 16

/** The bytes of an entry before its payload. */
export const entryHeaderSize: number = sizeFieldSize + idsSize

/** How many ledgers a part of the ledgers map holds at most. */
export const maxLedgersInPart = 10_000

/** The bytes of a part of the ledgers map before its ledgers, size field included. */
export const mapPartHeaderSize = 24

/** The bytes of a ledger in the ledgers map. */
export const mapLedgerSize = 16

/** The bytes of the largest part of the ledgers map, without its size field. */
export const maxMapPartSize: number = mapPartHeaderSize - sizeFieldSize + mapLedgerSize * maxLedgersInPart

/** What a record has in place of a ledger id. */
export const recordLedgerId = -1n

/** What a part of the ledgers map, which is a record, has in place of an entry id. */
export const mapEntryId = -2n

/** Where the header holds the offset of the ledgers map, and after it the number of ledgers. */
export const mapFieldsOffset = 8

/** What BookKeeper's direct I/O logger fills up a buffer with, so that the next one begins at a multiple of a block. */
export const paddingByte = 0xf0

/** In bytes. */
export const paddedBlockSize = 4096

/** The part of a header that says where the ledgers map is. */
export interface Header extends MapFields {
  readonly _tag: "Header"
}

/** The fields of a header that a seal fills in. */
export interface MapFields {
  /** 0 if the log is not sealed. */
  readonly mapOffset: number
  readonly ledgerCount: number
}

/** The header of a log that is not sealed. */
export const encodeHeader = (): Buffer => {
  const bytes = Buffer.alloc(headerSize)
  bytes.writeInt32BE(magic, 0)
  bytes.writeInt32BE(version, 4)
  return bytes
}

/** The fields of the header that seal a log. */
export const encodeMapFields = ({ ledgerCount, mapOffset }: MapFields): Buffer => {
  const bytes = Buffer.alloc(12)
  bytes.writeBigInt64BE(BigInt(mapOffset), 0)
  bytes.writeInt32BE(ledgerCount, 8)
  return bytes
}

/** What the first bytes of a file are. */
export type DecodedHeader =
  | Header
  /** Those of a log that was being created, or had only been given its room, when its writer stopped. */
  | { readonly _tag: "Blank" }
  /** Those of no log that is known here; the problem is a sentence that begins with "it". */
  | { readonly _tag: "Foreign"; readonly problem: string }

/** Decodes the first bytes of a file, up to {@link headerSize} of them. */
export const decodeHeader = (bytes: Buffer): DecodedHeader => {
  if (isZero(bytes)) return { _tag: "Blank" }
  if (bytes.compare(magicBytes, 0, Math.min(4, bytes.length), 0, Math.min(4, bytes.length)) !== 0) {
    return { _tag: "Foreign", problem: "it does not begin with BKLO, so it is no entry log" }
  }
  if (bytes.length < headerSize) return { _tag: "Blank" }
  const found = bytes.readInt32BE(4)
  if (found !== 0 && found !== version) {
    return { _tag: "Foreign", problem: `it has header version ${found} at byte 4; only 0 and 1 are known` }
  }
  if (found === 0) return unsealed
  return {
    _tag: "Header",
    mapOffset: Number(bytes.readBigInt64BE(mapFieldsOffset)),
    ledgerCount: bytes.readInt32BE(16)
  }
}

/** What the header of a log that is not sealed says. */
export const unsealed: Header = { _tag: "Header", mapOffset: 0, ledgerCount: 0 }

/** Whether a header says that its log is sealed. */
export const isSealed = ({ ledgerCount, mapOffset }: MapFields): boolean => mapOffset !== 0 || ledgerCount !== 0

/**
 * Writes an entry with a payload of so many bytes at an offset of a buffer that has room for it, and answers the offset
 * after it.
 */
export const encodeEntry = (
  bytes: Buffer,
  view: DataView,
  offset: number,
  ledgerId: LedgerId.LedgerId,
  entryId: EntryId,
  payload: Uint8Array,
  length: number
): number => {
  view.setInt32(offset, idsSize + length)
  view.setBigInt64(offset + 4, ledgerId)
  view.setBigInt64(offset + 12, entryId)
  bytes.set(payload, offset + entryHeaderSize)
  return offset + entryHeaderSize + length
}

/** The parts of the ledgers map, each as the bytes that stand in the log. */
export function* encodeMap(ledgers: ReadonlyMap<LedgerId.LedgerId, number>): Generator<Buffer> {
  let remaining = ledgers.size
  let part = mapPart(remaining)
  let offset = mapPartHeaderSize
  for (const [ledgerId, size] of ledgers) {
    part.writeBigInt64BE(ledgerId, offset)
    part.writeBigInt64BE(BigInt(size), offset + 8)
    offset += mapLedgerSize
    remaining -= 1
    if (offset < part.length) continue
    yield part
    part = mapPart(remaining)
    offset = mapPartHeaderSize
  }
}

/** How many ledgers a part of the ledgers map says it holds, or `undefined` if these bytes do not begin one. */
export const decodeMapPartHeader = (bytes: Buffer): number | undefined => {
  const count = bytes.readInt32BE(20)
  return count > 0 &&
    count <= maxLedgersInPart &&
    bytes.readInt32BE(0) === mapPartHeaderSize - sizeFieldSize + mapLedgerSize * count &&
    bytes.readBigInt64BE(4) === recordLedgerId &&
    bytes.readBigInt64BE(12) === mapEntryId
    ? count
    : undefined
}

/**
 * Tells the ledgers of a part, without its header, and how many bytes of each the log has. Answers false if a ledger
 * cannot be one, or was refused.
 */
export const decodeMapPart = (bytes: Buffer, tell: (ledgerId: LedgerId.LedgerId, size: number) => boolean): boolean => {
  for (let offset = 0; offset < bytes.length; offset += mapLedgerSize) {
    const ledgerId = bytes.readBigInt64BE(offset)
    const size = Number(bytes.readBigInt64BE(offset + 8))
    if (!LedgerId.is(ledgerId) || size < entryHeaderSize || !tell(ledgerId, size)) return false
  }
  return true
}

/** Where padding that begins at an offset of a buffer ends in it; the same offset if none begins there. */
export const endOfPadding = (bytes: Buffer, offset: number, end: number): number => {
  let next = offset
  while (next < end && bytes[next] === paddingByte) next += 1
  return next
}

const magicBytes = Buffer.from("BKLO")
const magic = magicBytes.readInt32BE(0)
const version = 1

/** A part of the ledgers map for as many of the remaining ledgers as it may hold, without them. */
const mapPart = (remaining: number): Buffer => {
  const count = Math.min(remaining, maxLedgersInPart)
  const bytes = Buffer.alloc(mapPartHeaderSize + mapLedgerSize * count)
  bytes.writeInt32BE(bytes.length - sizeFieldSize, 0)
  bytes.writeBigInt64BE(recordLedgerId, 4)
  bytes.writeBigInt64BE(mapEntryId, 12)
  bytes.writeInt32BE(count, 20)
  return bytes
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0)
