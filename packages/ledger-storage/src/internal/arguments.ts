/**
 * Refuses what no storage could accept, before anything of a call is done. Each
 * check answers what is wrong, or `undefined`.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as ByteSize from "effect/ByteSize"
import * as Option from "effect/Option"
import { types } from "node:util"
import type { AppendOptions, CheckOptions, CollectOptions, CreateOptions, EntryKey, Range } from "../LedgerStorage.ts"

/** The longest metadata, in bytes. */
export const maxMetadataSize: number = 64 * 1024

/** What is wrong with a ledger id. */
export const checkLedgerId = (ledgerId: unknown): string | undefined =>
  LedgerId.is(ledgerId) ? undefined : outOfRange("ledger id", ledgerId)

/** What is wrong with ledger ids. */
export const checkLedgerIds = (ledgerIds: ReadonlyArray<unknown>): string | undefined =>
  checkEach("ledger ids", ledgerIds, checkLedgerId)

/** What is wrong with the key of an entry. */
export const checkKey = (ledgerId: unknown, entryId: unknown): string | undefined =>
  checkLedgerId(ledgerId) ?? (EntryId.is(entryId) ? undefined : outOfRange("entry id", entryId))

/** What is wrong with the keys of a `readMany`. */
export const checkKeys = (keys: ReadonlyArray<unknown>): string | undefined =>
  checkEach("keys", keys, (key) =>
    isObject(key) && "ledgerId" in key && "entryId" in key
      ? checkKey(key.ledgerId, key.entryId)
      : `a key must have a ledgerId and an entryId, and not be ${describe(key)}`
  )

/** Keys as they are now, whatever becomes of the array and of what is in it. */
export const copyKeys = (keys: ReadonlyArray<EntryKey>): ReadonlyArray<EntryKey> =>
  copyArray(keys, (key) => (isObject(key) ? { ledgerId: key.ledgerId, entryId: key.entryId } : key))

/** An array as it is now, and each of its values, or what is no array. */
export const copyArray = <A>(values: ReadonlyArray<A>, copy: (value: A) => A = (value) => value): ReadonlyArray<A> =>
  Array.isArray(values) ? Array.from(values, copy) : values

/** What is wrong with the options of a creation. */
export const checkCreate = (options: CreateOptions): string | undefined =>
  (options.ledgerId === undefined ? undefined : checkLedgerId(options.ledgerId)) ??
  (options.metadata === undefined ? undefined : checkBytes("metadata", options.metadata, maxMetadataSize))

/** What is wrong with payloads of which each may have so many bytes. */
export const checkPayloads = (payloads: ReadonlyArray<unknown>, maxSize: number): string | undefined =>
  checkEach("payloads", payloads, (payload) => checkBytes("payload", payload, maxSize)) ??
  (payloads.length === 0 ? "there must be at least one payload; leave the call out where there is none" : undefined)

/** What is wrong with the options of an append. */
export const checkAppend = ({ durability }: AppendOptions): string | undefined =>
  durability === undefined ? undefined : checkDurability(durability)

/** What is wrong with a durability. */
export const checkDurability = (durability: unknown): string | undefined =>
  durability === "sync" || durability === "buffered"
    ? undefined
    : `there is no durability ${describe(durability)}: it is "sync" or "buffered"`

/** What is wrong with a range. */
export const checkRange = ({ from, reverse, to }: Range): string | undefined => {
  if (from !== undefined && !EntryId.is(from)) return outOfRange("bound from", from)
  if (to !== undefined && !EntryId.is(to)) return outOfRange("bound to", to)
  return reverse === undefined || typeof reverse === "boolean"
    ? undefined
    : `reverse must be true or false, not ${describe(reverse)}`
}

/** What is wrong with the range of a tail, which has no end to begin at. */
export const checkTail = (range: Range): string | undefined =>
  checkRange(range) ?? (range.reverse === true ? "a tail has no reverse: use entries for that" : undefined)

/** What is wrong with the options of a collection. */
export const checkCollect = ({ garbageTarget, rate }: CollectOptions): string | undefined =>
  (garbageTarget === undefined ? undefined : checkGarbageTarget(garbageTarget)) ?? checkRate(rate)

/** What is wrong with a share of garbage. */
export const checkGarbageTarget = (garbageTarget: unknown): string | undefined =>
  typeof garbageTarget === "number" && garbageTarget >= 0 && garbageTarget <= 1
    ? undefined
    : `garbageTarget must be a number from 0 to 1, not ${describe(garbageTarget)}`

/** What is wrong with the options of a check. */
export const checkCheck = ({ rate }: CheckOptions): string | undefined => checkRate(rate)

/** What is wrong with a number of bytes a second. */
export const checkRate = (rate: ByteSize.Input | undefined): string | undefined =>
  rate === undefined || toBytes(rate) > 0
    ? undefined
    : `the rate must be a size above 0, in bytes a second, not ${describe(rate)}`

/** A size in bytes, or NaN if it cannot be read or is not exact. */
export const toBytes = (input: ByteSize.Input): number =>
  Option.getOrElse(Option.flatMap(ByteSize.fromInput(input), ByteSize.toNumber), () => Number.NaN)

/** Such as `undefined`, `Array`, a number, or, of a text, the text. */
export const describe = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value)
  if (typeof value === "number" || typeof value === "bigint") return String(value)
  return Object.prototype.toString.call(value).slice("[object ".length, -1)
}

const checkEach = (
  what: string,
  values: ReadonlyArray<unknown>,
  check: (value: unknown) => string | undefined
): string | undefined => {
  if (!Array.isArray(values)) return `the ${what} must be an array, not ${describe(values)}`
  for (const value of values) {
    const problem = check(value)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Bytes of another realm (vm, jsdom) are bytes: so by what they are, not by their class. */
const checkBytes = (what: string, bytes: unknown, maxSize: number): string | undefined => {
  if (!types.isUint8Array(bytes)) return `the ${what} must be a Uint8Array, not ${describe(bytes)}`
  if (bytes.length > maxSize) return `the ${what} has ${bytes.length} bytes; at most ${maxSize} are allowed`
  if (bytes.length === 0 && isOutOfBounds(bytes)) {
    return `the ${what} has lost its memory, which was transferred or made smaller; pass a copy`
  }
  return undefined
}

/** Whether the buffer of some bytes was detached, or shrunk under them: then every access by a method throws. */
const isOutOfBounds = (bytes: Uint8Array): boolean => {
  try {
    Uint8Array.prototype.at.call(bytes, 0)
    return false
  } catch {
    return true
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const outOfRange = (what: string, value: unknown): string =>
  `the ${what} must be a bigint from 0 to 2^63-1, not ${typeof value === "bigint" ? value : `${typeof value} ${describe(value)}`}`
