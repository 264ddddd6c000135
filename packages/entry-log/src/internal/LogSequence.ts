/**
 * The logs of one directory that are being written: one of the entry log, and
 * one of each further writer.
 *
 * - They are created one at a time, with ascending ids that are never taken
 *   again.
 * - Behind the header of each stand the records of its writer's preamble, in the
 *   same write.
 */
import type { Preamble } from "../EntryLog.ts"
import * as EntryLogError from "../EntryLogError.ts"
import * as Location from "../Location.ts"
import * as Files from "./files.ts"
import * as Frames from "./frames.ts"
import type { Lock } from "./lock.ts"
import { OpenLog } from "./OpenLog.ts"
import type { Settings } from "./options.ts"
import * as Refusal from "./refusal.ts"

/** Creates the logs of one directory. */
export class LogSequence {
  readonly #settings: Settings
  readonly #lock: Lock
  readonly #open = new Map<number, OpenLog>()
  #nextLogId: number
  #last: Promise<unknown> = Promise.resolve()

  constructor(settings: Settings, lock: Lock, nextLogId: number) {
    this.#settings = settings
    this.#lock = lock
    this.#nextLogId = nextLogId
  }

  /** A log that is being written. Its size covers whole entries only. */
  find(id: number): Pick<OpenLog, "size" | "ledgers"> | undefined {
    return this.#open.get(id)
  }

  /** Creates the next log, and hands it to its writer, who waits until its name is on disk. */
  create(
    preamble: Preamble | undefined,
    begin: (log: OpenLog, syncNames: () => Promise<void>) => Promise<void>
  ): Promise<OpenLog> {
    const created = this.#last.then(() => this.#create(preamble, begin))
    this.#last = created.catch(() => {})
    return created
  }

  /** Forgets a log that is not written any more. */
  leave(log: OpenLog): void {
    this.#open.delete(log.id)
  }

  async #create(
    preamble: Preamble | undefined,
    begin: (log: OpenLog, syncNames: () => Promise<void>) => Promise<void>
  ): Promise<OpenLog> {
    const { directory } = this.#settings
    await this.#lock.check()
    return Files.withDirectory(directory, async (syncNames) => {
      while (this.#nextLogId <= Location.maxLogId) {
        const id = this.#nextLogId
        const log = await OpenLog.create(directory, id, this.#records(preamble, id))
        this.#nextLogId += 1
        if (log === undefined) continue
        this.#open.set(id, log)
        await begin(log, syncNames)
        return log
      }
      throw EntryLogError.invalidArgument(
        "lastId, or the name of a log, is the largest that a log can have. Go on in another directory.",
        { operation: "append", path: directory }
      )
    })
  }

  #records(preamble: Preamble | undefined, id: number): Uint8Array | undefined {
    const { directory, maxEntrySize } = this.#settings
    if (preamble === undefined) return undefined
    return Refusal.take(
      { operation: "append", path: directory },
      () => Frames.takeRecords(preamble(id), maxEntrySize).bytes
    )
  }
}
