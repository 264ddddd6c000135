/**
 * Refuses what no entry log could hold, before anything of a call is done. Each
 * check answers what is wrong, or `undefined`.
 */
import * as EntryId from "../EntryId.ts"
import type { Entry, ScanOptions } from "../EntryLog.ts"
import * as LedgerId from "../LedgerId.ts"
import * as Location from "../Location.ts"
import * as Format from "./format.ts"
import * as Id from "./id.ts"
import type { Settings } from "./options.ts"

/** What is wrong with entries that are to be appended. */
export const checkEntries = (entries: ReadonlyArray<Entry>, settings: Settings): string | undefined => {
  for (const { entryId, ledgerId, payload } of entries) {
    const problem = checkIds(ledgerId, entryId) ?? checkPayload(payload, settings)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** What is wrong with the arguments of a read. */
export const checkRead = (ledgerId: unknown, entryId: unknown, location: unknown): string | undefined =>
  checkIds(ledgerId, entryId) ?? (Location.is(location) ? undefined : Id.outOfRange("location", location).message)

/** What is wrong with the options of a scan. */
export const checkScan = ({ fromLog = 0, salvage = false }: ScanOptions): string | undefined => {
  if (!Number.isSafeInteger(fromLog) || fromLog < 0) {
    return `fromLog must be the id of a log, a whole number from 0, not ${typeof fromLog === "number" ? fromLog : `a ${typeof fromLog}`}`
  }
  return typeof salvage === "boolean" ? undefined : `salvage must be true or false, not a ${typeof salvage}`
}

const checkIds = (ledgerId: unknown, entryId: unknown): string | undefined => {
  if (!LedgerId.is(ledgerId)) return Id.outOfRange("ledger id", ledgerId).message
  if (!EntryId.is(entryId)) return Id.outOfRange("entry id", entryId).message
  return undefined
}

const checkPayload = (payload: unknown, { maxEntrySize, maxLogSize }: Settings): string | undefined => {
  if (!(payload instanceof Uint8Array)) return `the payload must be a Uint8Array, not ${typeof payload}`
  const size = Format.idsSize + payload.length
  if (size > maxEntrySize) {
    return `the entry has ${size} bytes with its ids; maxEntrySize allows ${maxEntrySize}`
  }
  if (Format.headerSize + Format.sizeFieldSize + size > maxLogSize) {
    return `the entry has ${size} bytes with its ids, which do not fit in a log of maxLogSize, ${maxLogSize} bytes`
  }
  return undefined
}
