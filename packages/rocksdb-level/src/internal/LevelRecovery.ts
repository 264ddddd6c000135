/**
 * Keeps RocksDB 6.17 from a recovery that it cannot be closed in.
 *
 * Once it could not write a full memtable to a file for want of space, it tries
 * again each second. A close that meets such a recovery between two attempts
 * waits for it for ever (facebook/rocksdb#11440, mended in 8.7): so the close
 * has to wait until the recovery is over, for which there must be room. Hence a
 * write is refused where there is none for what is in memory already; a recovery
 * is then only left to begin where something else fills the disk meanwhile.
 */
import { Room, SystemError, Thrown } from "@effect-bookie/rocksdb/EngineSupport"

/** The recoveries of one database. */
export class LevelRecovery {
  readonly #path: string
  readonly #property: (name: string) => number
  /** How much may be written until the room is looked at again, in bytes, and when that is due in any case. */
  #credit = 0
  #due = 0
  /** Since when there has been room, for the one who asks, and when that was asked last. */
  #roomSince: number | undefined
  #asked = 0

  /** `property` reads a property of RocksDB that is a number. */
  constructor(path: string, property: (name: string) => number) {
    this.#path = path
    this.#property = property
  }

  /** Rejects with ENOSPC unless RocksDB could write to files what is in memory, and a batch of so many bytes. */
  async prevent(size: number): Promise<void> {
    if (size <= this.#credit && performance.now() < this.#due) {
      this.#credit -= size
      return
    }
    const room = (await Room.at(this.#path)) - this.#needed - size
    if (room < 0) throw Room.refusal("a write")
    this.#credit = room / creditShare
    this.#due = performance.now() + creditTime
  }

  /**
   * Whether a recovery may be under way. `failure` is what made all writes fail, if they do. The binding does not tell;
   * so this goes by what only a recovery will do, and takes it for something else where there has been room for long.
   * To be asked again within a second.
   */
  async mayBeUnderWay(failure: unknown): Promise<boolean> {
    return this.#hasWork(failure) && !(await this.#hasHadRoom())
  }

  #hasWork(failure: unknown): boolean {
    // RocksDB gives up for anything but a full disk.
    const code = SystemError.codeOf(failure)
    if (code !== undefined && code !== "ENOSPC" && code !== "EDQUOT") return false
    if (this.#property("num-immutable-mem-table") > 0) return true
    // After a failed write to a MANIFEST, until the recovery.
    if (this.#property("is-file-deletions-enabled") === 0) return true
    // A log file that could not be created. One that could not be written to is no reason for a recovery.
    if (failure === undefined || isOfLog.test(Thrown.messageOf(failure))) return false
    return this.#property("num-entries-active-mem-table") > 0
  }

  async #hasHadRoom(): Promise<boolean> {
    // A file system that is not there any more lacks something else.
    const room = await Room.at(this.#path).catch(() => Number.POSITIVE_INFINITY)
    const now = performance.now()
    if (room < this.#needed || now - this.#asked > longestPause) this.#roomSince = undefined
    this.#asked = now
    if (room < this.#needed) return false
    this.#roomSince ??= now
    return now - this.#roomSince >= longestRecovery
  }

  get #needed(): number {
    return this.#property("cur-size-all-mem-tables") + Room.smallFilesSize
  }
}

/** What RocksDB says where it could not append to a log file. */
const isOfLog = /While appending to file: \S*\.log\b/

/** Others may write to the disk as well. */
const creditShare = 8

/** In milliseconds. */
const creditTime = 20

/** In milliseconds, between two questions. */
const longestPause = 1_000

/** In milliseconds, once there is room: RocksDB waits a second between two attempts, and after the first one another. */
const longestRecovery = 5_000
