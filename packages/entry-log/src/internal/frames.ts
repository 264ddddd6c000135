/**
 * Frames: entries and records as they stand in a log, one behind the other,
 * each its size, its ids and what is behind them. Who encodes them hands them
 * over as one array of bytes, which is looked through before anything of it is
 * written.
 *
 * A record has the ledger id -1 and any entry id but -2, which is the ledgers
 * map's.
 */
import { types } from "node:util"
import * as LedgerId from "../LedgerId.ts"
import { describe } from "./describe.ts"
import * as Format from "./format.ts"
import { Refusal } from "./refusal.ts"

/** Frames that hold. */
export interface Frames {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly count: number
}

/** Looks through bytes that are to be frames, and refuses them where one does not hold. */
export const take = (bytes: Uint8Array, maxEntrySize: number): Frames => {
  if (!types.isUint8Array(bytes)) throw new Refusal(`the frames must be a Uint8Array, not ${describe(bytes)}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let count = 0
  for (let offset = 0; offset < bytes.byteLength; offset = endOf(view, offset)) {
    const problem = problemOf(view, offset, maxEntrySize)
    if (problem !== undefined) throw new Refusal(`the frame at byte ${offset} of the frames ${problem}`)
    count += 1
  }
  return { bytes, view, count }
}

/** Refuses frames that are not all records. */
export const takeRecords = (bytes: Uint8Array, maxEntrySize: number): Frames => {
  const frames = take(bytes, maxEntrySize)
  for (let offset = 0; offset < bytes.byteLength; offset = endOf(frames.view, offset)) {
    if (isRecord(frames.view, offset)) continue
    throw new Refusal(`the preamble of a log must be records, of ledger -1, and at byte ${offset} of it is an entry`)
  }
  return frames
}

/** Where the frame at an offset ends. */
export const endOf = (view: DataView, offset: number): number => offset + Format.sizeFieldSize + view.getInt32(offset)

/**
 * Counts the bytes of each ledger from an offset to an end, size fields included, and answers how many entries there
 * are. Records are no ledger's.
 */
export const countInto = (
  ledgers: Map<LedgerId.LedgerId, number>,
  view: DataView,
  offset: number,
  end: number
): number => {
  let entries = 0
  // Neighbours mostly are of one ledger: a look into the map for each run of them.
  let [high, low, bytes] = [-1, -1, 0]
  const countRun = () => {
    if (bytes === 0) return
    runs.setInt32(0, high)
    runs.setInt32(4, low)
    const ledgerId = LedgerId.make(runs.getBigInt64(0))
    ledgers.set(ledgerId, (ledgers.get(ledgerId) ?? 0) + bytes)
  }
  for (let at = offset; at < end; at = endOf(view, at)) {
    if (isRecord(view, at)) continue
    if (view.getInt32(at + 4) !== high || view.getInt32(at + 8) !== low) {
      countRun()
      high = view.getInt32(at + 4)
      low = view.getInt32(at + 8)
      bytes = 0
    }
    bytes += Format.sizeFieldSize + view.getInt32(at)
    entries += 1
  }
  countRun()
  return entries
}

const runs = new DataView(new ArrayBuffer(8))

const isRecord = (view: DataView, offset: number): boolean => view.getInt32(offset + 4) < 0

const problemOf = (view: DataView, offset: number, maxEntrySize: number): string | undefined => {
  const room = view.byteLength - offset
  if (room < Format.entryHeaderSize) return `has ${room} bytes, less than a size and two ids`
  const size = view.getInt32(offset)
  if (size < Format.idsSize) return `has a size of ${size}, less than its ids have`
  if (size > maxEntrySize) return `has ${size} bytes with its ids; maxEntrySize allows ${maxEntrySize}`
  if (Format.sizeFieldSize + size > room) return `has a size of ${size}, and only ${room - 4} bytes follow`
  if (view.getInt32(offset + 4) >= 0) {
    return view.getInt32(offset + 12) < 0
      ? `has the entry id ${view.getBigInt64(offset + 12)}, which no entry has`
      : undefined
  }
  const ledgerId = view.getBigInt64(offset + 4)
  if (ledgerId !== Format.recordLedgerId) return `has the ledger id ${ledgerId}, which no ledger has`
  return view.getBigInt64(offset + 12) === Format.mapEntryId
    ? `has the ids of the ledgers map, which the log writes itself`
    : undefined
}
