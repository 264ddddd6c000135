/**
 * Refuses, before the binding sees them, the arguments that it would crash on
 * or silently accept. Each check answers what is wrong, or `undefined`.
 *
 * The limits are RocksDB's own: a key holds at most 8 MiB, a value 3 GiB
 * (facebook/rocksdb wiki, "Basic Operations").
 */
import { isUint8Array } from "node:util/types"
import type { Operation } from "../Engine.ts"
import type { Range, WriteOptions } from "../RocksDB.ts"

/** The longest key, in bytes. */
export const maxKeyLength: number = 8 * 1024 * 1024

/** The longest value, in bytes. */
export const maxValueLength: number = 3 * 1024 * 1024 * 1024

/** What is wrong with a key. */
export const checkKey = (key: unknown, what = "key"): string | undefined => {
  if (!isUint8Array(key)) return `the ${what} must be a Uint8Array, not ${describe(key)}`
  if (key.length === 0) return `the ${what} must not be empty`
  if (key.length > maxKeyLength) return `the ${what} has ${key.length} bytes; at most ${maxKeyLength} are allowed`
  return undefined
}

/** What is wrong with the keys of a `getMany`. */
export const checkKeys = (keys: ReadonlyArray<unknown>): string | undefined => {
  if (!Array.isArray(keys)) return `the keys must be an array, not ${describe(keys)}`
  for (const key of keys) {
    const problem = checkKey(key)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** What is wrong with the operations of a batch. */
export const checkOperations = (operations: ReadonlyArray<Operation>): string | undefined => {
  if (!Array.isArray(operations)) return `the operations must be an array, not ${describe(operations)}`
  for (const operation of operations) {
    const problem = checkOperation(operation)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** What is wrong with the options of a write. */
export const checkWriteOptions = (options: WriteOptions | undefined): string | undefined => {
  const durability = options?.durability
  if (durability === undefined || durability === "sync" || durability === "buffered") return undefined
  return `there is no durability ${describe(durability)}: it is "sync" or "buffered"`
}

/** What is wrong with the name of a property. */
export const checkProperty = (name: unknown): string | undefined =>
  typeof name === "string" ? undefined : `the name of a property must be a string, not ${describe(name)}`

/** What is wrong with the bounds of a range. */
export const checkRange = (range: Range | undefined): string | undefined => {
  for (const side of ["gt", "gte", "lt", "lte"] as const) {
    const key = range?.[side]
    if (key === undefined) continue
    const problem = checkKey(key, `bound ${side}`)
    if (problem !== undefined) return `${problem}; leave it out to leave that side open`
  }
  return undefined
}

const checkOperation = (operation: Operation): string | undefined => {
  switch (operation?.type) {
    case "put":
      return checkKey(operation.key) ?? checkValue(operation.value)
    case "remove":
      return checkKey(operation.key)
    case "removeRange":
      return checkKey(operation.gte, "bound gte") ?? checkKey(operation.lt, "bound lt")
    default:
      return `there is no such operation: ${describe(operation satisfies never)}`
  }
}

const checkValue = (value: unknown): string | undefined => {
  if (!isUint8Array(value)) return `the value must be a Uint8Array, not ${describe(value)}`
  if (value.length > maxValueLength) return `the value has ${value.length} bytes; at most ${maxValueLength} are allowed`
  return undefined
}

/** Such as `undefined`, `Array` or, of a text, the text. */
const describe = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value) : Object.prototype.toString.call(value).slice("[object ".length, -1)
