/**
 * What happens to ledgers, as records between the entries of the entry logs.
 *
 * A record stands in the logs as an entry of ledger -1, which BookKeeper's
 * scanners skip; all integers big-endian.
 *
 *     0   int32   size of what follows
 *     4   int64   -1, in place of a ledger id
 *     12  int64   0, in place of an entry id (-2 is BookKeeper's ledgers map)
 *     20  uint32  CRC-32 of the bytes from 4 to here and from 24 on
 *     24  uint16  kind
 *     26  uint16  version of the kind
 *     28  what the kind holds
 *
 * | kind | name | holds |
 * |---|---|---|
 * | 1 | Log | 16 bytes id of the storage, uint8 1 if this is a log of copies, else 0 |
 * | 2 | LedgerCreated | int64 ledger id, int64 milliseconds since 1970, metadata |
 * | 3 | LedgerFenced | int64 ledger id |
 * | 4 | LedgersDeleted | int64 ledger ids, at least one |
 * | 5 | LedgerIdsGiven | int64 first, int64 last, of at least one range; ascending, and not touching each other |
 *
 * A kind or a version that is not known here is of a later release, and is
 * refused as such: to pass over it would be to lose what it says.
 *
 * Pure: nothing here trusts what it is given to decode.
 */
import * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import { crc32 } from "node:zlib"
import type { LedgerIdRange } from "../LedgerIds.ts"
import { maxMetadataSize } from "../arguments.ts"
import { sizeFieldSize } from "./EntryFrame.ts"

/** Begins each log: whose it is, and whether it holds copies. */
export interface Log {
  readonly _tag: "Log"
  /** 16 bytes. */
  readonly storageId: Uint8Array
  /** Whether entries were copied into it out of other logs, so that they are in the index by other means. */
  readonly copies: boolean
}

/** A ledger was created. */
export interface LedgerCreated {
  readonly _tag: "LedgerCreated"
  readonly ledgerId: LedgerId.LedgerId
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly metadata: Uint8Array
}

/** A ledger was fenced. */
export interface LedgerFenced {
  readonly _tag: "LedgerFenced"
  readonly ledgerId: LedgerId.LedgerId
}

/** Ledgers were deleted, all of them. */
export interface LedgersDeleted {
  readonly _tag: "LedgersDeleted"
  /** From 1 to {@link maxLedgers}. */
  readonly ledgerIds: ReadonlyArray<LedgerId.LedgerId>
}

/** These ids have been given to ledgers, which may have been deleted since. */
export interface LedgerIdsGiven {
  readonly _tag: "LedgerIdsGiven"
  /** From 1 to {@link maxRanges}. */
  readonly ranges: ReadonlyArray<LedgerIdRange>
}

/** A record of ledger -1. */
export type LedgerRecord = Log | LedgerCreated | LedgerFenced | LedgersDeleted | LedgerIdsGiven

/** What a record is refused for: it is damaged, or of a release later than this one. */
export interface Refused {
  readonly _tag: "Damaged" | "Unsupported"
  /** Begins with "it". */
  readonly problem: string
}

/** How many bytes the frame of a `LedgerFenced` has. */
export const fencedFrameSize = (): number => contentOffset + 8

/** The ledger id of every record. */
export const ledgerId = -1n

/** The entry id of every record. */
export const entryId = 0n

/** How many ledgers a record of deletions holds at most. */
export const maxLedgers = 10_000

/** How many ranges a record of given ids holds at most. */
export const maxRanges = 5_000

/** How many bytes a storage id has. */
export const storageIdSize = 16

/** How many bytes the frame of a record has. */
export const frameSize = (record: LedgerRecord): number => {
  switch (record._tag) {
    case "Log":
      return contentOffset + storageIdSize + 1
    case "LedgerCreated":
      return createdFrameSize(record.metadata.length)
    case "LedgerFenced":
      return fencedFrameSize()
    case "LedgersDeleted":
      return deletedFrameSize(record.ledgerIds.length)
    case "LedgerIdsGiven":
      return contentOffset + 16 * record.ranges.length
  }
}

