/**
 * What the tests of this package share: short ways to write entries and to open
 * an index, an engine whose writes can be refused, and real processes.
 */
import { Effect, Layer, Stream, type Scope } from "effect"
import { Engine, NativeEngine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Path from "node:path"
import { type Program, startCommand } from "../../entry-log/test/program.ts"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "../src/index.ts"

export { contents, find, temporaryDirectory } from "../../rocksdb/test/support/directory.ts"
export { reasonOf, tagOf } from "../../rocksdb/test/support/failure.ts"

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
  engine: Layer.Layer<Engine.Engine> = NativeEngine.layer
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

/** Everything that an index holds, from its scans. */
export const everything = (
  index: Index
): Effect.Effect<ReadonlyArray<EntryLocationIndex.EntryLocation>, RocksDBError.RocksDBError> =>
  Stream.runCollect(Stream.flatMap(index.ledgers, (ledgerId) => index.entries(ledgerId)))

/** An engine whose writes can be refused, or lose operations. */
export class FailingEngine {
  #isLost: (operation: Engine.Operation) => boolean = () => false
  #refused = 0
  #message = ""
  #before: Effect.Effect<void> = Effect.void
  writes: Array<ReadonlyArray<Engine.Operation>> = []
  /** How many times a database was opened. */
  opens = 0
  readonly #onWrite: (sync: boolean) => void

  constructor(onWrite: (sync: boolean) => void = () => {}) {
    this.#onWrite = onWrite
  }

  /** Lets the next writes fail without being done, once an effect has ended. */
  refuse(times: number, message: string, before: Effect.Effect<void> = Effect.void): void {
    this.#refused = times
    this.#message = message
    this.#before = before
  }

  /** Lets operations of every write get lost. */
  lose(isLost: (operation: Engine.Operation) => boolean): void {
    this.#isLost = isLost
  }

  readonly layer: Layer.Layer<Engine.Engine> = Layer.effect(
    Engine.Engine,
    Effect.map(Engine.Engine, (engine) =>
      Engine.Engine.of({
        name: engine.name,
        open: (options) =>
          Effect.map(engine.open(options), (database) => {
            this.opens += 1
            return this.#wrap(database)
          })
      })
    )
  ).pipe(Layer.provide(NativeEngine.layer))

  #wrap(database: Engine.Database): Engine.Database {
    return {
      getMany: database.getMany,
      write: async (operations, sync) => {
        if (this.#refused > 0) {
          this.#refused -= 1
          await Effect.runPromise(this.#before)
          throw new Error(this.#message)
        }
        this.writes.push(operations)
        this.#onWrite(sync)
        await database.write(
          operations.filter((operation) => !this.#isLost(operation)),
          sync
        )
      },
      cursor: database.cursor,
      property: database.property,
      compact: database.compact,
      syncWal: database.syncWal,
      close: database.close
    }
  }
}

/** Starts a program of programs/; one that still runs when the scope closes is killed. */
export const start = (name: string, ...args: ReadonlyArray<string>): Effect.Effect<Program, never, Scope.Scope> =>
  startCommand(
    process.execPath,
    [Path.join(import.meta.dirname, "programs", `${name}.ts`), ...args],
    import.meta.dirname
  )
