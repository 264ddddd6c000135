/**
 * Gets a compaction of RocksDB 6.17 going again whose flush has failed.
 *
 * A compaction flushes what is in memory first, and waits for that. If the
 * flush fails, for want of descriptors for example, this RocksDB tries again
 * when the next memtable is full, and not before; it does not tell either,
 * because the binding turns `paranoid_checks` off. So without further writes the
 * compaction would never end, and nor would the close. So none begins where its
 * flush would fail, and where one waits for a flush that nobody runs, the memtable
 * is filled up: with deletes of a key that nobody has.
 */
import { randomBytes } from "node:crypto"
import { setTimeout } from "node:timers/promises"
import type * as Engine from "@effect-bookie/rocksdb/Engine"
import * as Support from "@effect-bookie/rocksdb/EngineSupport"

/** The flushes of one database. */
export class LevelFlush {
  readonly #path: string
  readonly #writeBufferSize: number
  readonly #property: (name: string) => number
  readonly #write: (operation: Engine.Operation) => Promise<void>

  /** `property` reads a property of RocksDB that is a number; `write` writes without a sync. */
  constructor(
    path: string,
    writeBufferSize: number,
    property: (name: string) => number,
    write: (operation: Engine.Operation) => Promise<void>
  ) {
    this.#path = path
    this.#writeBufferSize = writeBufferSize
    this.#property = property
    this.#write = write
  }

  /** Starts a compaction, and sees that it ends; rejects with what would keep its flush from succeeding. */
  async compact(start: () => Promise<void>): Promise<void> {
    const obstacle = await Support.obstacle(this.#path, 0)
    if (obstacle !== undefined) throw obstacle
    const ended = new AbortController()
    const watching = this.#watch(ended.signal)
    try {
      await start()
    } finally {
      ended.abort()
      await watching
    }
  }

  async #watch(ended: AbortSignal): Promise<void> {
    for (let stuck = 0; !ended.aborted;) {
      // Rejects at the end of the compaction.
      await setTimeout(timeBetweenLooks, undefined, { signal: ended }).catch(() => {})
      stuck = this.#isStuck ? stuck + 1 : 0
      if (stuck < looks || ended.aborted) continue
      // Not while the next flush would fail as well: RocksDB would hold back every write then.
      if ((await Support.obstacle(this.#path, this.#writeBufferSize)) === undefined) await this.#fill().catch(() => {})
    }
  }

  get #isStuck(): boolean {
    return (
      this.#property("background-errors") > 0 &&
      this.#property("num-immutable-mem-table") > 0 &&
      this.#property("num-running-flushes") === 0
    )
  }

  /** Writes until there is one more memtable to be flushed, or none. */
  async #fill(): Promise<void> {
    const key = randomBytes(Math.max(1, Math.min(largestKey, Math.floor(this.#writeBufferSize / 8))))
    const full = this.#property("num-immutable-mem-table")
    for (let written = 0; written < 2 * this.#writeBufferSize; written += key.length) {
      if (this.#property("num-immutable-mem-table") !== full) return
      await this.#write({ type: "remove", key })
    }
  }
}

/** In milliseconds. */
const timeBetweenLooks = 500

const looks = 3

/** In bytes. */
const largestKey = 1024 * 1024
