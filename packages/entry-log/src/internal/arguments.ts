/**
 * Reads the arguments of a call at the moment its effect runs, and throws a
 * `Refusal` for what no entry log could hold, before anything of the call is
 * done. Whoever calls makes an `InvalidArgument` of that, and of whatever else is
 * thrown while arguments are read.
 *
 * Arrays and objects are read once, so that what becomes of them later changes
 * nothing. Bytes are told by what they are, also those of another realm
 * (node:vm, jsdom), which are no `instanceof` anything here.
 */
import { isUint8Array } from "node:util/types"
import * as EntryId from "../EntryId.ts"
import type { Entry, ScanOptions } from "../EntryLog.ts"
import * as LedgerId from "../LedgerId.ts"
import * as Location from "../Location.ts"
import { describe } from "./describe.ts"
import * as Format from "./format.ts"
import * as Id from "./id.ts"
import type { Settings } from "./options.ts"
import { Refusal } from "./refusal.ts"

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

/** The entries of an `appendAll`. */
export const additions = (entries: ReadonlyArray<Entry>, settings: Settings): ReadonlyArray<Addition> => {
  if (!Array.isArray(entries)) throw new Refusal(`the entries must be an array, not ${describe(entries)}`)
  const additions: Array<Addition> = []
  while (additions.length < entries.length) {
    const entry: Entry = entries[additions.length]
    if (!isObject(entry)) throw new Refusal(`an entry must be an object, not ${describe(entry)}`)
    const { entryId, ledgerId, payload } = entry
    additions.push(addition(ledgerId, entryId, payload, settings))
  }
  return additions
}

/** Refuses ids and a location that cannot be. */
export const checkRead = (ledgerId: unknown, entryId: unknown, location: unknown): void => {
  const problem = problemOfIds(ledgerId, entryId)
  if (problem !== undefined) throw new Refusal(problem)
  if (!Location.is(location)) throw new Refusal(Id.outOfRange("location", location).message)
}

/** The options of a scan. */
export const scanSettings = (options: ScanOptions = {}): ScanSettings => {
  if (!isObject(options)) throw new Refusal(`the options of a scan must be an object, not ${describe(options)}`)
  const { fromLog = 0, onPassedOver, payloads = true, salvage = false } = options
  if (!Number.isSafeInteger(fromLog) || fromLog < 0) {
    throw new Refusal(`fromLog must be the id of a log, a whole number from 0, not ${describe(fromLog)}`)
  }
  if (typeof payloads !== "boolean") throw new Refusal(`payloads must be true or false, not ${describe(payloads)}`)
  if (typeof salvage !== "boolean") throw new Refusal(`salvage must be true or false, not ${describe(salvage)}`)
  if (onPassedOver !== undefined && typeof onPassedOver !== "function") {
    throw new Refusal(`onPassedOver must be a function, not ${describe(onPassedOver)}`)
  }
  return { fromLog, payloads, salvage, onPassedOver }
}

/** The entry of an `append`. */
export const addition = (
  ledgerId: LedgerId.LedgerId,
  entryId: EntryId.EntryId,
  payload: Uint8Array,
  settings: Settings
): Addition => {
  const problem = problemOfIds(ledgerId, entryId) ?? problemOfPayload(payload, settings)
  if (problem !== undefined) throw new Refusal(problem)
  return { ledgerId, entryId, payload, length: payload.length }
}

const problemOfIds = (ledgerId: unknown, entryId: unknown): string | undefined => {
  if (!LedgerId.is(ledgerId)) return Id.outOfRange("ledger id", ledgerId).message
  if (!EntryId.is(entryId)) return Id.outOfRange("entry id", entryId).message
  return undefined
}

const problemOfPayload = (payload: unknown, { maxEntrySize }: Settings): string | undefined => {
  if (!isUint8Array(payload)) return `the payload must be a Uint8Array, not ${describe(payload)}`
  const length: number = Reflect.apply(lengthOf, payload, [])
  if (payload.length !== length) {
    return `the length of the payload must be that of its memory, ${length}, not ${describe(payload.length)}`
  }
  if (length === 0 && !isThere(payload)) {
    return "the bytes of the payload have been transferred away. Append them before that, or transfer a copy"
  }
  const size = Format.idsSize + length
  return size > maxEntrySize
    ? `the entry has ${size} bytes with its ids; maxEntrySize allows ${maxEntrySize}`
    : undefined
}

/** The length that a copy goes by, which a subclass or a property may hide. */
const { get: lengthOf = () => Number.NaN } =
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "length") ?? {}

/** Whether bytes are still there: nothing can be asked of those that were transferred, or cut off by a resize. */
const isThere = (bytes: Uint8Array): boolean => {
  try {
    Uint8Array.prototype.at.call(bytes, 0)
    return true
  } catch {
    return false
  }
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null