/** How many bytes the frame of a `LedgerCreated` has, of which the metadata have so many. */
export const createdFrameSize = (metadata: number): number => contentOffset + 16 + metadata

/** How many bytes the frame of a `LedgersDeleted` of so many ledgers has. */
export const deletedFrameSize = (ledgers: number): number => contentOffset + 8 * ledgers

/** Encodes the frame of a record at an offset of some bytes that have room for it. Answers the offset after it. */
export const encode = (bytes: Uint8Array, view: DataView, offset: number, record: LedgerRecord): number => {
  const body = offset + sizeFieldSize
  const end = offset + frameSize(record)
  view.setInt32(offset, end - body)
  view.setBigInt64(body, ledgerId)
  view.setBigInt64(body + 8, entryId)
  view.setUint16(body + kindOffset, kinds[record._tag])
  view.setUint16(body + versionOffset, version)
  encodeContent(bytes, view, body + bodyHeaderSize, record)
  view.setUint32(body + checksumOffset, checksumOf(bytes.subarray(body, end)))
  return end
}

/** Decodes the body of a record, which is its frame without the size field. Nothing of the record is a view of it. */
export const decode = (body: Uint8Array): LedgerRecord | Refused => {
  if (body.length < bodyHeaderSize) return damaged(`it has ${body.length} bytes, and a record has more`)
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  if (view.getBigInt64(0) !== ledgerId || view.getBigInt64(8) !== entryId)
    return damaged("it is no record of ledger -1")
  if (view.getUint32(checksumOffset) !== checksumOf(body)) return damaged("its checksum does not match")
  const kind = view.getUint16(kindOffset)
  const found = view.getUint16(versionOffset)
  const tag = tags.get(kind)
  if (tag === undefined) return unsupported(`it is a record of kind ${kind}`)
  if (found !== version) return unsupported(`it is a ${tag} of version ${found}`)
  return decodeContent(tag, body, view) ?? damaged(`it is a ${tag} whose ${body.length} bytes cannot be one`)
}

/** The bytes of a body before what its kind holds. */
const bodyHeaderSize = 24

/** The bytes of a frame before what its kind holds. */
const contentOffset = sizeFieldSize + bodyHeaderSize

// Of a body.
const checksumOffset = 16
const kindOffset = 20
const versionOffset = 22

/** Of every kind, so far. */
const version = 1

const kinds: { readonly [Tag in LedgerRecord["_tag"]]: number } = {
  Log: 1,
  LedgerCreated: 2,
  LedgerFenced: 3,
  LedgersDeleted: 4,
  LedgerIdsGiven: 5
}

const tags: ReadonlyMap<number, LedgerRecord["_tag"]> = new Map([
  [kinds.Log, "Log"],
  [kinds.LedgerCreated, "LedgerCreated"],
  [kinds.LedgerFenced, "LedgerFenced"],
  [kinds.LedgersDeleted, "LedgersDeleted"],
  [kinds.LedgerIdsGiven, "LedgerIdsGiven"]
])

const damaged = (problem: string): Refused => ({ _tag: "Damaged", problem })

const unsupported = (what: string): Refused => ({
  _tag: "Unsupported",
  problem: `${what}, which a later release wrote. Open the storage with that release.`
})

const checksumOf = (body: Uint8Array): number =>
  crc32(body.subarray(checksumOffset + 4), crc32(body.subarray(0, checksumOffset)))

