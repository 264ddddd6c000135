/**
 * Which page an entry is in, and which slot of it.
 *
 * The number of a page is `entryId >> 8`, as the key of a `Map`: a plain number
 * for every entry below 2^53, a bigint above.
 */
import type { EntryId } from "@effect-bookie/entry-log/EntryId"
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { LocationPage } from "./LocationPage.ts"
import * as Words from "../words.ts"

/** A page of a ledger. */
export interface PageId {
  readonly ledgerId: LedgerId
  readonly number: Words.MapKey
}

/** A page and its number. */
export type NumberedPage = readonly [number: Words.MapKey, page: LocationPage]

/** The number of the page that an entry is in. */
export const pageOf = (entryId: EntryId): Words.MapKey => pageOfHalves(Words.high(entryId), Words.low(entryId))

/** The number of the page that the entry of two halves is in. */
export const pageOfHalves = (high: number, low: number): Words.MapKey =>
  high < 0x20_0000 ? high * 0x100_0000 + (low >>> 8) : Words.join(high, low) >> 8n

/** The slot of an entry in its page. */
export const slotOf = (entryId: EntryId): number => Words.low(entryId) & 0xff

/** The entry in a slot of a page. */
export const entryIn = (page: Words.MapKey, slot: number): EntryId =>
  // The number is that of some entry's page, so this is in the range of an entry id.
  (typeof page === "number" ? BigInt(page * 256 + slot) : (page << 8n) | BigInt(slot)) as EntryId
