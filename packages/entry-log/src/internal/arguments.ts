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
import type { Entry, EntryKey, FrameScanOptions, LogPosition, Preamble, ScanOptions } from "../EntryLog.ts"
import * as LedgerId from "../LedgerId.ts"
import * as Location from "../Location.ts"
import { describe } from "./describe.ts"
import * as Format from "./format.ts"
import * as Id from "./id.ts"
import { problemOfPreamble, type Settings } from "./options.ts"
import { Refusal } from "./refusal.ts"

/** An entry that is to be appended. */
export interface Addition extends Entry {
  /** How many bytes its payload had when it was checked. */
  readonly length: number
}

/** The options of a scan without gaps. */
export interface ScanSettings {
  readonly from: LogPosition
  readonly toLog: number
  readonly payloads: boolean
  readonly records: boolean
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

/** The keys of a `readBodies`. */
export const keys = (keys: ReadonlyArray<EntryKey>): ReadonlyArray<EntryKey> => {
  if (!Array.isArray(keys)) throw new Refusal(`the keys must be an array, not ${describe(keys)}`)
  const taken: Array<EntryKey> = []
  while (taken.length < keys.length) {
    const key: EntryKey = keys[taken.length]
    if (!isObject(key)) throw new Refusal(`a key must be an object, not ${describe(key)}`)
    const { entryId, ledgerId, location } = key
    checkRead(ledgerId, entryId, location)
    taken.push({ ledgerId, entryId, location })
  }
  return taken
}

/** The preamble of a writer, if it has its own. */
export const preamble = (options: { readonly preamble?: Preamble | undefined } = {}): Preamble | undefined => {
  if (!isObject(options)) throw new Refusal(`the options of a writer must be an object, not ${describe(options)}`)
  const { preamble } = options
  const problem = problemOfPreamble(preamble)
  if (problem !== undefined) throw new Refusal(problem)
  return preamble
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
  const { fromLog = 0 } = options
  const from = { logId: logId("fromLog", fromLog), position: 0 }
  return { ...howToScan(options), from, toLog: Location.maxLogId, records: false }
}

/** The options of a scan of frames. */
export const frameScanSettings = (options: FrameScanOptions = {}): ScanSettings => {
  if (!isObject(options)) throw new Refusal(`the options of a scan must be an object, not ${describe(options)}`)
  const { from, toLog = Location.maxLogId } = options
  return { ...howToScan(options), from: placeOf(from), toLog: logId("toLog", toLog), records: true }
}

/** The id of a log, by the name of the argument. */
export const logId = (name: string, id: number): number => {
  if (Number.isSafeInteger(id) && id >= 0) return id
  throw new Refusal(`${name} must be the id of a log, a whole number from 0, not ${describe(id)}`)
}

/** What both scans may be told. */
const howToScan = (options: Pick<ScanOptions, "onPassedOver" | "payloads" | "salvage">) => {
  const { onPassedOver, payloads = true, salvage = false } = options
  if (typeof payloads !== "boolean") throw new Refusal(`payloads must be true or false, not ${describe(payloads)}`)
  if (typeof salvage !== "boolean") throw new Refusal(`salvage must be true or false, not ${describe(salvage)}`)
  if (onPassedOver !== undefined && typeof onPassedOver !== "function") {
    throw new Refusal(`onPassedOver must be a function, not ${describe(onPassedOver)}`)
  }
  return { payloads, salvage, onPassedOver }
}

const placeOf = (from: FrameScanOptions["from"]): LogPosition => {
  if (from === undefined) return { logId: 0, position: 0 }
  if (typeof from === "bigint") {
    if (!Location.is(from)) throw new Refusal(Id.outOfRange("location", from).message)
    return { logId: Location.logId(from), position: Math.max(0, Location.position(from) - Format.sizeFieldSize) }
  }
  if (!isObject(from)) throw new Refusal(`from must be a location, or a log id and a position, not ${describe(from)}`)
  const { position } = from
  if (Number.isSafeInteger(position) && position >= 0) return { logId: logId("from.logId", from.logId), position }
  throw new Refusal(`from.position must be a whole number from 0, not ${describe(position)}`)
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
