/**
 * Takes the arguments of an operation at the one moment when it runs: each is
 * read once, and refused if the binding would crash on it or silently accept it.
 *
 * Arrays, objects and the bounds of ranges are copied, so what the caller makes
 * of them afterwards changes nothing. Keys and values are not, which would make
 * large writes slower by a third: their bytes belong to the operation until it
 * has answered, and are looked at once more right before native code gets them.
 * Those in memory that can be resized are copied, too: a resize would take the
 * memory away from under native code.
 *
 * The limits are RocksDB's own: a key holds at most 8 MiB, a value 3 GiB
 * (facebook/rocksdb wiki, "Basic Operations").
 */
import * as Predicate from "effect/Predicate"
import { isUint8Array } from "node:util/types"
import type { CursorOptions, Operation } from "../Engine.ts"
import type { Durability, Range } from "../RocksDB.ts"
import * as RocksDBError from "../RocksDBError.ts"
import { describe } from "./describe.ts"
import { problemOf, Refusal } from "./refusal.ts"

/** The longest key, in bytes. */
export const maxKeyLength: number = 8 * 1024 * 1024

/** The longest value, in bytes. */
export const maxValueLength: number = 3 * 1024 * 1024 * 1024

/** Takes a key. */
export const key = (input: unknown, what = "key", advice = ""): Uint8Array => {
  const taken = bytes(input, what, maxKeyLength, advice)
  if (taken.length === 0) throw new Refusal(`the ${what} must not be empty${advice}`)
  return taken
}

/** Takes the keys of a `getMany`. */
export const keys = (input: unknown): ReadonlyArray<Uint8Array> => elements(input, "key", (element) => key(element))

/** Takes the operation of a `put`. */
export const put = (itsKey: unknown, value: unknown): Operation => ({
  type: "put",
  key: key(itsKey),
  value: bytes(value, "value", maxValueLength, "")
})

/** Takes the operation of a `remove`. */
export const remove = (itsKey: unknown): Operation => ({ type: "remove", key: key(itsKey) })

/** Takes the operations of a batch. */
export const operations = (input: unknown): ReadonlyArray<Operation> => elements(input, "operation", operation)

/** Takes the durability of a write out of its options. */
export const durability = (options: unknown, otherwise: Durability): Durability => {
  const { durability: chosen = otherwise } = record(options, "options")
  if (chosen === "sync" || chosen === "buffered") return chosen
  throw new Refusal(`there is no durability ${describe(chosen)}: it must be "sync" or "buffered"`)
}

/** Takes the name of a property. */
export const property = (name: unknown): string => {
  if (typeof name !== "string" || name.includes("\0")) {
    throw new Refusal(`the name of a property must be a string without a NUL character, not ${describe(name)}`)
  }
  if (Number(/(?<!\d)\d*$/.exec(name)?.[0]) <= maxLevel) return name
  throw new Refusal(`the level at the end of a property's name must be from 0 to 2^31-1, not as in ${describe(name)}`)
}

/** RocksDB makes an int of the level, and of more a negative one, for which it reads memory that is none of a level's. */
const maxLevel = 0x7fff_ffff

/** Takes the bounds of a range. */
export const range = (input: unknown): Range => {
  const { gt, gte, lt, lte } = record(input, "range")
  return {
    gt: optionalBound(gt, "gt"),
    gte: optionalBound(gte, "gte"),
    lt: optionalBound(lt, "lt"),
    lte: optionalBound(lte, "lte")
  }
}

/** Takes the options of a stream. */
export const streamOptions = (input: unknown): Pick<CursorOptions, "keysOnly" | "limit" | "reverse"> => {
  const { keysOnly = false, limit = Infinity, reverse = false } = record(input, "options")
  if (typeof limit !== "number" || !(limit === Infinity || (Number.isSafeInteger(limit) && limit >= 0))) {
    throw new Refusal(`the limit must be a whole number of entries, or Infinity, not ${describe(limit)}`)
  }
  return { keysOnly: flag(keysOnly, "keysOnly"), limit, reverse: flag(reverse, "reverse") }
}

