/**
 * What the tests of this package share: short ways to write entries and to open
 * an index, and real processes.
 */
import { Effect, Layer, Stream, type Scope } from "effect"
import { type Engine, NativeEngine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Path from "node:path"
import { type Program, startCommand } from "@effect-bookie/testing/process"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "../src/index.ts"

export { FailingEngine, isCheckpoint, isCommit } from "@effect-bookie/testing/FailingEngine"
export { until } from "@effect-bookie/testing/until"
export { contents, find, temporaryDirectory } from "@effect-bookie/testing/directory"
export { reasonOf, tagOf } from "@effect-bookie/testing/failure"

export type Index = EntryLocationIndex.EntryLocationIndex["Service"]

/** The largest id. */
export const maxId = 2n ** 63n - 1n

/** The id of an entry. */
export const id = (ledgerId: bigint, entryId: bigint): EntryLocationIndex.EntryLocationId => ({
  ledgerId: LedgerId.make(ledgerId),
  entryId: EntryId.make(entryId)
})

/** An entry and its location. */
export const entry = (ledgerId: bigint, entryId: bigint, location: bigint): EntryLocationIndex.EntryLocation => ({
  ...id(ledgerId, entryId),
  location: Location.make(location)
})

/** The entries of a ledger from one to another, without the other. */
export const range = (
  ledgerId: bigint,
  from: number,
  to: number,
  locationOf: (entryId: bigint) => bigint = (entryId) => ledgerId * 1_000_000n + entryId
): Array<EntryLocationIndex.EntryLocation> =>
  Array.from({ length: to - from }, (_, at) => {
    const entryId = BigInt(from + at)
    return entry(ledgerId, entryId, locationOf(entryId))
  })

/** An index in a database, which is provided too. */
export const layer = (
  path: string,
  options?: EntryLocationIndex.Options | undefined,
  engine: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError> = NativeEngine.layer
) => Layer.provideMerge(EntryLocationIndex.layer(options), Layer.provide(RocksDB.layerWithoutEngine({ path }), engine))

/** Opens an index, uses it, and closes it. */
export const using = <A, E>(
  path: string,
  use: (index: Index) => Effect.Effect<A, E, Scope.Scope>,
  options?: EntryLocationIndex.Options | undefined
): Effect.Effect<A, E | RocksDBError.RocksDBError> =>
  EntryLocationIndex.EntryLocationIndex.use((index) => Effect.scoped(use(index))).pipe(
    Effect.provide(layer(path, options))
  )

/** Uses the database under an index. */
export const raw = <A, E>(path: string, use: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<A, E>) =>
  RocksDB.RocksDB.use(use).pipe(Effect.provide(RocksDB.layer({ path })))

/** Everything that an index holds, from its scans. */
export const everything = (
  index: Index
): Effect.Effect<ReadonlyArray<EntryLocationIndex.EntryLocation>, RocksDBError.RocksDBError> =>
  Stream.runCollect(Stream.flatMap(index.ledgers, (ledgerId) => index.entries(ledgerId)))

/** Starts a program of programs/; one that still runs when the scope closes is killed. */
export const start = (name: string, ...args: ReadonlyArray<string>): Effect.Effect<Program, never, Scope.Scope> =>
  startCommand(
    process.execPath,
    [Path.join(import.meta.dirname, "programs", `${name}.ts`), ...args],
    import.meta.dirname
  )
