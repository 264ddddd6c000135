/**
 * Apache BookKeeper's own EntryLocationIndex, in a Java process: see the folder
 * `bookkeeper` of this package.
 *
 * Requests and answers cross a pipe, and only what the index does with them
 * between counts: the Java program takes the time. It has no lookup of many
 * entries and no scan, so both are a `getLocation` an entry, as in BookKeeper.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Readable } from "node:stream"
import type { Engine, Entries, Host, Ids, LedgerEntries } from "../Engine.ts"
import { peakMemoryOf } from "./inProcess.ts"
import * as Keys from "./keys.ts"

/** The folder of the Java program. */
export const folder = Path.resolve(import.meta.dirname, "../../bookkeeper")

export const start = async (): Promise<Host> => {
  const java = new JavaProcess()
  return {
    time: async (call) => {
      const before = java.milliseconds
      await call()
      return java.milliseconds - before
    },
    open: async (directory, cacheSize) => {
      Fs.mkdirSync(directory, { recursive: true })
      await java.ask(commands.open, [BigInt(cacheSize), ...pathAsLongs(directory)])
      return new BookKeeper(java)
    },
    cachedEntrySize: Keys.recordSize,
    usualCacheSize: Math.floor(directMemorySize / 10),
    peakMemory: async () => java.peakMemory(),
    onEventLoop: false,
    stop: () => java.stop()
  }
}

/** What BookKeeper's own start script gives a bookie. A tenth of it is the cache, unless it is told otherwise. */
const directMemorySize = 2 * 2 ** 30

/** As that script has them. */
const javaFlags = [
  "-Xms1g",
  "-Xmx1g",
  `-XX:MaxDirectMemorySize=${directMemorySize}`,
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=10",
  "-XX:+ParallelRefProcEnabled",
  "-XX:+DisableExplicitGC"
]

/** As in the Java program. */
const commands = { open: 1, close: 2, add: 3, get: 4, scan: 5, last: 6, delete: 7, compact: 8 }

class BookKeeper implements Engine {
  readonly #java: JavaProcess
  #flush: Array<bigint> = []

  constructor(java: JavaProcess) {
    this.#java = java
  }

  put = ({ entryIds, ledgerIds, locations }: Entries, from: number, to: number): void => {
    for (let at = from; at < to; at++) {
      this.#flush.push(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n, locations[at] ?? 0n)
    }
  }

  commit = async (): Promise<void> => {
    const flush = this.#flush
    this.#flush = []
    await this.#java.ask(commands.add, flush)
  }

  getMany = (ids: Ids, locations: BigInt64Array): Promise<void> => this.getEach(ids, locations)

  getEach = async ({ entryIds, ledgerIds }: Ids, locations: BigInt64Array): Promise<void> => {
    const ids: Array<bigint> = []
    for (let at = 0; at < locations.length; at++) ids.push(ledgerIds[at] ?? 0n, entryIds[at] ?? 0n)
    locations.set(await this.#java.ask(commands.get, ids))
  }

  scan = async (ledgerId: bigint, into: LedgerEntries): Promise<number> => {
    const found = await this.#java.ask(commands.scan, [ledgerId])
    const count = found.length / 2
    into.entryIds.set(found.subarray(0, count))
    into.locations.set(found.subarray(count))
    return count
  }

  lastEntries = async (ledgerIds: BigInt64Array, entryIds: BigInt64Array): Promise<void> => {
    entryIds.set(await this.#java.ask(commands.last, [...ledgerIds.subarray(0, entryIds.length)]))
  }

  deleteLedger = async (ledgerId: bigint): Promise<void> => {
    await this.#java.ask(commands.delete, [ledgerId])
  }

  compact = async (): Promise<void> => {
    await this.#java.ask(commands.compact, [])
  }

  close = async (): Promise<void> => {
    await this.#java.ask(commands.close, [])
  }
}

/** The Java program: one request at a time, each answered by a time and some integers. */
class JavaProcess {
  /** How long the index has been at work. */
  milliseconds = 0
  readonly #child: ChildProcess
  readonly #exit: Promise<ReadonlyArray<unknown>>
  readonly #input: NodeJS.WritableStream
  readonly #output: Readable

  constructor() {
    const classPath = [
      Path.join(folder, "target", "classes"),
      Fs.readFileSync(Path.join(folder, "target", "classpath"), "utf8").trim()
    ].join(Path.delimiter)
    const child = spawn("java", [...javaFlags, "-cp", classPath, "effectbookie.Bench"], {
      stdio: ["pipe", "pipe", "inherit"]
    })
    this.#child = child
    this.#exit = once(child, "exit")
    this.#input = child.stdin
    this.#output = child.stdout
  }

  /** Has a command done, and answers what it found. */
  async ask(command: number, parameters: ReadonlyArray<bigint>): Promise<BigInt64Array> {
    const request = new DataView(new ArrayBuffer(8 + parameters.length * 8))
    request.setInt32(0, command)
    request.setInt32(4, parameters.length)
    for (const [at, parameter] of parameters.entries()) request.setBigInt64(8 + at * 8, parameter)
    this.#input.write(Buffer.from(request.buffer))
    const head = await this.#read(12)
    this.milliseconds += Number(head.readBigInt64BE()) / 1e6
    const answer = await this.#read(head.readInt32BE(8) * 8)
    const view = new DataView(answer.buffer, answer.byteOffset, answer.length)
    return BigInt64Array.from({ length: answer.length / 8 }, (_, at) => view.getBigInt64(at * 8))
  }

  peakMemory(): number {
    return peakMemoryOf(this.#child.pid ?? "self") ?? Number.NaN
  }

  async stop(): Promise<void> {
    this.#input.end()
    await this.#exit
  }

  async #read(length: number): Promise<Buffer> {
    const chunks: Array<Buffer> = []
    let missing = length
    while (missing > 0) {
      const chunk: Buffer | null = this.#output.read(Math.min(missing, this.#output.readableLength))
      if (chunk !== null) {
        chunks.push(chunk)
        missing -= chunk.length
      } else {
        await Promise.race([once(this.#output, "readable"), this.#exit])
        if (this.#child.exitCode !== null) throw new Error(`BookKeeper's process ended with ${this.#child.exitCode}`)
      }
    }
    return Buffer.concat(chunks)
  }
}

/** The bytes of a path, one an integer. */
const pathAsLongs = (path: string): ReadonlyArray<bigint> => [...Buffer.from(path)].map(BigInt)