/** Takes an object of options or of bounds; an absent one is an empty one. */
export const record = (input: unknown, what: string): { readonly [name: string]: unknown } => {
  if (input === undefined) return {}
  if (Predicate.isObject(input) && !ArrayBuffer.isView(input)) return input
  throw new Refusal(`the ${what} must be an object, or left out, not ${describe(input)}`)
}

/** Takes an option that is true or false. */
export const flag = (input: unknown, what: string): boolean => {
  if (typeof input === "boolean") return input
  throw new Refusal(`${what} must be true or false, not ${describe(input)}`)
}

/** Throws `InvalidArgument` unless the bytes of keys that were taken are still there. For engines, right before a read. */
export const checkKeys = (keys: ReadonlyArray<Uint8Array>, path: string): void => {
  if (keys.some(hasLeft)) throw RocksDBError.invalidArgument(tooEarly, { operation: "getMany", path })
}

/**
 * Throws `InvalidArgument` unless the bytes of operations that were taken are still there. For engines, right before a
 * write: what is gone would be written as empty, and acknowledged.
 */
export const checkOperations = (operations: ReadonlyArray<Operation>, path: string): void => {
  if (operations.some(hasLost)) throw RocksDBError.invalidArgument(tooEarly, { operation: "write", path })
}

const tooEarly =
  "the memory of a key or a value was transferred, or resized away, while the operation waited: " +
  "it must stay as it is until the operation has answered"

const hasLost = (operation: Operation): boolean =>
  operation.type !== "removeRange" &&
  (hasLeft(operation.key) || (operation.type === "put" && operation.value.length === 0 && isGone(operation.value)))

/** No key is empty when it is taken. */
const hasLeft = (key: Uint8Array): boolean => key.length === 0

const operation = (input: unknown): Operation => {
  if (!Predicate.isObject(input)) throw new Refusal(`it must be an object, not ${describe(input)}`)
  const { type } = input
  switch (type) {
    case "put":
      return put(input.key, input.value)
    case "remove":
      return remove(input.key)
    case "removeRange":
      return { type, gte: bound(input.gte, "gte"), lt: bound(input.lt, "lt") }
    default:
      throw new Refusal(`its type must be "put", "remove" or "removeRange", not ${describe(type)}`)
  }
}

/** A copy: a range that turned upside down before native code has it would fail every later write. */
const bound = (input: unknown, side: string, advice?: string): Uint8Array =>
  new Uint8Array(key(input, `bound ${side}`, advice))

const optionalBound = (input: unknown, side: string): Uint8Array | undefined =>
  input === undefined ? undefined : bound(input, side, "; leave it out to leave that side open")

const bytes = (input: unknown, what: string, longest: number, advice: string): Uint8Array => {
  if (!isUint8Array(input)) throw new Refusal(`the ${what} must be a Uint8Array, not ${describeOther(input)}${advice}`)
  const length = input.length
  if (length === 0 && isGone(input)) {
    throw new Refusal(`the ${what} must be bytes that are there: their memory was transferred, or resized away`)
  }
  if (length > longest) throw new Refusal(`the ${what} has ${length} bytes; at most ${longest} are allowed${advice}`)
  return isResizable(input.buffer) ? new Uint8Array(input) : input
}

/** Whether memory may be taken away while native code reads it, which would end the process. */
const isResizable = (buffer: { readonly byteLength: number; readonly resizable?: boolean }): boolean =>
  buffer.resizable === true

/** Takes the elements of an array; a refusal says which one. */
const elements = <A>(input: unknown, what: string, takeOne: (element: unknown) => A): ReadonlyArray<A> => {
  if (!Array.isArray(input)) throw new Refusal(`the ${what}s must be an array, not ${describe(input)}`)
  const taken: Array<A> = []
  try {
    while (taken.length < input.length) taken.push(takeOne(input[taken.length]))
  } catch (cause) {
    throw new Refusal(`${what} ${taken.length}: ${problemOf(cause)}`)
  }
  return taken
}

/** Of a view of no bytes, whether it once had some: only memory that is there can be iterated. */
const isGone = (view: Uint8Array): boolean => {
  try {
    Uint8Array.prototype.keys.call(view)
    return false
  } catch {
    return true
  }
}

const describeOther = (input: unknown): string => {
  const name = describe(input)
  return name === "Uint8Array" ? "an object that only calls itself one" : name
}
