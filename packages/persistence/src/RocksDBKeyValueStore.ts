/**
 * Effect's `KeyValueStore` in a RocksDB database.
 *
 * - What `set`, `remove`, `modify` and `clear` have acknowledged is on disk,
 *   unless the durability is "buffered". Those that run at once share a sync.
 * - `modify` is atomic: of any number at once, none is lost.
 * - `clear` and `clearPrefix` are one range delete, however much they remove.
 * - `size`, `keys` and `isEmpty` read keys alone, as they stand at one moment;
 *   `size` counts them.
 * - Every string is a key, also an empty one, or one with a lone surrogate. A
 *   value that was set as bytes is base64 for `get`, as in Effect's own stores.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { isUint8Array } from "node:util/types"
import { concat, type Kind, plain } from "./internal/keys.ts"
import * as KeySpace from "./internal/KeySpace.ts"
import { Shared } from "./internal/Shared.ts"
import * as Strings from "./internal/strings.ts"
import type { Body } from "./internal/Transactions.ts"

/** How to open a store. */
export interface Options extends KeySpace.Options {}

/** Opens a store in the current scope. */
export const make: (
  options?: Options | undefined
) => Effect.Effect<KeyValueStore.KeyValueStore, RocksDBError.RocksDBError, RocksDB.RocksDB | Scope.Scope> =
  Effect.fnUntraced(function* (options?: Options | undefined) {
    const { database, durability, prefix } = yield* KeySpace.settings(kind, options)
    const space = yield* spaces.get(database, prefix, KeySpace.open(kind, prefix, database))
    return service(space, durability)
  })

/** Provides `KeyValueStore` with a store in the database. */
export const layer = (
  options?: Options | undefined
): Layer.Layer<KeyValueStore.KeyValueStore, RocksDBError.RocksDBError, RocksDB.RocksDB> =>
  Layer.effect(KeyValueStore.KeyValueStore, make(options))

const kind: Kind = { name: "key-value-store", firstByte: 0x70, format: 1 }

const spaces = new Shared<KeySpace.KeySpace>()

/** The section of the values: key, value. */
const values = 2

const service = (space: KeySpace.KeySpace, durability: RocksDB.Durability | undefined): KeyValueStore.KeyValueStore => {
  const run = <A>(method: string, body: Body<A>) => space.run(method, body, { durability })
  const keyOf = (key: string) => space.keys.key(values, Strings.encode(key))
  const rangeOf = (prefix: string) => space.keys.range(values, Strings.encode(prefix))
  const allKeys = (method: string) => space.stream(method, rangeOf(""), { keysOnly: true })

  const read = <A>(method: string, key: string, decode: (record: Uint8Array) => A) =>
    keyed(method, key, () =>
      Effect.flatMap(space.get(method, keyOf(key)), (record) =>
        record === undefined ? Effect.undefined : KeySpace.orFail(() => decode(record))
      )
    )

  const modify = <A extends string | Uint8Array>(
    method: string,
    key: string,
    decode: (record: Uint8Array) => A,
    f: (value: A) => A
  ) =>
    keyed(method, key, () => {
      const at = keyOf(key)
      return run(method, (view) => {
        const record = view.get(at)
        if (record === undefined) return undefined
        const value = f(decode(record))
        const changed = encode(value)
        if (changed === undefined) throw new TypeError(`${method}: a value is a string or a Uint8Array`)
        view.put(at, changed)
        return value
      })
    })

  const text = (record: Uint8Array): string => textOf(space, record)
  const bytes = (record: Uint8Array): Uint8Array => bytesOf(space, record)

  const clear = (method: string, prefix: string) => run(method, (view) => view.removeRange(rangeOf(prefix)))

  return KeyValueStore.make({
    get: (key) => read("get", key, text),
    getUint8Array: (key) => read("getUint8Array", key, bytes),
    has: (key) =>
      Effect.map(
        read("has", key, () => true),
        (found) => found === true
      ),
    set: (key, value) =>
      keyed("set", key, () => {
        const at = keyOf(key)
        const record = encode(value)
        if (record === undefined) return Effect.fail(refused("set", "a value is a string or a Uint8Array", key))
        return run("set", (view) => view.put(at, record))
      }),
    remove: (key) =>
      keyed("remove", key, () => {
        const at = keyOf(key)
        return run("remove", (view) => view.remove(at))
      }),
    modify: (key, f) => modify("modify", key, text, f),
    modifyUint8Array: (key, f) => modify("modifyUint8Array", key, bytes, f),
    clear: attempt("clear", {}, () => clear("clear", "")),
    clearPrefix: (prefix) => keyed("clearPrefix", prefix, () => clear("clearPrefix", prefix)),
    size: attempt("size", {}, () => Stream.runCount(allKeys("size"))),
    keys: attempt("keys", {}, () =>
      Effect.map(Stream.runCollect(allKeys("keys")), (entries) =>
        entries.map(({ key }) => Strings.decode(space.keys.rest(key)))
      )
    ),
    isEmpty: attempt("isEmpty", {}, () =>
      Effect.map(space.first("isEmpty", rangeOf("")), (entry) => entry === undefined)
    )
  })
}

