/**
 * What is known of each log: its size, whether it is sealed, and which ledgers
 * are in it; from its ledgers map if that holds, and else from its entries.
 */
import type { LogFile } from "../EntryLog.ts"
import type { LedgerId } from "../LedgerId.ts"
import * as Format from "./format.ts"
import { LogScanner, type ReadLog, type Source } from "./LogScanner.ts"

/** Describes a log. */
export const describe = async (id: number, source: Source): Promise<LogFile> => {
  const map = await readMap(source)
  const ledgers = map ?? (await countEntries(source))
  return { id, size: source.size, sealed: map !== undefined, ledgers }
}

/**
 * The ledgers map of a log, or `undefined` if it has none, or one that cannot be right: parts that are not whole,
 * another number of ledgers than the header says, or more bytes than the log has. BookKeeper then does as we do.
 */
const readMap = async ({ header, read, size }: Source): Promise<Map<LedgerId, number> | undefined> => {
  if (header === "blank" || !(header.mapOffset >= Format.headerSize && header.mapOffset < size)) return undefined
  const ledgers = new Map<LedgerId, number>()
  for (let offset = header.mapOffset; ledgers.size < header.ledgerCount;) {
    const part = await readMapPart(read, offset)
    if (part === undefined || !Format.decodeMapPart(part, ledgers)) return undefined
    offset += Format.mapPartHeaderSize + part.length
  }
  let bytes = 0
  for (const size of ledgers.values()) bytes += size
  return ledgers.size > 0 && ledgers.size === header.ledgerCount && bytes <= header.mapOffset - Format.headerSize
    ? ledgers
    : undefined
}

/** The ledgers of a part of the map, or `undefined` if none stands here. */
const readMapPart = async (read: ReadLog, offset: number): Promise<Buffer | undefined> => {
  const header = Buffer.allocUnsafe(Format.mapPartHeaderSize)
  if ((await read(header, offset)) < header.length) return undefined
  const count = Format.decodeMapPartHeader(header)
  if (count === undefined) return undefined
  const ledgers = Buffer.allocUnsafe(Format.mapLedgerSize * count)
  return (await read(ledgers, offset + header.length)) === ledgers.length ? ledgers : undefined
}

const countEntries = async (source: Source): Promise<Map<LedgerId, number>> => {
  const ledgers = new Map<LedgerId, number>()
  const scanner = new LogScanner(source, false)
  while (
    await scanner.advance((ledgerId, _entryId, _position, size) => {
      ledgers.set(ledgerId, (ledgers.get(ledgerId) ?? 0) + Format.sizeFieldSize + size)
    })
  );
  return ledgers
}
