/**
 * The default engine, whose calls can be refused, held back, or lose operations:
 * what a database does to those who keep an index or a queue in it.
 */
import { Effect, Latch, Layer } from "effect"
import { Engine, NativeEngine, type RocksDBError } from "@effect-bookie/rocksdb"
import { withFullDisk } from "@effect-bookie/rocksdb/EngineSupport"

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
      withFullDisk({
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
