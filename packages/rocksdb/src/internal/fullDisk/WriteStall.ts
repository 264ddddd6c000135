/**
 * Keeps writes out of stalls that would not end.
 *
 * - RocksDB holds back every write once 36 files wait at level 0 for a
 *   compaction, also where there is no room for one, and then for ever. So where
 *   many files wait and there is no room, a write is refused as on a full disk,
 *   before it begins. Where there is room and RocksDB does not know, because it
 *   asks for twice as much once it had found none, the directory is opened anew.
 * - It also holds back a write that finds two memtables full. If writing the
 *   first one to a file fails then for want of room, RocksDB 10.5 recovers by a
 *   flush that queues behind that write, and neither ever ends. So a write waits
 *   here, until the first memtable is in a file or that has failed, but not
 *   longer than a slow disk needs.
 */
import { setTimeout } from "node:timers/promises"
import * as CompactionRoom from "./compactionRoom.ts"
import * as HeldBack from "./heldBack.ts"
import * as Reopening from "./reopening.ts"
import * as Room from "./room.ts"

/** The stalls of one database. */
export class WriteStall {
  readonly #path: string
  readonly #writeBufferSize: number
  readonly #property: (name: string) => Promise<number>
  readonly #patience: number
  /** How much may be written before the files are counted again, in bytes. */
  #credit = 0
  #checking: Promise<boolean> | undefined
  /** How often RocksDB had failed in the background when it last had no full memtable. */
  #failures = 0

  /**
   * `property` reads a property of RocksDB that is a number; `patience` is how long a flush may take, in milliseconds,
   * by default what a disk takes that writes a MiB a second, and at least a minute.
   */
  constructor(
    path: string,
    writeBufferSize: number,
    property: (name: string) => Promise<number>,
    patience: number = Math.max(60_000, (writeBufferSize / 1024 / 1024) * 1000)
  ) {
    this.#path = path
    this.#writeBufferSize = writeBufferSize
    this.#property = property
    this.#patience = patience
  }

  /**
   * Before a batch of so many bytes: nothing, or what rejects if RocksDB might hold the batch back: with ENOSPC for want
   * of room, with ETIMEDOUT where a flush does not end. Else it tells whether the batch had to wait for a flush.
   */
  prevent(size: number): Promise<boolean> | undefined {
    if (size <= this.#credit) {
      this.#credit -= size
      return undefined
    }
    if (this.#checking === undefined) {
      const checking = this.#check().finally(() => {
        if (this.#checking === checking) this.#checking = undefined
      })
      this.#checking = checking
    }
    return this.#checking
  }

  /** Begins anew with another native database: what has been seen of the one before says nothing of it. */
  restart(): void {
    this.#checking = undefined
    this.#credit = 0
    this.#failures = 0
  }

  /** Whether a memtable waits for a flush that has failed. */
  async isStuck(): Promise<boolean> {
    return (
      (await this.#property("rocksdb.num-immutable-mem-table")) > 0 &&
      (await this.#property("rocksdb.background-errors")) > this.#failures
    )
  }

  async #check(): Promise<boolean> {
    this.#credit = 0
    const hasWaited = await this.#untilFlushed()
    for (let looks = 1; (await this.#property("rocksdb.num-files-at-level0")) >= manyFiles; looks++) {
      const { needed, room } = await this.#room()
      if (room >= 2 * needed || (room >= needed && (await this.#property("rocksdb.background-errors")) === 0)) {
        this.#credit = this.#writeBufferSize / 8
        return hasWaited
      }
      // A compaction may have moved on between the parts of a look.
      if (looks === mostLooks) throw room < needed ? Room.refusal(compaction) : Room.noSpace(compaction)
      await setTimeout(timeBetweenLooks)
    }
    // At most one more memtable, which may take twice the bytes, so at most one more file than those on their way.
    this.#credit = this.#writeBufferSize / 4
    return hasWaited
  }

  /** Waits while a memtable might become full before the one before it is in a file, and tells whether it had to. */
  async #untilFlushed(): Promise<boolean> {
    const begun = performance.now()
    for (let hasWaited = false; ; hasWaited = true) {
      const failures = await this.#property("rocksdb.background-errors")
      const full = await this.#property("rocksdb.num-immutable-mem-table")
      // Opened anew, it counts from the beginning.
      this.#failures = full === 0 ? failures : Math.min(this.#failures, failures)
      if (full === 0 || (await this.#property("rocksdb.cur-size-active-mem-table")) <= this.#writeBufferSize / 3) {
        return hasWaited
      }
      if (failures > this.#failures) throw Reopening.unknown("write what is in memory to a file")
      if (performance.now() - begun > this.#patience) throw HeldBack.of(timedOut(this.#patience))
      await setTimeout(timeBetweenFlushes)
    }
  }

  /** What a compaction may need, and what there is for it, in bytes. RocksDB wants twice as much after a failure. */
  async #room(): Promise<{ needed: number; room: number }> {
    const live = await this.#property("rocksdb.live-sst-files-size")
    const free = (await Room.at(this.#path)) - 2 * this.#writeBufferSize
    const allocated = await Room.sizeOfFiles(this.#path, ".sst", Room.allocatedTo)
    // What one under way has written so far is of the room that it needs.
    return { needed: Math.min(live, CompactionRoom.mostRewritten), room: free + Math.max(0, allocated - live) }
  }
}

/** Four less than stop the writes: some may be on their way. */
const manyFiles = 32

const mostLooks = 3

/** In milliseconds. */
const timeBetweenLooks = 20

/** In milliseconds. */
const timeBetweenFlushes = 5

const compaction = "the compaction that RocksDB needs before it takes more writes"

const timedOut = (patience: number): Error =>
  Object.assign(
    new Error(`RocksDB has not written what is in memory to a file within ${patience / 1000} s, so it takes no more`),
    { code: "ETIMEDOUT" }
  )