const encodeContent = (bytes: Uint8Array, view: DataView, offset: number, record: LedgerRecord): void => {
  switch (record._tag) {
    case "Log":
      bytes.set(record.storageId, offset)
      view.setUint8(offset + storageIdSize, record.copies ? 1 : 0)
      return
    case "LedgerCreated":
      view.setBigInt64(offset, record.ledgerId)
      view.setBigInt64(offset + 8, BigInt(record.createdAt))
      bytes.set(record.metadata, offset + 16)
      return
    case "LedgerFenced":
      view.setBigInt64(offset, record.ledgerId)
      return
    case "LedgersDeleted":
      record.ledgerIds.forEach((ledgerId, index) => view.setBigInt64(offset + 8 * index, ledgerId))
      return
    case "LedgerIdsGiven":
      record.ranges.forEach(({ first, last }, index) => {
        view.setBigInt64(offset + 16 * index, first)
        view.setBigInt64(offset + 16 * index + 8, last)
      })
      return
  }
}

/** What a body of a kind holds, or `undefined` if it cannot hold that. */
const decodeContent = (tag: LedgerRecord["_tag"], body: Uint8Array, view: DataView): LedgerRecord | undefined => {
  const size = body.length - bodyHeaderSize
  switch (tag) {
    case "Log":
      return decodeLog(body, size)
    case "LedgerCreated":
      return decodeCreated(body, view, size)
    case "LedgerFenced": {
      const ledgerId = size === 8 ? view.getBigInt64(bodyHeaderSize) : undefined
      return LedgerId.is(ledgerId) ? { _tag: "LedgerFenced", ledgerId } : undefined
    }
    case "LedgersDeleted": {
      const ledgerIds = decodeLedgerIds(view, size)
      return ledgerIds.length > 0 && ledgerIds.length <= maxLedgers ? { _tag: "LedgersDeleted", ledgerIds } : undefined
    }
    case "LedgerIdsGiven":
      return decodeIdsGiven(view, size)
  }
}

const decodeLog = (body: Uint8Array, size: number): Log | undefined => {
  const copies = body[bodyHeaderSize + storageIdSize]
  if (size !== storageIdSize + 1 || copies === undefined || copies > 1) return undefined
  return { _tag: "Log", storageId: copy(body, bodyHeaderSize, storageIdSize), copies: copies === 1 }
}

const decodeCreated = (body: Uint8Array, view: DataView, size: number): LedgerCreated | undefined => {
  if (size < 16 || size > 16 + maxMetadataSize) return undefined
  const ledgerId = view.getBigInt64(bodyHeaderSize)
  const createdAt = Number(view.getBigInt64(bodyHeaderSize + 8))
  // A Date holds no more than this on either side of 1970.
  if (!LedgerId.is(ledgerId) || Math.abs(createdAt) > 8.64e15) return undefined
  return { _tag: "LedgerCreated", ledgerId, createdAt, metadata: copy(body, bodyHeaderSize + 16, size - 16) }
}

const decodeIdsGiven = (view: DataView, size: number): LedgerIdsGiven | undefined => {
  const ledgerIds = decodeLedgerIds(view, size)
  const ranges: Array<LedgerIdRange> = []
  for (let index = 0; index < ledgerIds.length; index += 2) {
    const first = ledgerIds[index]
    const last = ledgerIds[index + 1]
    const before = ranges.at(-1)
    if (first === undefined || last === undefined || first > last) return undefined
    if (before !== undefined && first <= before.last + 1n) return undefined
    ranges.push({ first, last })
  }
  return ranges.length > 0 && ranges.length <= maxRanges ? { _tag: "LedgerIdsGiven", ranges } : undefined
}

/** All ids of a content that holds nothing else; none if one of them cannot be an id. */
const decodeLedgerIds = (view: DataView, size: number): ReadonlyArray<LedgerId.LedgerId> => {
  if (size % 8 !== 0) return []
  const ledgerIds: Array<LedgerId.LedgerId> = []
  for (let offset = bodyHeaderSize; offset < bodyHeaderSize + size; offset += 8) {
    const ledgerId = view.getBigInt64(offset)
    if (!LedgerId.is(ledgerId)) return []
    ledgerIds.push(ledgerId)
  }
  return ledgerIds
}

const copy = (body: Uint8Array, offset: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  bytes.set(body.subarray(offset, offset + length))
  return bytes
}
