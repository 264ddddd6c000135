/**
 * A range of keys of one layer, in the format that this build knows.
 *
 * - Opening it writes the format version into a key space that is new, and
 *   refuses one with another version: nothing in it is read, changed or lost.
 * - All its writes go through its transactions. On release it refuses new ones,
 *   and those that are under way are waited for.
 */
import { Lifecycle } from "@effect-bookie/lifecycle"
import { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { checkOptions } from "./arguments.ts"
import { type KeyRange, Keys, type Kind, readUint, uint } from "./keys.ts"
import { Numbers } from "./Numbers.ts"
import { type Body, Transactions, type TransactionOptions } from "./Transactions.ts"

/** What every layer of this package can be told. */
export interface Options {
  /**
   * Keeps several layers of one kind in one database apart: each prefix is a store of its own, and no prefix is in
   * the way of another. Default: none.
   */
  readonly prefix?: string | undefined
  /** When a write is acknowledged: see `RocksDB`. By default the durability of the database. */
  readonly durability?: RocksDB.Durability | undefined
}

/** What a layer was told, and the database. */
export interface Settings {
  readonly database: RocksDB.RocksDB["Service"]
  readonly prefix: string
  readonly durability: RocksDB.Durability | undefined
}

/** An open key space. */
export interface KeySpace {
  readonly path: string
  readonly name: string
  readonly keys: Keys
  readonly numbers: Numbers
  readonly transactions: Transactions
  /** Reads what is written, and nothing that is still under way. */
  readonly get: (operation: string, key: Uint8Array) => Effect.Effect<Uint8Array | undefined, RocksDBError.RocksDBError>
  readonly getMany: (
    operation: string,
    keys: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, RocksDBError.RocksDBError>
  readonly first: (
    operation: string,
    range: RocksDB.Range
  ) => Effect.Effect<RocksDB.Entry | undefined, RocksDBError.RocksDBError>
  readonly stream: (
    operation: string,
    range: RocksDB.Range,
    options?: RocksDB.StreamOptions
  ) => Stream.Stream<RocksDB.Entry, RocksDBError.RocksDBError>
  readonly run: <A>(
    operation: string,
    body: Body<A>,
    options?: TransactionOptions
  ) => Effect.Effect<A, RocksDBError.RocksDBError>
}

/** The database, and the options of a layer; refuses options that mean nothing, and what `problem` says is wrong. */
export const settings: (
  kind: Kind,
  options: Options | undefined,
  problem?: string | undefined
) => Effect.Effect<Settings, RocksDBError.RocksDBError, RocksDB.RocksDB> = Effect.fnUntraced(function* (
  kind: Kind,
  options: Options = {},
  problem?: string | undefined
) {
  const database = yield* RocksDB.RocksDB
  const wrong = checkOptions(options) ?? problem
  if (wrong !== undefined) {
    return yield* RocksDBError.invalidArgument(`${kind.name}: ${wrong}`, { operation: "open", path: database.path })
  }
  return { database, prefix: options.prefix ?? "", durability: options.durability }
})

/** Opens the key space of a kind and a prefix in the current scope. */
export const open: (
  kind: Kind,
  prefix: string,
  database: RocksDB.RocksDB["Service"]
) => Effect.Effect<KeySpace, RocksDBError.RocksDBError, Scope.Scope> = Effect.fnUntraced(function* (
  kind: Kind,
  prefix: string,
  database: RocksDB.RocksDB["Service"]
) {
  const name = prefix === "" ? kind.name : `${kind.name}:${prefix}`
  const keys = new Keys(kind, prefix)
  yield* checkFormat(database, keys, kind, name)
  const transactions = new Transactions(database)
  const numbers = new Numbers(keys.key(numberSection), yield* database.get(keys.key(numberSection)))
  transactions.onRollback(() => numbers.rollBack())
  yield* Lifecycle.scoped(name, Effect.void, transactions.close)
  const unlessClosed = <A, E>(operation: string, effect: Effect.Effect<A, E>) =>
    Effect.suspend((): Effect.Effect<A, E | RocksDBError.RocksDBError> =>
      transactions.isClosed ? Effect.fail(RocksDBError.closed({ operation, path: database.path })) : effect
    )
  return {
    path: database.path,
    name,
    keys,
    numbers,
    transactions,
    get: (operation, key) => unlessClosed(operation, database.get(key)),
    getMany: (operation, many) => unlessClosed(operation, database.getMany(many)),
    first: (operation, range) => unlessClosed(operation, database.first(range)),
    stream: (operation, range, options) =>
      Stream.unwrap(
        unlessClosed(
          operation,
          Effect.sync(() => database.stream(range, options))
        )
      ),
    run: (operation, body, options) => transactions.run(operation, body, options)
  }
})

/** The error about a record that this build cannot read. */
export const unreadable = (
  space: { readonly path: string; readonly name: string },
  what: string
): RocksDBError.RocksDBError =>
  unsupported(
    { operation: "read", path: space.path },
    `${what} of "${space.name}" is not in a format that this version of @effect-bookie/persistence can read. ` +
      `It is left as it is: read it with the version that wrote it.`
  )

/** What a function returns, or the `RocksDBError` that it throws. */
export const orFail = <A>(evaluate: () => A): Effect.Effect<A, RocksDBError.RocksDBError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(evaluate())
    } catch (cause) {
      return cause instanceof RocksDBError.RocksDBError ? Effect.fail(cause) : Effect.die(cause)
    }
  })

const formatSection = 0

const numberSection = 1

const checkFormat = Effect.fnUntraced(function* (
  database: RocksDB.RocksDB["Service"],
  keys: Keys,
  kind: Kind,
  name: string
) {
  const where = { operation: "open", path: database.path }
  const formatKey = keys.key(formatSection)
  const record = yield* database.get(formatKey)
  if (record === undefined) {
    const found = yield* database.first(keys.everything)
    if (found !== undefined) {
      return yield* unsupported(
        where,
        `the key space "${name}" in the database at ${database.path} has records, but does not say in which format. ` +
          `Keys that begin with the bytes 70 to 76 belong to @effect-bookie/persistence: move the others, or use ` +
          `another prefix.`
      )
    }
    return yield* database.write([{ type: "put", key: formatKey, value: uint(kind.format) }])
  }
  const format = record.length === 8 ? readUint(record) : NaN
  if (format === kind.format) return
  return yield* unsupported(
    where,
    `the key space "${name}" in the database at ${database.path} has the format version ${format}, and this version ` +
      `of @effect-bookie/persistence reads ${kind.format}. Nothing was changed: open it with the version that wrote it.`
  )
})

const unsupported = (where: RocksDBError.Where, message: string): RocksDBError.RocksDBError =>
  new RocksDBError.RocksDBError({ reason: new RocksDBError.UnsupportedFormat({ ...where, message }) })

/** The keys of a range that a step of background work takes at once. */
export const firstKeys = (
  space: KeySpace,
  operation: string,
  range: KeyRange | RocksDB.Range,
  limit: number
): Effect.Effect<ReadonlyArray<Uint8Array>, RocksDBError.RocksDBError> =>
  Stream.runCollect(space.stream(operation, range, { keysOnly: true, limit })).pipe(
    Effect.map((entries) => entries.map(({ key }) => key))
  )
