/**
 * The keys of the index's records in RocksDB, whose byte order is the order of
 * the ids.
 *
 * - `00`: the metadata record
 * - `01`, ledger id (8 bytes, big-endian): the record of a ledger
 * - `02`, ledger id, page number (8 bytes each, big-endian): a page
 * - `03`, sequence number (8 bytes, big-endian): a journal record
 * - `04` to `09`: nothing, until a later version has a use for it
 *
 * Keys from `0a` on are not the index's: others may keep their records there.
 */
import * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type { RocksDB } from "@effect-bookie/rocksdb"
import * as Words from "../words.ts"

/** The key of the metadata record. */
export const metadata: Uint8Array = Uint8Array.of(0x00)

/** All records of the index. */
export const everything: RocksDB.Range = { gte: Uint8Array.of(0x00), lt: Uint8Array.of(0x04) }

/** All keys that belong to the index, whether this version has a use for them or not. */
export const reserved: RocksDB.Range = { lt: Uint8Array.of(0x0a) }

/** The first byte of the lowest key that others may keep a record at. */
export const firstOfRecords = 0x0a

/** It alone, which no record of others comes before. */
export const firstRecord: Uint8Array = Uint8Array.of(firstOfRecords)

/** The keys that begin like that of the metadata record, and are none. */
export const besideMetadata: RocksDB.Range = { gt: metadata, lt: Uint8Array.of(0x01) }

/** The records of all ledgers. */
export const allLedgers: RocksDB.Range = { gte: Uint8Array.of(0x01), lt: Uint8Array.of(0x02) }

/** All pages. */
export const allPages: RocksDB.Range = { gte: Uint8Array.of(0x02), lt: Uint8Array.of(0x03) }

/** All journal records. */
export const allJournal: RocksDB.Range = { gte: Uint8Array.of(0x03), lt: Uint8Array.of(0x04) }

/** The key of a ledger's record. */
export const ledger = (ledgerId: bigint): Uint8Array => {
  const key = new Uint8Array(ledgerKeyLength)
  key[0] = 0x01
  Words.write(key, 1, ledgerId)
  return key
}

/** The key of a page. */
export const page = (ledgerId: bigint, page: Words.MapKey): Uint8Array => {
  const key = new Uint8Array(pageKeyLength)
  key[0] = 0x02
  Words.write(key, 1, ledgerId)
  if (typeof page === "number") Words.writeHalves(key, 9, Math.floor(page / 0x1_0000_0000), page % 0x1_0000_0000)
  else Words.write(key, 9, page)
  return key
}

/** The keys from the first page of a ledger up to, and without, the first page of the ledger after another one. */
export const pagesOf = (
  first: bigint,
  last: bigint = first
): { readonly gte: Uint8Array; readonly lt: Uint8Array } => ({
  gte: page(first, 0),
  lt: page(last + 1n, 0)
})

/** The key of a journal record. */
export const journal = (sequence: number): Uint8Array => {
  const key = new Uint8Array(ledgerKeyLength)
  key[0] = 0x03
  Words.writeHalves(key, 1, Math.floor(sequence / 0x1_0000_0000), sequence % 0x1_0000_0000)
  return key
}

/** The journal records from one sequence number on. */
export const journalFrom = (sequence: number): { readonly gte: Uint8Array; readonly lt: Uint8Array } => ({
  gte: journal(sequence),
  lt: Uint8Array.of(0x04)
})

/** The journal records up to, and without, one sequence number. */
export const journalBefore = (sequence: number): { readonly gte: Uint8Array; readonly lt: Uint8Array } => ({
  gte: Uint8Array.of(0x03),
  lt: journal(sequence)
})

/** The sequence number in the key of a journal record, or `undefined` if it is no such key. */
export const sequenceIn = (key: Uint8Array): number | undefined => {
  if (key.length !== ledgerKeyLength) return undefined
  const sequence = Number(Words.read(key, 1))
  return Number.isSafeInteger(sequence) && sequence > 0 ? sequence : undefined
}

/** The ledger id in the key of a ledger's record, or `undefined` if it is no such key. */
export const ledgerIdIn = (key: Uint8Array): LedgerId.LedgerId | undefined =>
  key.length === ledgerKeyLength ? idAt(key, 1) : undefined

/** The ledger id in the key of a page, or `undefined` if it is no such key. */
export const pageLedgerIdIn = (key: Uint8Array): LedgerId.LedgerId | undefined =>
  key.length === pageKeyLength ? idAt(key, 1) : undefined

/** The page number in the key of a page, or `undefined` if it is no such key. */
export const pageNumberIn = (key: Uint8Array): Words.MapKey | undefined => {
  if (key.length !== pageKeyLength) return undefined
  const number = Words.read(key, 9)
  if (number < 0n || number > maxPageNumber) return undefined
  return number < firstLargePage ? Number(number) : number
}

const ledgerKeyLength = 9
const pageKeyLength = 17
const maxPageNumber = 0x7fff_ffff_ffff_ffffn >> 8n

/** The page of entry 2^53. */
const firstLargePage = 0x20_0000_0000_0000n >> 8n

const idAt = (key: Uint8Array, at: number): LedgerId.LedgerId | undefined => {
  const id = Words.read(key, at)
  return LedgerId.is(id) ? id : undefined
}
