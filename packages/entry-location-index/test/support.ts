/**
 * What the tests of this package share: short ways to write entries and to open
 * an index, an engine whose writes can be refused, and real processes.
 */
import { Effect, Latch, Layer, Stream, type Scope } from "effect"
import { TestClock } from "effect/testing"
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

/** Waits, by the real clock, until something holds. */
export const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!condition()) yield* Effect.sleep("2 millis")
  }).pipe(TestClock.withLive)

/** Uses the database under an index. */
export const raw = <A, E>(path: string, use: (database: RocksDB.RocksDB["Service"]) => Effect.Effect<A, E>) =>
  RocksDB.RocksDB.use(use).pipe(Effect.provide(RocksDB.layer({ path })))

/** Everything that an index holds, from its scans. */
export const everything = (
  index: Index
): Effect.Effect<ReadonlyArray<EntryLocationIndex.EntryLocation>, RocksDBError.RocksDBError> =>
  Stream.runCollect(Stream.flatMap(index.ledgers, (ledgerId) => index.entries(ledgerId)))

/** How writes are refused. */
export interface RefuseOptions {
  /** How many writes are let through before. Default: none. */
  readonly skip?: number
  /** Ends before each of them fails. */
  readonly before?: Effect.Effect<void>
  /** Which writes are meant. Default: all. */
  readonly isMeant?: IsMeant
  /** Which of them are done all the same. Default: none. */
  readonly isDone?: IsMeant
}

/** Tells writes by what they are to do. */
export type IsMeant = (operations: ReadonlyArray<Engine.Operation>) => boolean

/** Writes of a checkpoint: to pages, to the records of ledgers, and the one at the end, which moves the metadata alone. */
export const isCheckpoint: IsMeant = (operations) => !isCommit(operations)

/** Writes of a commit, which put records into the journal, or drop those that a failed one has left. */
export const isCommit: IsMeant = (operations) => {
  const last = operations.at(-1)
  return last?.type === "put"
    ? last.key[0] === 3
    : last?.type === "removeRange" && operations.length === 1 && last.gte[0] === 3
}

interface Refusal extends Required<RefuseOptions> {
  skip: number
  times: number
  readonly message: string
}

/** An engine whose writes can be refused, or lose operations. */
export class FailingEngine {
  #isLost: (operation: Engine.Operation) => boolean = () => false
  #refusal: Refusal | undefined
  #held: { readonly isMeant: IsMeant; readonly latch: Latch.Latch } | undefined
  #heldReads: Latch.Latch | undefined
  #refusedReads: { times: number; readonly message: string } | undefined
  #refusedCompactions: { times: number; readonly message: string } | undefined
  /** How many writes and reads have been held back. */
  held = 0
  writes: Array<ReadonlyArray<Engine.Operation>> = []
  /** How many times a database was opened. */
  opens = 0
  /** How many compactions were asked for. */
  compactions = 0
  /** Is called when the write of a commit has been done. */
  onCommit: () => void = () => {}
  /** What reads of keys answer instead of the values. */
  garble: ((keys: ReadonlyArray<Uint8Array>) => ReadonlyArray<Uint8Array | undefined> | undefined) | undefined
  readonly #onWrite: (sync: boolean) => void

  constructor(onWrite: (sync: boolean) => void = () => {}) {
    this.#onWrite = onWrite
  }

  /** Lets so many writes fail. */
  refuse(times: number, message: string, options: RefuseOptions = {}): void {
    this.#refusal = {
      skip: 0,
      before: Effect.void,
      isMeant: () => true,
      isDone: () => false,
      ...options,
      times,
      message
    }
  }

  /** Lets no write fail any more. */
  accept(): void {
    this.#refusal = undefined
  }

  /** How many writes are still to fail. */
  get left(): number {
    return this.#refusal?.times ?? 0
  }

  /** Holds writes back, before they are done, until the function that it returns is called. */
  hold(isMeant: IsMeant): () => void {
    const latch = Latch.makeUnsafe()
    this.#held = { isMeant, latch }
    return () => {
      this.#held = undefined
      latch.openUnsafe()
    }
  }

  /** Holds the reads of cursors back, before they are done, until the function that it returns is called. */
  holdReads(): () => void {
    const latch = Latch.makeUnsafe()
    this.#heldReads = latch
    return () => {
      this.#heldReads = undefined
      latch.openUnsafe()
    }
  }

  /** Lets so many reads fail, of keys and of cursors. */
  refuseReads(times: number, message: string): void {
    this.#refusedReads = { times, message }
  }

  /** Lets so many compactions fail. */
  refuseCompactions(times: number, message: string): void {
    this.#refusedCompactions = { times, message }
  }

  /** Lets operations of every write get lost. */
  lose(isLost: (operation: Engine.Operation) => boolean): void {
    this.#isLost = isLost
  }

  readonly layer: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError> = Layer.effect(
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

  /** The refusal that a write meets. */
  #refuses(operations: ReadonlyArray<Engine.Operation>): Refusal | undefined {
    const refusal = this.#refusal
    if (refusal === undefined || refusal.times === 0 || !refusal.isMeant(operations)) return undefined
    if (refusal.skip > 0) {
      refusal.skip -= 1
      return undefined
    }
    refusal.times -= 1
    return refusal
  }

  #wrap(database: Engine.Database): Engine.Database {
    return {
      getMany: async (keys) => {
        failOnce(this.#refusedReads)
        return this.garble?.(keys) ?? database.getMany(keys)
      },
      write: async (operations, sync) => {
        if (this.#held?.isMeant(operations) === true) {
          this.held += 1
          await Effect.runPromise(this.#held.latch.await)
        }
        const refusal = this.#refuses(operations)
        if (refusal !== undefined) {
          await Effect.runPromise(refusal.before)
          if (refusal.isDone(operations)) await database.write(operations, sync)
          throw new Error(refusal.message)
        }
        this.writes.push(operations)
        this.#onWrite(sync)
        await database.write(
          operations.filter((operation) => !this.#isLost(operation)),
          sync
        )
        if (isCommit(operations)) this.onCommit()
      },
      cursor: (options) => {
        // A native cursor has its snapshot from the beginning, so one that is held back is made later.
        let cursor = this.#heldReads === undefined ? database.cursor(options) : undefined
        return {
          next: async () => {
            failOnce(this.#refusedReads)
            if (cursor === undefined && this.#heldReads !== undefined) {
              this.held += 1
              await Effect.runPromise(this.#heldReads.await)
            }
            cursor ??= database.cursor(options)
            return cursor.next()
          },
          end: async () => cursor?.end()
        }
      },
      property: database.property,
      compact: async (interval) => {
        this.compactions += 1
        failOnce(this.#refusedCompactions)
        await database.compact(interval)
      },
      syncWal: database.syncWal,
      isRecovering: database.isRecovering,
      close: database.close
    }
  }
}

const failOnce = (refusal: { times: number; readonly message: string } | undefined): void => {
  if (refusal === undefined || refusal.times === 0) return
  refusal.times -= 1
  throw new Error(refusal.message)
}

/** Starts a program of programs/; one that still runs when the scope closes is killed. */
export const start = (name: string, ...args: ReadonlyArray<string>): Effect.Effect<Program, never, Scope.Scope> =>
  startCommand(
    process.execPath,
    [Path.join(import.meta.dirname, "programs", `${name}.ts`), ...args],
    import.meta.dirname
  )