/** How a value was set: the first byte of its record. */
const asText = 0
const asBytes = 1
/** A text that UTF-8 cannot hold, for it has lone surrogates; in UTF-16. */
const asUnits = 2

/** The record of a value, if it is one; a copy, so that the caller may go on using the bytes. */
const encode = (value: string | Uint8Array): Uint8Array | undefined => {
  if (isUint8Array(value)) return concat([Uint8Array.of(asBytes), value])
  if (typeof value !== "string") return undefined
  return value.isWellFormed()
    ? concat([Uint8Array.of(asText), encoder.encode(value)])
    : concat([Uint8Array.of(asUnits), Buffer.from(value, "utf16le")])
}

const textOf = (space: KeySpace.KeySpace, record: Uint8Array): string => {
  const value = plain(record).subarray(1)
  switch (record[0]) {
    case asText:
      return Strings.utf8(value)
    case asBytes:
      return Base64.encode(value)
    case asUnits:
      return Buffer.from(value).toString("utf16le")
    default:
      throw KeySpace.unreadable(space, "A value")
  }
}

const bytesOf = (space: KeySpace.KeySpace, record: Uint8Array): Uint8Array =>
  record[0] === asUnits ? encoder.encode(textOf(space, record)) : readableBytes(space, record)

const readableBytes = (space: KeySpace.KeySpace, record: Uint8Array): Uint8Array => {
  if (record[0] !== asText && record[0] !== asBytes) throw KeySpace.unreadable(space, "A value")
  return plain(record).subarray(1)
}

const encoder = new TextEncoder()

/** Runs a method of a key, or of a prefix. */
const keyed = <A>(
  method: string,
  key: string,
  evaluate: () => Effect.Effect<A, RocksDBError.RocksDBError | KeyValueStore.KeyValueStoreError>
): Effect.Effect<A, KeyValueStore.KeyValueStoreError> =>
  typeof key === "string"
    ? attempt(method, { key }, evaluate)
    : Effect.fail(refused(method, "a key is a string", String(key)))

/** Runs a method, and tells its failure as Effect's own stores do. */
const attempt = <A>(
  method: string,
  about: { readonly key?: string },
  evaluate: () => Effect.Effect<A, RocksDBError.RocksDBError | KeyValueStore.KeyValueStoreError>
): Effect.Effect<A, KeyValueStore.KeyValueStoreError> =>
  Effect.mapError(Effect.suspend(evaluate), (cause) =>
    cause._tag === "KeyValueStoreError"
      ? cause
      : new KeyValueStore.KeyValueStoreError({ method, message: cause.message, cause, ...about })
  )

const refused = (method: string, problem: string, key: string): KeyValueStore.KeyValueStoreError =>
  new KeyValueStore.KeyValueStoreError({ method, key, message: `${method}: ${problem}` })
