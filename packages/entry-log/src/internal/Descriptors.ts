/**
 * The logs that are open for reading: a bounded number of them, each for as
 * long as it is used and is the log of its name.
 *
 * - The one that was not used for longest gives way, and none that is in use.
 * - A log that has been removed, or replaced by another file, is let go of: when
 *   the logs are listed, when something that was read from it fails, which is
 *   then read once more, and else within two `checkInterval`s. So reading costs
 *   no look at the directory.
 * - One that was not used for a `checkInterval` is closed.
 */
import * as EntryLogError from "../EntryLogError.ts"
import { logPath } from "./directory.ts"
import * as Files from "./files.ts"

/** The descriptors of the logs of one directory. */
export class Descriptors {
  readonly #directory: string
  readonly #capacity: number
  /** The least recently used comes first. */
  readonly #logs = new Map<number, Log>()
  /** The closes under way. */
  readonly #closing = new Set<Promise<void>>()
  #waiting: Array<() => void> = []
  #timer: NodeJS.Timeout | undefined
  #checking: Promise<void> = Promise.resolve()

  constructor(directory: string, capacity = defaultCapacity) {
    this.#directory = directory
    this.#capacity = capacity
  }

  /** Runs with the descriptor of a log, which stays open until then; `NotFound` if there is no such log. */
  async use<A>(operation: string, logId: number, run: (descriptor: number) => Promise<A>): Promise<A> {
    for (let isFirst = true; ; isFirst = false) {
      const log = await this.#acquire(logId)
      try {
        return await run(await log.descriptor)
      } catch (cause) {
        if (EntryLogError.hasCode(cause, "ENOENT")) {
          const where = { operation, path: logPath(this.#directory, logId) }
          const target = await Files.targetOf(where.path)
          throw target === undefined ? EntryLogError.missingLog(where) : EntryLogError.danglingLog(target, where)
        }
        if (!isFirst || (await this.#check(logId, log))) throw cause
      } finally {
        this.#leave(log)
      }
    }
  }

  /** Lets go of the logs that have been removed or replaced. */
  async refresh(): Promise<void> {
    await Promise.all(Array.from(this.#logs, ([logId, log]) => this.#check(logId, log)))
    await Promise.all(this.#closing)
  }

  /** Lets go of a log that has been removed: who reads it now reads on, and nobody after. */
  async forget(logId: number): Promise<void> {
    const log = this.#logs.get(logId)
    if (log !== undefined) this.#letGo(logId, log)
    await Promise.all(this.#closing)
  }

  /** Closes them all. Nothing may be in use, nor be used again. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#checking
    clearTimeout(this.#timer)
    for (const [logId, log] of this.#logs) this.#letGo(logId, log)
    await Promise.all(this.#closing)
  }

  async #acquire(logId: number): Promise<Log> {
    while (true) {
      const log = this.#logs.get(logId) ?? (this.#logs.size < this.#capacity ? this.#open(logId) : undefined)
      if (log === undefined) {
        await this.#makeRoom()
        continue
      }
      log.users += 1
      log.used = true
      this.#logs.delete(logId)
      this.#logs.set(logId, log)
      return log
    }
  }

  #leave(log: Log): void {
    log.users -= 1
    if (log.users > 0) return
    if (log.letGo) this.#close(log)
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  async #makeRoom(): Promise<void> {
    const idle = Array.from(this.#logs).find(([, log]) => log.users === 0)
    if (idle === undefined) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#letGo(...idle)
    await Promise.all(this.#closing)
  }

  #open(logId: number): Log {
    const descriptor = Files.open(logPath(this.#directory, logId), "r")
    const log: Log = { descriptor, users: 0, used: true, letGo: false }
    // Let go of, so that the log is looked for again: its writer may create it yet.
    descriptor.catch(() => this.#letGo(logId, log))
    if (this.#logs.size === 0) this.#checkLater()
    return log
  }

  /** Answers whether the log is the file of its name, and lets go of it if it is not. */
  async #check(logId: number, log: Log): Promise<boolean> {
    if (log.letGo) return false
    log.users += 1
    try {
      const isCurrent = await Files.isAt(await log.descriptor, logPath(this.#directory, logId))
      if (!isCurrent) this.#letGo(logId, log)
      return isCurrent
    } catch (cause) {
      // A network file system tells of a file that is gone by this code. What cannot be told stays.
      if (!EntryLogError.hasCode(cause, "ESTALE")) return true
      this.#letGo(logId, log)
      return false
    } finally {
      this.#leave(log)
    }
  }

  /** Forgets a log, and closes it as soon as nobody uses it. */
  #letGo(logId: number, log: Log): void {
    if (log.letGo) return
    log.letGo = true
    this.#logs.delete(logId)
    if (log.users === 0) this.#close(log)
  }

  #close(log: Log): void {
    const closing: Promise<void> = log.descriptor
      .then(Files.close, () => {})
      .then(() => void this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  /** Looks at all of them after a `checkInterval`, and so on for as long as there are any. */
  #checkLater(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#checking = this.#checkAll().then(() => {
        if (this.#logs.size > 0) this.#checkLater()
      })
    }, checkInterval).unref()
  }

  async #checkAll(): Promise<void> {
    for (const [logId, log] of Array.from(this.#logs)) {
      if (log.users > 0 || log.used) await this.#check(logId, log)
      else this.#letGo(logId, log)
      log.used = false
    }
  }
}

interface Log {
  readonly descriptor: Promise<number>
  users: number
  /** Whether it has been used since the last look at it. */
  used: boolean
  /** Whether it is to be closed when nobody uses it any more. */
  letGo: boolean
}

const defaultCapacity = 64

/** In milliseconds. */
const checkInterval = 1000
