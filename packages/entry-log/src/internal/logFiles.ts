/**
 * What is known of each log: its size, whether it is sealed, and which ledgers
 * are in it; from its ledgers map if that holds, and else from its entries.
 */
import type { LogFile } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import type { LedgerId } from "../LedgerId.ts"
import * as Format from "./format.ts"
import * as LedgersMap from "./ledgersMap.ts"
import { LogScanner, type Source } from "./LogScanner.ts"

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
  if (header._tag !== "Header" || !(header.mapOffset >= Format.headerSize && header.mapOffset < size)) return undefined
  const ledgers = new Map<LedgerId, number>()
  let bytes = 0
  const reading = await LedgersMap.read(read, header, (ledgerId, size) => {
    const isNew = !ledgers.has(ledgerId)
    ledgers.set(ledgerId, size)
    bytes += size
    return isNew
  })
  return "end" in reading && ledgers.size > 0 && bytes <= header.mapOffset - Format.headerSize ? ledgers : undefined
}

/** Counts the bytes of the entries. Those of a log that is sealed count although its map does not hold. */
const countEntries = async (source: Source): Promise<Map<LedgerId, number>> => {
  const { header, where } = source
  const ledgers = new Map<LedgerId, number>()
  const mapOffset = header._tag === "Header" && header.mapOffset >= Format.headerSize ? header.mapOffset : Infinity
  const scanner = new LogScanner(
    { ...source, header: header._tag === "Header" ? Format.unsealed : header },
    {
      payloads: false,
      salvage: ({ from, why }) => {
        if (from < mapOffset) throw EntryLogError.corruption(why, where)
      }
    }
  )
  while (
    await scanner.advance((ledgerId, _entryId, _position, size) => {
      ledgers.set(ledgerId, (ledgers.get(ledgerId) ?? 0) + Format.sizeFieldSize + size)
    })
  );
  return ledgers
}
