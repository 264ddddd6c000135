/**
 * Keys and values that a reader of a test can read.
 */
import type { RocksDB } from "@effect-bookie/rocksdb"

/** The bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The text of a value, or `undefined` where there is none. */
export const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value)

/** An entry as `key=value`. */
export const pair = ({ key, value }: RocksDB.Entry): string => `${text(key)}=${text(value)}`

/** The put of an entry written as `key=value`. */
export const put = (entry: string): RocksDB.Operation => {
  const [key = "", value = ""] = entry.split("=")
  return { type: "put", key: bytes(key), value: bytes(value) }
}

/** Removes the keys from the first up to, and without, the second. */
export const removeRange = (gte: string, lt: string): RocksDB.Operation => ({
  type: "removeRange",
  gte: bytes(gte),
  lt: bytes(lt)
})
