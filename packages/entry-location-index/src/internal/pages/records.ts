/**
 * The two small records beside the pages.
 *
 * - metadata: the format version (1 byte), the number of entries that the pages
 *   hold, and the sequence number of the last journal record that is in them (8
 *   bytes each, big-endian)
 * - ledger: the number of entries of the ledger, its last entry id (8 bytes
 *   each, big-endian)
 *
 * So the last entry of a ledger is one point read, and deleting a ledger knows
 * what to subtract without reading a page.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import * as Words from "../words.ts"

/** The version of all records together. */
export const formatVersion = 2

/** What the index knows of a ledger; one without entries has no record. */
export interface LedgerRecord {
  readonly entries: number
  readonly lastEntry: EntryId.EntryId
}

/** What the metadata record says. */
export interface CheckpointMetadata {
  /** How many entries the pages hold. */
  readonly entries: number
  /** The sequence number of the last journal record that is in them. */
  readonly checkpoint: number
}

/** The same, or what is wrong with it. */
export type Metadata =
  | ({ readonly _tag: "Metadata" } & CheckpointMetadata)
  | { readonly _tag: "OtherVersion"; readonly version: number }
  | { readonly _tag: "Malformed" }

/** The bytes of the metadata record. */
export const encodeMetadata = (entries: number, checkpoint: number): Uint8Array => {
  const bytes = new Uint8Array(17)
  bytes[0] = formatVersion
  Words.write(bytes, 1, BigInt(entries))
  Words.write(bytes, 9, BigInt(checkpoint))
  return bytes
}

/** Reads the metadata record. */
export const decodeMetadata = (bytes: Uint8Array): Metadata => {
  const version = bytes[0]
  if (version === undefined) return { _tag: "Malformed" }
  if (version !== formatVersion) return { _tag: "OtherVersion", version }
  if (bytes.length !== 17) return { _tag: "Malformed" }
  const entries = Words.read(bytes, 1)
  const checkpoint = Words.read(bytes, 9)
  return isCount(entries) && isCount(checkpoint) && checkpoint <= maxSequence
    ? { _tag: "Metadata", entries: Number(entries), checkpoint: Number(checkpoint) }
    : { _tag: "Malformed" }
}

/** Whether some version of an index may have written a metadata record: such a one begins with its number. */
export const mayBeMetadata = (bytes: Uint8Array): boolean => {
  const version = bytes[0] ?? 0
  // No text, and no number of eight bytes, big-endian, begins so.
  return version > 0 && version < 0x20
}

/** The bytes of a ledger's record. */
export const encodeLedger = ({ entries, lastEntry }: LedgerRecord): Uint8Array => {
  const bytes = new Uint8Array(16)
  Words.write(bytes, 0, BigInt(entries))
  Words.write(bytes, 8, lastEntry)
  return bytes
}

/** Reads a ledger's record; `undefined` if no index wrote it. */
export const decodeLedger = (bytes: Uint8Array): LedgerRecord | undefined => {
  if (bytes.length !== 16) return undefined
  const entries = Words.read(bytes, 0)
  const lastEntry = Words.read(bytes, 8)
  if (entries <= 0n || entries > maxCount || !EntryId.is(lastEntry) || entries > lastEntry + 1n) return undefined
  return { entries: Number(entries), lastEntry }
}

const isCount = (value: bigint): boolean => value >= 0n && value <= maxCount

/** No index lives to see so many journal records, so that counting on from what was read stays exact. */
const maxSequence = 2n ** 52n

/** No index holds more entries than a number can count. */
const maxCount = BigInt(Number.MAX_SAFE_INTEGER)
