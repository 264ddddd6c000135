/**
 * What the compiler refuses, beside what it takes: `npm run check` compiles
 * this file, and nothing runs it. An `@ts-expect-error` that stands alone could
 * hold for any reason; so the line before each differs from it only in what is
 * to be refused.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { type Engine, NativeEngine, PropertyGauge, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import type * as Public from "@effect-bookie/rocksdb/RocksDB"
// @ts-expect-error: what is internal is closed to other packages.
import type * as Internal from "@effect-bookie/rocksdb/internal/acquire"

export type Modules = [typeof Public, typeof Internal]

type Database = RocksDB.Service

/** `true` if both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

const bytes = new Uint8Array(1)
const database = RocksDB.layer({ path: "database" })

/** A gauge cannot outlive its database, nor be without one. */
export const gauges = () => {
  const gauge: Layer.Layer<never, never, RocksDB.RocksDB> = PropertyGauge.layer("rocksdb.estimate-num-keys")
  Effect.runFork(Layer.launch(Layer.provide(gauge, database)))
  // @ts-expect-error: the gauge has no database.
  Effect.runFork(Layer.launch(gauge))

  Effect.runFork(Layer.launch(Layer.provide(PropertyGauge.layerAll, database)))
  // @ts-expect-error: the gauges have no database.
  Effect.runFork(Layer.launch(PropertyGauge.layerAll))

  Effect.runFork(Layer.launch(Layer.provideMerge(gauge, database)))
  // @ts-expect-error: a database beside the gauge is not the gauge's database.
  Effect.runFork(Layer.launch(Layer.merge(gauge, database)))

  Effect.runFork(Effect.scoped(Effect.provide(PropertyGauge.make("rocksdb.stats"), database)))
  // @ts-expect-error: nothing says when the gauge ends.
  Effect.runFork(Effect.provide(PropertyGauge.make("rocksdb.stats"), database))
}

/** A database is open for a scope, and an engine opens it. */
export const opening = () => {
  const make: Effect.Effect<Database, RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> = RocksDB.make({
    path: "database"
  })
  Effect.runFork(Effect.scoped(Effect.provide(make, NativeEngine.layer)))
  // @ts-expect-error: nothing says when the database closes.
  Effect.runFork(Effect.provide(make, NativeEngine.layer))
  // @ts-expect-error: nothing opens it.
  Effect.runFork(Effect.scoped(make))

  const withoutEngine: Layer.Layer<RocksDB.RocksDB, RocksDBError.RocksDBError, Engine.Engine> =
    RocksDB.layerWithoutEngine({ path: "database" })
  Effect.runFork(Layer.launch(Layer.provide(withoutEngine, NativeEngine.layer)))
  // @ts-expect-error: nothing opens it.
  Effect.runFork(Layer.launch(withoutEngine))

  const engine: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError> = NativeEngine.layer
  // @ts-expect-error: its binding may not load.
  const loaded: Layer.Layer<Engine.Engine> = NativeEngine.layer

  // @ts-expect-error: an open can fail.
  const safe: Layer.Layer<RocksDB.RocksDB> = database
  const honest: Layer.Layer<RocksDB.RocksDB, RocksDBError.RocksDBError> = database

  RocksDB.layer({ path: "database", durability: "buffered" })
  // @ts-expect-error: there is no such durability.
  RocksDB.layer({ path: "database", durability: "always" })
  // @ts-expect-error: there is no such option.
  RocksDB.layer({ path: "database", create: true })
  // @ts-expect-error: the path is missing.
  RocksDB.layer({ durability: "buffered" })
  RocksDB.layerTemp({ durability: "buffered" })
  // @ts-expect-error: a temporary database has a path of its own.
  RocksDB.layerTemp({ path: "database" })
  return [engine, loaded, safe, honest]
}

/** There is no close, and the handle cannot be reached. */
export const service = (database: Database) => {
  const members: Same<
    keyof Database,
    | "path"
    | "isClosed"
    | "get"
    | "getMany"
    | "first"
    | "last"
    | "stream"
    | "put"
    | "remove"
    | "write"
    | "property"
    | "compact"
    | "syncWal"
  > = true
  const syncWal = database.syncWal
  // @ts-expect-error: the scope closes it.
  const close = database.close
  const path: string = database.path
  // @ts-expect-error: the handle stays inside.
  const native = database.native
  // @ts-expect-error: the path is not to be changed.
  database.path = "elsewhere"
  return [members, syncWal, close, path, native]
}

/** Keys and values are bytes, and every operation can fail. */
export const operations = (database: Database) => {
  const get: Effect.Effect<Uint8Array | undefined, RocksDBError.RocksDBError> = database.get(bytes)
  // @ts-expect-error: the value may be absent.
  const present: Effect.Effect<Uint8Array, RocksDBError.RocksDBError> = database.get(bytes)
  // @ts-expect-error: a read can fail.
  const safe: Effect.Effect<Uint8Array | undefined> = database.get(bytes)
  const put: Effect.Effect<void, RocksDBError.RocksDBError> = database.put(bytes, bytes)
  // @ts-expect-error: a key is not text.
  database.put("key", bytes)
  // @ts-expect-error: a value is not undefined.
  database.put(bytes, undefined)
  database.put(bytes, bytes, { durability: "sync" })
  // @ts-expect-error: there is no such durability.
  database.put(bytes, bytes, { durability: true })
  database.write([{ type: "remove", key: bytes }])
  // @ts-expect-error: a put has a value.
  database.write([{ type: "put", key: bytes }])
  const stream: Stream.Stream<RocksDB.Entry, RocksDBError.RocksDBError> = database.stream({ gt: bytes, lte: bytes })
  // @ts-expect-error: there is no such bound.
  database.stream({ from: bytes })
  return [get, present, safe, put, stream]
}

/** Reasons are matched by their tags. */
export const reasons = (self: Effect.Effect<void, RocksDBError.RocksDBError>) => {
  const locked = Effect.catchReason(self, "RocksDBError", "Locked", () => Effect.void)
  // @ts-expect-error: there is no such reason.
  const missing = Effect.catchReason(self, "RocksDBError", "Tired", () => Effect.void)
  return [locked, missing]
}
