/**
 * The ledgers map at the end of a sealed log, read a part at a time, so that
 * its memory is bounded however many ledgers there are.
 */
import type { LedgerId } from "../LedgerId.ts"
import type { ReadLog } from "./files.ts"
import * as Format from "./format.ts"

/** Where a ledgers map ends, or, as words that go on from its place, what is wrong with it. */
export type Reading = { readonly end: number } | { readonly problem: string }

/**
 * Reads the map that a header points to, and tells each of its ledgers and how many bytes of it the log has. If `tell`
 * answers false, the ledger cannot be right.
 */
export const read = async (
  readLog: ReadLog,
  { ledgerCount, mapOffset }: Format.MapFields,
  tell: (ledgerId: LedgerId, size: number) => boolean
): Promise<Reading> => {
  // No file system answers a read behind 2^53.
  if (!(mapOffset >= Format.headerSize && Number.isSafeInteger(mapOffset))) {
    return { problem: `cannot be at byte ${mapOffset}` }
  }
  let offset = mapOffset
  for (let ledgers = 0; ledgers !== ledgerCount;) {
    const part = await readPart(readLog, offset)
    if (part === undefined) return { problem: `has no part at byte ${offset}` }
    if (!Format.decodeMapPart(part, tell)) return { problem: `names a ledger that cannot be, from byte ${offset} on` }
    ledgers += part.length / Format.mapLedgerSize
    if (!(ledgers <= ledgerCount)) return { problem: `has more ledgers than the header says, which is ${ledgerCount}` }
    offset += Format.mapPartHeaderSize + part.length
  }
  return { end: offset }
}

/** The ledgers of a part of the map, or `undefined` if none stands here. */
export const readPart = async (readLog: ReadLog, offset: number): Promise<Buffer | undefined> => {
  const header = Buffer.allocUnsafe(Format.mapPartHeaderSize)
  if ((await readLog(header, offset)) < header.length) return undefined
  const count = Format.decodeMapPartHeader(header)
  if (count === undefined) return undefined
  const ledgers = Buffer.allocUnsafe(Format.mapLedgerSize * count)
  return (await readLog(ledgers, offset + header.length)) === ledgers.length ? ledgers : undefined
}
