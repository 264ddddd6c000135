/**
 * Brings the write-ahead log of a RocksDB directory to disk: fdatasync of every
 * log file that is there, and of the directory when there is a new one.
 */
import * as Fs from "node:fs"
import { promisify } from "node:util"

export class WalSync {
  readonly #directory: string
  readonly #open = new Map<string, number>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Settles when all that was written before is on disk. */
  async sync(): Promise<void> {
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith(".log"))
    for (const [name, descriptor] of this.#open) {
      if (names.includes(name)) continue
      this.#open.delete(name)
      Fs.closeSync(descriptor)
    }
    for (const name of names) {
      const known = this.#open.get(name)
      const descriptor = known ?? Fs.openSync(`${this.#directory}/${name}`, "r+")
      this.#open.set(name, descriptor)
      await fdatasync(descriptor)
      if (known === undefined) await this.#syncDirectory()
    }
  }

  close(): void {
    for (const descriptor of this.#open.values()) Fs.closeSync(descriptor)
    this.#open.clear()
  }

  async #syncDirectory(): Promise<void> {
    // Windows has no descriptor of a directory.
    if (process.platform === "win32") return
    const descriptor = Fs.openSync(this.#directory, "r")
    await fsync(descriptor)
    Fs.closeSync(descriptor)
  }
}

const readdir = promisify<string, Array<string>>(Fs.readdir)
const fsync = promisify(Fs.fsync)
const fdatasync = promisify(Fs.fdatasync)
