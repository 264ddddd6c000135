/**
 * The one writer of a key space: transactions that are atomic, that see each
 * other at once, and that share writes and syncs (group commit).
 *
 * - A transaction is a function of a `View`. It runs from its beginning to its
 *   end without a pause, so it needs no lock. One that asks for a value that is
 *   not in memory is ended there, and runs again from its beginning once that
 *   has been read; so it must do nothing but read before it has read everything.
 * - What it writes is seen by the next one at once. Everything that is written
 *   while a batch is under way becomes the next batch, and has one sync.
 * - It is acknowledged when what it has written, and whatever it has seen of
 *   others, is on disk.
 * - If a batch fails, so do those that came after it, which may have seen it:
 *   nothing of any of them is there, and `onRollback` is told.
 * - A caller that is interrupted leaves; its transaction goes on.
 */
import { type RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import { Draft, isWithin, Missing, nameOf, type NameRange, notLoaded, Refused, type Source } from "./Draft.ts"
import type { View } from "./Draft.ts"

export type { View } from "./Draft.ts"

/** What a transaction does. It fails with the `RocksDBError` that it throws. */
export interface Body<A> {
  (view: View): A
}

/** How a transaction is done. */
export interface TransactionOptions {
  /** By default the durability of the database. */
  readonly durability?: RocksDB.Durability | undefined
  /** Collects the writes here, under what it already holds, and makes none. */
  readonly into?: Draft | undefined
}

/** The writer of one key space. */
export class Transactions implements Source {
  readonly #database: RocksDB.RocksDB["Service"]
  /** Writes of batches that are not done, and of those that became so while a read was under way. */
  readonly #staged = new Map<string, Staged>()
  #ranges: Array<StagedRange> = []
  /** Batches in the order of their writes; the last one is being filled. */
  #batches: Array<Batch> = []
  #done: Array<Batch> = []
  #bytes = 0
  #isCommitting = false
  #waiting: Array<Request> = []
  #isLoading = false
  /** What has been read for the requests that are run now. */
  #loaded: ReadonlyMap<string, Uint8Array | undefined> = new Map()
  /** Counts what makes values wrong that are being read: batches that failed. */
  #rollbacks = 0
  /** The newest batch that the request that is run now has seen something of. */
  #seen: Batch | undefined
  #isRunning = false
  #isClosed = false
  readonly #room = Latch.makeUnsafe(true)
  readonly #idle = Latch.makeUnsafe(true)
  readonly #listeners: Array<() => void> = []

  constructor(database: RocksDB.RocksDB["Service"]) {
    this.#database = database
  }

  /** Is called when writes that transactions have seen turn out not to be there. */
  onRollback(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Runs a transaction, and ends once it is on disk. */
  run<A>(operation: string, body: Body<A>, options?: TransactionOptions): Effect.Effect<A, RocksDBError.RocksDBError> {
    return Effect.suspend(() => {
      if (this.#isClosed) return Effect.fail(this.#closed(operation))
      if (this.#bytes > maxBytes) {
        return Effect.flatMap(this.#room.await, () => this.run(operation, body, options))
      }
      let outcome: Attempt<A> | undefined
      const keys = new Map<string, Uint8Array>()
      const attempt = () => (outcome = this.#attempt(operation, body, keys, options))
      if (!this.#isRunning && attempt() !== undefined) return acknowledged(outcome)
      const ready = Latch.makeUnsafe()
      this.#load({
        keys,
        attempt: () => {
          if (attempt() === undefined) return false
          ready.openUnsafe()
          return true
        },
        fail: (cause) => {
          outcome = Exit.failCause(cause)
          ready.openUnsafe()
        }
      })
      return Effect.flatMap(ready.await, () => acknowledged(outcome))
    })
  }

  /** Ends when every transaction that was run before is on disk, or has failed. */
  get settled(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const last = this.#batches.at(-1)
      return last === undefined ? Effect.void : Effect.exit(Deferred.await(last.done))
    }).pipe(Effect.asVoid)
  }

  /** Refuses new transactions, and waits for those that are under way. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isClosed = true
      return this.#idle.await
    })
  }

  get isClosed(): boolean {
    return this.#isClosed || this.#database.isClosed()
  }

  find = (name: string): Uint8Array | undefined | typeof notLoaded => {
    const staged = this.#staged.get(name)
    if (staged !== undefined) {
      this.#see(staged.batch)
      return staged.value
    }
    for (const range of this.#ranges) {
      if (!isWithin(name, range)) continue
      this.#see(range.batch)
      return undefined
    }
    return this.#loaded.has(name) ? this.#loaded.get(name) : notLoaded
  }

  collect = (range: NameRange, names: Set<string>): void => {
    for (const name of this.#staged.keys()) if (isWithin(name, range)) names.add(name)
  }

  #closed(operation: string): RocksDBError.RocksDBError {
    return RocksDBError.closed({ operation, path: this.#database.path })
  }

  #see(batch: Batch): void {
    if (!batch.isDone && (this.#seen === undefined || batch.number > this.#seen.number)) this.#seen = batch
  }

  /** Runs a transaction; `undefined` if it needs values that are not in memory, whose keys it adds. */
  #attempt<A>(
    operation: string,
    body: Body<A>,
    keys: Map<string, Uint8Array>,
    options: TransactionOptions | undefined
  ): Attempt<A> | undefined {
    const into = options?.into
    const draft = new Draft(into ?? this, into !== undefined)
    this.#seen = undefined
    this.#isRunning = true
    try {
      const value = body(draft)
      if (into !== undefined) into.append(draft)
      else if (draft.operations.length > 0) this.#seen = this.#stage(draft, options?.durability)
      return Exit.succeed({ value, batch: this.#seen })
    } catch (cause) {
      if (cause instanceof Missing) {
        for (const key of cause.keys) keys.set(nameOf(key), key)
        return undefined
      }
      if (cause instanceof RocksDBError.RocksDBError) return Exit.fail(cause)
      if (!(cause instanceof Refused)) return Exit.die(cause)
      return Exit.fail(RocksDBError.invalidArgument(cause.problem, { operation, path: this.#database.path }))
    } finally {
      this.#isRunning = false
    }
  }

  // ---- reading what transactions ask for

  #load(request: Request): void {
    this.#waiting.push(request)
    if (this.#isLoading) return
    this.#isLoading = true
    this.#idle.closeUnsafe()
    Effect.runFork(Effect.andThen(Effect.yieldNow, this.#loads))
  }

  readonly #loads: Effect.Effect<void> = Effect.suspend(() => {
    const requests = this.#waiting
    this.#waiting = []
    const keys = new Map<string, Uint8Array>()
    for (const request of requests) for (const [name, key] of request.keys) keys.set(name, key)
    const rollbacks = this.#rollbacks
    return Effect.flatMap(Effect.exit(this.#database.getMany([...keys.values()])), (values) => {
      if (rollbacks !== this.#rollbacks) this.#waiting.unshift(...requests)
      else if (Exit.isFailure(values)) for (const request of requests) request.fail(values.cause)
      else this.#runLoaded(requests, new Map([...keys.keys()].map((name, at) => [name, values.value[at]])))
      if (this.#waiting.length > 0) return this.#loads
      this.#isLoading = false
      for (const batch of this.#done) this.#forget(batch)
      this.#done = []
      this.#rest()
      return Effect.void
    })
  })

  #runLoaded(requests: ReadonlyArray<Request>, loaded: ReadonlyMap<string, Uint8Array | undefined>): void {
    this.#loaded = loaded
    for (const request of requests) if (!request.attempt()) this.#waiting.push(request)
    this.#loaded = new Map()
  }

  // ---- writing what they have written

  #stage(draft: Draft, durability: RocksDB.Durability | undefined): Batch {
    const batch = this.#filling()
    batch.add(draft, durability)
    for (const operation of draft.operations) {
      switch (operation.type) {
        case "put":
          this.#staged.set(nameOf(operation.key), { value: operation.value, batch })
          break
        case "remove":
          this.#staged.set(nameOf(operation.key), { value: undefined, batch })
          break
        case "removeRange": {
          const range = { gte: nameOf(operation.gte), lt: nameOf(operation.lt), batch }
          this.#ranges.push(range)
          for (const name of this.#staged.keys()) {
            if (isWithin(name, range)) this.#staged.set(name, { value: undefined, batch })
          }
        }
      }
      this.#bytes += sizeOf(operation)
    }
    if (this.#bytes > maxBytes) this.#room.closeUnsafe()
    if (!this.#isCommitting) {
      this.#isCommitting = true
      this.#idle.closeUnsafe()
      Effect.runFork(Effect.andThen(Effect.yieldNow, this.#commits))
    }
    return batch
  }

  /** The batch that takes what is written now. */
  #filling(): Batch {
    const last = this.#batches.at(-1)
    if (last !== undefined && !last.isUnderWay && last.bytes < maxBatchBytes) return last
    batches += 1
    const batch = new Batch(batches)
    this.#batches.push(batch)
    return batch
  }

  readonly #commits: Effect.Effect<void> = Effect.suspend(() => {
    const batch = this.#batches[0]
    if (batch === undefined) {
      this.#isCommitting = false
      this.#rest()
      return Effect.void
    }
    batch.isUnderWay = true
    const write = this.#database.write(batch.operations, { durability: batch.durability })
    return Effect.flatMap(Effect.exit(write), (exit) => {
      if (Exit.isFailure(exit)) this.#rollBack(exit)
      else this.#settle(batch, exit)
      if (this.#bytes <= maxBytes) this.#room.openUnsafe()
      return this.#commits
    })
  })

  #settle(batch: Batch, exit: Exit.Exit<void, RocksDBError.RocksDBError>): void {
    this.#batches.shift()
    this.#bytes -= batch.bytes
    batch.isDone = true
    // A read under way may have passed the database before this batch did.
    if (this.#isLoading) this.#done.push(batch)
    else this.#forget(batch)
    for (const listener of batch.listeners) listener()
    Deferred.doneUnsafe(batch.done, exit)
  }

  #rollBack(exit: Exit.Exit<void, RocksDBError.RocksDBError>): void {
    const failed = this.#batches
    this.#batches = []
    this.#done = []
    this.#staged.clear()
    this.#ranges = []
    this.#bytes = 0
    this.#rollbacks += 1
    for (const listener of this.#listeners) listener()
    for (const { done } of failed) Deferred.doneUnsafe(done, exit)
  }

  #forget(batch: Batch): void {
    for (const operation of batch.operations) {
      if (operation.type === "removeRange") continue
      const name = nameOf(operation.key)
      if (this.#staged.get(name)?.batch === batch) this.#staged.delete(name)
    }
    if (this.#ranges.length > 0) {
      this.#ranges = this.#ranges.filter((range) => range.batch !== batch)
      for (const [name, staged] of this.#staged) if (staged.batch === batch) this.#staged.delete(name)
    }
  }

  #rest(): void {
    if (!this.#isLoading && !this.#isCommitting) this.#idle.openUnsafe()
  }
}

/** How many bytes wait to be written before transactions that come wait to be run. */
const maxBytes = 64 * 1024 * 1024

/** A batch that has this many bytes takes no more transactions. */
const maxBatchBytes = 4 * 1024 * 1024

interface Staged {
  readonly value: Uint8Array | undefined
  readonly batch: Batch
}

interface StagedRange extends NameRange {
  readonly batch: Batch
}

interface Outcome<A> {
  readonly value: A
  /** What must be on disk before the value may be told. */
  readonly batch: Batch | undefined
}

/** How a transaction that had all values has ended. */
type Attempt<A> = Exit.Exit<Outcome<A>, RocksDBError.RocksDBError>

let batches = 0

class Batch {
  readonly number: number
  readonly operations: Array<RocksDB.Operation> = []
  readonly listeners: Array<() => void> = []
  readonly done = Deferred.makeUnsafe<void, RocksDBError.RocksDBError>()
  bytes = 0
  durability: RocksDB.Durability | undefined = "buffered"
  isUnderWay = false
  isDone = false

  constructor(number: number) {
    this.number = number
  }

  /** The strictest durability of its transactions holds for all of them. */
  add(draft: Draft, durability: RocksDB.Durability | undefined): void {
    for (const operation of draft.operations) {
      this.operations.push(operation)
      this.bytes += sizeOf(operation)
    }
    this.listeners.push(...draft.listeners)
    if (this.durability !== "sync" && durability !== "buffered") this.durability = durability
  }
}

/** A transaction that waits for values. */
interface Request {
  readonly keys: ReadonlyMap<string, Uint8Array>
  /** Runs it again; whether it has ended. */
  readonly attempt: () => boolean
  readonly fail: (cause: Cause.Cause<RocksDBError.RocksDBError>) => void
}

const acknowledged = <A>(attempt: Attempt<A> | undefined): Effect.Effect<A, RocksDBError.RocksDBError> => {
  if (attempt === undefined) return Effect.die("a transaction was told as done that was not run")
  if (Exit.isFailure(attempt)) return Effect.failCause(attempt.cause)
  const { batch, value } = attempt.value
  return batch === undefined || batch.isDone ? Effect.succeed(value) : Effect.as(Deferred.await(batch.done), value)
}

/** What an operation takes in memory, about. */
const sizeOf = (operation: RocksDB.Operation): number => {
  switch (operation.type) {
    case "put":
      return operation.key.length + operation.value.length + 32
    case "remove":
      return operation.key.length + 32
    case "removeRange":
      return operation.gte.length + operation.lt.length + 32
  }
}
