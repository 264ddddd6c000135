/**
 * What is known of each log: its size, whether it is sealed, and which ledgers
 * are in it; from its ledgers map if that holds, and else from its entries.
 */
import type { LedgerColumns, LogFile } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import * as LedgerId from "../LedgerId.ts"
import * as Format from "./format.ts"
import * as LedgersMap from "./ledgersMap.ts"
import { LogScanner, type Source } from "./LogScanner.ts"

/** Describes a log. */
export const describe = async (id: number, source: Source): Promise<LogFile> => {
  const map = await readMap(source)
  const ledgers = map ?? (await countEntries(source))
  return { id, size: source.size, sealed: map !== undefined, ledgers }
}

/** The ledgers of a log, a part with each call of what this answers, and none at the end. */
export const ledgersOf = async (source: Source): Promise<() => Promise<LedgerColumns | undefined>> => {
  const { header, read } = source
  if (header._tag !== "Header" || !(await mapHolds(source))) return partsOf(await countEntries(source))
  let offset = header.mapOffset
  let remaining = header.ledgerCount
  return async () => {
    if (remaining === 0) return undefined
    const part = await LedgersMap.readPart(read, offset)
    // It has been read before.
    if (part === undefined)
      throw EntryLogError.corruption(`the ledgers map has no part at byte ${offset}`, source.where)
    const columns = columnsOf(part.length / Format.mapLedgerSize)
    let index = 0
    Format.decodeMapPart(part, (ledgerId, size) => {
      columns.ledgerIds[index] = ledgerId
      columns.bytes[index++] = size
      return true
    })
    offset += Format.mapPartHeaderSize + part.length
    remaining -= index
    return columns
  }
}

/** Ledgers in parts such as those of a ledgers map. */
export const partsOf = (
  ledgers: ReadonlyMap<LedgerId.LedgerId, number>
): (() => Promise<LedgerColumns | undefined>) => {
  const iterator = ledgers.entries()
  let remaining = ledgers.size
  return async () => {
    if (remaining === 0) return undefined
    const columns = columnsOf(Math.min(remaining, Format.maxLedgersInPart))
    remaining -= columns.bytes.length
    for (let index = 0; index < columns.bytes.length; index += 1) {
      const [ledgerId, bytes] = iterator.next().value ?? [0n, 0]
      columns.ledgerIds[index] = ledgerId
      columns.bytes[index] = bytes
    }
    return columns
  }
}

const columnsOf = (count: number): LedgerColumns => ({
  ledgerIds: new BigInt64Array(count),
  bytes: new Float64Array(count)
})

/** Whether the ledgers map of a log is whole, and says no more bytes than the log has. */
const mapHolds = async ({ header, read, size }: Source): Promise<boolean> => {
  if (header._tag !== "Header" || !mayHaveMap(header, size)) return false
  let bytes = 0
  const reading = await LedgersMap.read(read, header, (_, size) => {
    bytes += size
    return true
  })
  return "end" in reading && bytes <= header.mapOffset - Format.headerSize
}

/** A map without ledgers, that of a log of records alone, has no part; so nothing stands where it should. */
const mayHaveMap = ({ ledgerCount, mapOffset }: Format.MapFields, size: number): boolean =>
  mapOffset >= Format.headerSize && (ledgerCount === 0 ? mapOffset === size : mapOffset < size)

/**
 * The ledgers map of a log, or `undefined` if it has none, or one that cannot be right: parts that are not whole,
 * another number of ledgers than the header says, or more bytes than the log has. BookKeeper then does as we do.
 */
const readMap = async ({ header, read, size }: Source): Promise<Map<LedgerId.LedgerId, number> | undefined> => {
  if (header._tag !== "Header" || !mayHaveMap(header, size)) return undefined
  const ledgers = new Map<LedgerId.LedgerId, number>()
  let bytes = 0
  const reading = await LedgersMap.read(read, header, (ledgerId, size) => {
    const isNew = !ledgers.has(ledgerId)
    ledgers.set(ledgerId, size)
    bytes += size
    return isNew
  })
  return "end" in reading && bytes <= header.mapOffset - Format.headerSize ? ledgers : undefined
}

/** Counts the bytes of the entries. Those of a log that is sealed count although its map does not hold. */
const countEntries = async (source: Source): Promise<Map<LedgerId.LedgerId, number>> => {
  const { header, where } = source
  const ledgers = new Map<LedgerId.LedgerId, number>()
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
    await scanner.advance((id, _entryId, _position, size) => {
      const ledgerId = LedgerId.make(id)
      ledgers.set(ledgerId, (ledgers.get(ledgerId) ?? 0) + Format.sizeFieldSize + size)
    })
  );
  return ledgers
}
