/**
 * Writes to a database of the Level binding: one native batch at a time, in the
 * order in which they came. Those that wait go together in the next batch, so
 * writers share a sync.
 *
 * After a failed batch every write fails with the same error, until the
 * directory is opened anew. RocksDB does so by itself with `paranoid_checks`,
 * but the binding turns those off, and without them RocksDB 6.17 gives the next
 * write the sequence numbers of the failed one, whose bytes it has kept, and
 * appends both. If both have the same key, no process can open such a log file
 * again: an assertion ends it. That is also why nothing may be under way
 * in native code while a write fails.
 */
import type Binding from "rocksdb"
import type * as Engine from "@effect-bookie/rocksdb/Engine"
import { Room } from "@effect-bookie/rocksdb/EngineSupport"

/** The database that is written to. */
interface Target {
  /** Keys of a range, in order. */
  readonly keys: (range: { readonly gte: Buffer; readonly lt: Buffer }) => AsyncIterable<Buffer>
  /** Rejects if a batch of so many bytes must not reach native code. That does not make later ones fail. */
  readonly prepare: (size: number) => Promise<void>
  /** Hands a batch to native code. */
  readonly batch: (operations: ReadonlyArray<Binding.BatchOperation>, sync: boolean) => Promise<void>
}

interface Waiting {
  readonly operations: ReadonlyArray<Engine.Operation>
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

/** The writes of one database. */
export class LevelWriter {
  readonly #target: Target
  readonly #waiting: Array<Waiting> = []
  #isWriting = false
  #failure: { readonly cause: unknown } | undefined

  constructor(target: Target) {
    this.#target = target
  }

  /** What made a batch fail, and since then every write. */
  get failure(): unknown {
    return this.#failure?.cause
  }

  /** Settles when RocksDB has answered. */
  write(operations: ReadonlyArray<Engine.Operation>, sync: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, sync, resolve, reject })
      if (!this.#isWriting) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isWriting = true
    while (this.#waiting.length > 0) await this.#writeGroup(this.#nextGroup())
    this.#isWriting = false
  }

  /** What goes into the next batch. A range delete goes by itself: only then is what it reads what is there when it comes. */
  #nextGroup(): ReadonlyArray<Waiting> {
    const waiting = this.#waiting.slice(0, mostAtOnce)
    const ranged = waiting.findIndex(hasRange)
    return this.#waiting.splice(0, ranged === -1 ? waiting.length : Math.max(1, ranged))
  }

  async #writeGroup(group: ReadonlyArray<Waiting>): Promise<void> {
    try {
      await this.#writeAll(group)
      for (const { resolve } of group) resolve()
    } catch (cause) {
      for (const { reject } of group) reject(cause)
    }
  }

  async #writeAll(group: ReadonlyArray<Waiting>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.cause
    const batch: Array<Binding.BatchOperation> = []
    for (const { operations } of group) await this.#expand(operations, batch)
    // An empty batch never reaches RocksDB in this binding.
    if (batch.length === 0) return
    await this.#target.prepare(sizeOf(batch))
    const sync = group.some(({ sync }) => sync)
    try {
      await this.#target.batch(batch, sync)
    } catch (cause) {
      this.#failure = { cause }
      throw cause
    }
  }

  /** In batch order: a range delete also takes what the same batch has put before it. */
  async #expand(operations: ReadonlyArray<Engine.Operation>, batch: Array<Binding.BatchOperation>): Promise<void> {
    for (const operation of operations) {
      if (operation.type !== "removeRange") {
        batch.push(toBatch(operation))
        continue
      }
      const gte = toBuffer(operation.gte)
      const lt = toBuffer(operation.lt)
      const put = batch.flatMap(({ key, type }) =>
        type === "put" && key.compare(gte) >= 0 && key.compare(lt) < 0 ? [key] : []
      )
      for (const key of put) batch.push({ type: "del", key })
      for await (const key of this.#target.keys({ gte, lt })) batch.push({ type: "del", key })
    }
  }
}

const sizeOf = (batch: ReadonlyArray<Binding.BatchOperation>): number =>
  batch.reduce(
    (size, operation) => size + Room.recordSize(operation.key, "value" in operation ? operation.value : undefined),
    0
  )

const hasRange = ({ operations }: Waiting): boolean => operations.some(({ type }) => type === "removeRange")

const toBatch = (operation: Exclude<Engine.Operation, { readonly type: "removeRange" }>): Binding.BatchOperation =>
  operation.type === "put"
    ? { type: "put", key: toBuffer(operation.key), value: toBuffer(operation.value) }
    : { type: "del", key: toBuffer(operation.key) }

/** The most writes that go together: what one of them is refused for, all are. */
const mostAtOnce = 64

/** The binding tells bytes from text by `Buffer.isBuffer`. No copy. */
export const toBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
