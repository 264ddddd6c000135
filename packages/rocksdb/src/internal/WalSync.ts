/**
 * Brings RocksDB's write-ahead log to disk from outside of the binding.
 *
 * RocksDB appends to `NNNNNN.log` in the database directory without buffering
 * in user space, and fdatasync on any descriptor of a file flushes that file.
 * So after a write has been acknowledged, syncing every live log file makes it
 * durable.
 *
 * - Callers that arrive while a sync runs share the next one.
 * - The directory is listed only if a new log file may be there since the last
 *   time: RocksDB begins one with a new memtable, and before it appends to it, the
 *   number of its super-version goes up.
 * - A log file that is not the newest is no longer appended to, so it is synced
 *   once more and then never again. One that has vanished was flushed to an SST
 *   file, which RocksDB syncs itself.
 * - A new log file is durable only with its directory entry.
 * - After a failed fdatasync the kernel may have dropped the bytes and call the
 *   next one a success, so every later sync fails with the same error. Where a
 *   file could not be opened for it, none has been tried, and the next one may.
 */
import * as Fs from "node:fs"
import * as FailedSync from "./failedSync.ts"
import * as Files from "./files.ts"
import * as Thrown from "./thrown.ts"

/** Syncs the write-ahead log of one database directory. */
export class WalSync {
  readonly #path: string
  readonly #version: () => Promise<string | undefined>
  /** The log files that may hold bytes which are not on disk, in their order. */
  readonly #open = new Map<string, number>()
  readonly #done = new Set<string>()
  #directory: number | undefined
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  #failure: unknown
  /** Whether a log file has been found whose directory entry may not be on disk. */
  #created = false
  /** The descriptor of the log file that RocksDB appends to for as long as its tree has this version. */
  #newest: { readonly version: string; readonly descriptor: number } | undefined

  /** `version` tells which version RocksDB's tree has, if the engine can say so. */
  constructor(directory: string, version: () => Promise<string | undefined> = () => Promise.resolve(undefined)) {
    this.#path = directory
    this.#version = version
  }

  /** Has the descriptors ready that a sync needs, so that it does not find too few of them. */
  async open(): Promise<void> {
    try {
      await this.#list(await this.#version())
      // Windows has no descriptor of a directory, and makes its entries durable with the file.
      if (process.platform !== "win32") this.#directory = await Files.open(this.#path, "r")
    } catch (cause) {
      await this.close()
      throw cause
    }
  }

  /** Settles when everything that RocksDB appended before this call is on disk. */
  sync(): Promise<void> {
    if (this.#next !== undefined) return this.#next
    if (this.#running === undefined) return this.#start()
    // The sync under way may have passed the bytes of this caller already.
    this.#next = this.#running.catch(() => {}).then(() => this.#start())
    return this.#next
  }

  /** Closes the descriptors. */
  async close(): Promise<void> {
    this.#newest = undefined
    const descriptors = [...this.#open.values()]
    this.#open.clear()
    if (this.#directory !== undefined) descriptors.push(this.#directory)
    this.#directory = undefined
    await Promise.all(descriptors.map((descriptor) => Files.close(descriptor)))
  }

  #start(): Promise<void> {
    this.#next = undefined
    const running = this.#syncAll().finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  async #syncAll(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    // Asked before the directory is listed: what begins in between shows in the list, and counts up for the next time.
    const version = await this.#version()
    if (this.#newest === undefined || this.#newest.version !== version || !isThere(this.#newest.descriptor)) {
      await this.#list(version)
    }
    await this.#syncOpen()
    if (!this.#created) return
    await this.#syncDirectory()
    this.#created = false
  }

  /** Opens every log file that there is and that is not synced for good. */
  async #list(version: string | undefined): Promise<void> {
    this.#newest = undefined
    const names = (await Files.readdir(this.#path)).filter((name) => logFile.test(name)).toSorted(byNumber)
    await this.#forget(names)
    let newest: number | undefined
    for (const name of names) if (!this.#done.has(name)) newest = (await this.#openLog(name)) ?? newest
    if (version !== undefined && newest !== undefined) this.#newest = { version, descriptor: newest }
  }

  /** Syncs the log files that are open, and leaves none but the newest open. */
  async #syncOpen(): Promise<void> {
    let left = this.#open.size
    for (const [name, descriptor] of this.#open) {
      left -= 1
      await this.#flush(Files.fdatasync, descriptor)
      if (left === 0) break
      this.#done.add(name)
      this.#open.delete(name)
      await Files.close(descriptor)
    }
  }

  /** Lets go of the files that RocksDB has removed. */
  async #forget(names: ReadonlyArray<string>): Promise<void> {
    const live = new Set(names)
    for (const name of this.#done) if (!live.has(name)) this.#done.delete(name)
    for (const [name, descriptor] of this.#open) {
      if (live.has(name)) continue
      this.#open.delete(name)
      await Files.close(descriptor)
    }
  }

  async #openLog(name: string): Promise<number | undefined> {
    const known = this.#open.get(name)
    if (known !== undefined) return known
    try {
      const descriptor = await Files.open(`${this.#path}/${name}`, "r+")
      this.#open.set(name, descriptor)
      this.#created = true
      return descriptor
    } catch (cause) {
      if (Thrown.codeOf(cause) === "ENOENT") return undefined
      throw cause
    }
  }

  async #syncDirectory(): Promise<void> {
    if (this.#directory !== undefined) return this.#flush(Files.fsync, this.#directory)
    if (process.platform === "win32") return
    const directory = await Files.open(this.#path, "r")
    try {
      await this.#flush(Files.fsync, directory)
    } finally {
      await Files.close(directory)
    }
  }

  async #flush(flush: (descriptor: number) => Promise<void>, descriptor: number): Promise<void> {
    try {
      await flush(descriptor)
    } catch (cause) {
      this.#failure = FailedSync.of(cause)
      throw this.#failure
    }
  }
}

/** Whether a file has a name yet: who removes the directory of a database takes away what a sync would bring to disk. */
const isThere = (descriptor: number): boolean => Fs.fstatSync(descriptor).nlink > 0

const logFile = /^\d+\.log$/

const byNumber = (left: string, right: string): number => Number.parseInt(left, 10) - Number.parseInt(right, 10)
