/**
 * The logs that are open for reading, a bounded number of them: the one that
 * was not used for longest gives way, and none that is in use.
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
  #waiting: Array<() => void> = []

  constructor(directory: string, capacity = defaultCapacity) {
    this.#directory = directory
    this.#capacity = capacity
  }

  /** Runs with the descriptor of a log, which stays open until then; `NotFound` if there is no such log. */
  async use<A>(operation: string, logId: number, run: (descriptor: number) => Promise<A>): Promise<A> {
    const log = await this.#acquire(logId)
    try {
      return await run(await log.descriptor)
    } catch (cause) {
      if (!EntryLogError.hasCode(cause, "ENOENT")) throw cause
      throw EntryLogError.notFound("there is no such log", { operation, path: logPath(this.#directory, logId) })
    } finally {
      log.users -= 1
      if (log.users === 0) this.#wake()
    }
  }

  /** Closes them all. Nothing may be in use, nor be used again. */
  async close(): Promise<void> {
    const logs = [...this.#logs.values()]
    this.#logs.clear()
    await Promise.all(logs.map(closeLog))
  }

  async #acquire(logId: number): Promise<Log> {
    while (true) {
      const log = this.#logs.get(logId) ?? (this.#logs.size < this.#capacity ? this.#open(logId) : undefined)
      if (log === undefined) {
        await this.#makeRoom()
        continue
      }
      log.users += 1
      this.#logs.delete(logId)
      this.#logs.set(logId, log)
      return log
    }
  }

  async #makeRoom(): Promise<void> {
    const idle = Array.from(this.#logs).find(([, log]) => log.users === 0)
    if (idle === undefined) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#logs.delete(idle[0])
    await closeLog(idle[1])
  }

  #open(logId: number): Log {
    const log: Log = { descriptor: Files.open(logPath(this.#directory, logId), "r"), users: 0 }
    log.descriptor.catch(() => {
      // Let go of, so that the log is looked for again: its writer may create it yet.
      if (this.#logs.get(logId) === log) this.#logs.delete(logId)
    })
    return log
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

interface Log {
  readonly descriptor: Promise<number>
  users: number
}

const defaultCapacity = 64

const closeLog = async ({ descriptor }: Log): Promise<void> => {
  const opened = await descriptor.catch(() => undefined)
  if (opened !== undefined) await Files.close(opened)
}
