/**
 * Reads the arguments of a call at the moment its effect runs, and refuses with
 * `InvalidArgument` what no entry log could hold, before anything of the call is
 * done.
 *
 * Arrays and objects are read once, so that what becomes of them later changes
 * nothing. Bytes are told by what they are, also those of another realm
 * (node:vm, jsdom), which are no `instanceof` anything here.
 */
import { isUint8Array } from "node:util/types"
import * as EntryId from "../EntryId.ts"
import type { Entry, ScanOptions } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import * as LedgerId from "../LedgerId.ts"
import * as Location from "../Location.ts"
import { describe } from "./describe.ts"
import * as Format from "./format.ts"
import * as Id from "./id.ts"
import type { Settings } from "./options.ts"

/** An entry that is to be appended. */
export interface Addition extends Entry {
  /** How many bytes its payload had when it was checked. */
  readonly length: number
}

/** The options of a scan without gaps. */
export interface ScanSettings {
  readonly fromLog: number
  readonly payloads: boolean
  readonly salvage: boolean
  readonly onPassedOver: ScanOptions["onPassedOver"]
}

/** The entries of an append. */
export const additions = (
  entries: ReadonlyArray<Entry>,
  settings: Settings,
  where: EntryLogError.Where
): ReadonlyArray<Addition> => {
  if (!Array.isArray(entries)) throw refused(`the entries must be an array, not ${describe(entries)}`, where)
  const additions: Array<Addition> = []
  for (const entry of entries) additions.push(addition(entry, settings, where))
  return additions
}

/** Refuses ids and a location that cannot be. */
export const checkRead = (ledgerId: unknown, entryId: unknown, location: unknown, where: EntryLogError.Where): void => {
  const problem = problemOfIds(ledgerId, entryId)
  if (problem !== undefined) throw refused(problem, where)
  if (!Location.is(location)) throw refused(Id.outOfRange("location", location).message, where)
}

/** The options of a scan. */
export const scanSettings = (options: ScanOptions = {}, where: EntryLogError.Where): ScanSettings => {
  if (!isObject(options)) throw refused(`the options of a scan must be an object, not ${describe(options)}`, where)
  const { fromLog = 0, onPassedOver, payloads = true, salvage = false } = options
  if (!Number.isSafeInteger(fromLog) || fromLog < 0) {
    throw refused(`fromLog must be the id of a log, a whole number from 0, not ${describe(fromLog)}`, where)
  }
  if (typeof payloads !== "boolean") throw refused(`payloads must be true or false, not ${describe(payloads)}`, where)
  if (typeof salvage !== "boolean") throw refused(`salvage must be true or false, not ${describe(salvage)}`, where)
  if (onPassedOver !== undefined && typeof onPassedOver !== "function") {
    throw refused(`onPassedOver must be a function, not ${describe(onPassedOver)}`, where)
  }
  return { fromLog, payloads, salvage, onPassedOver }
}

const addition = (entry: Entry, settings: Settings, where: EntryLogError.Where): Addition => {
  if (!isObject(entry)) throw refused(`an entry must be an object, not ${describe(entry)}`, where)
  const { entryId, ledgerId, payload } = entry
  const problem = problemOfIds(ledgerId, entryId) ?? problemOfPayload(payload, settings)
  if (problem !== undefined) throw refused(problem, where)
  return { ledgerId, entryId, payload, length: payload.length }
}

const problemOfIds = (ledgerId: unknown, entryId: unknown): string | undefined => {
  if (!LedgerId.is(ledgerId)) return Id.outOfRange("ledger id", ledgerId).message
  if (!EntryId.is(entryId)) return Id.outOfRange("entry id", entryId).message
  return undefined
}

const problemOfPayload = (payload: unknown, { maxEntrySize }: Settings): string | undefined => {
  if (!isUint8Array(payload)) return `the payload must be a Uint8Array, not ${describe(payload)}`
  if (payload.length === 0 && !isThere(payload)) {
    return "the bytes of the payload have been transferred away. Append them before that, or transfer a copy"
  }
  const size = Format.idsSize + payload.length
  return size > maxEntrySize
    ? `the entry has ${size} bytes with its ids; maxEntrySize allows ${maxEntrySize}`
    : undefined
}

/** Whether bytes are still there: nothing can be asked of those that were transferred, or cut off by a resize. */
const isThere = (bytes: Uint8Array): boolean => {
  try {
    bytes.at(0)
    return true
  } catch {
    return false
  }
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null

const refused = EntryLogError.invalidArgument
