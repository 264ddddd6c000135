/**
 * One engine with its directory, in a process of its own: what the steps of a
 * run work on.
 */
import * as Fs from "node:fs"
import type { EngineName } from "./Engines.ts"
import { absent, type Engine, type Host, makeEntries } from "./Engine.ts"
import { Draws } from "./Random.ts"
import { type Shape, Workload } from "./Workload.ts"

/** What a process is started for. */
export interface Setup {
  readonly engine: EngineName
  readonly directory: string
  readonly shape: Shape
  readonly settings: Settings
}

/** How works are done, the same by every engine. */
export interface Settings {
  /** The size of the cache in bytes, except in the works that say otherwise. */
  readonly cacheSize: number
  /** The size of the cache in bytes for reads that are to find everything in memory. */
  readonly warmCacheSize: number
  /** How many milliseconds of work a turn of a lookup takes at least. */
  readonly turnTime: number
  /** How many entries the ledger has that is deleted. */
  readonly deletedEntries: number
}

/** What a step has measured, by the names of the measures. */
export type Values = Readonly<Record<string, number>>

/** How many entries one call looks up. */
export const lookupSize = 1000

export class Session {
  readonly host: Host
  readonly setup: Setup
  readonly workload: Workload
  #engine: Engine | undefined

  constructor(host: Host, setup: Setup) {
    this.host = host
    this.setup = setup
    this.workload = new Workload(setup.shape)
  }

  /** The index, which is open. */
  get engine(): Engine {
    if (this.#engine === undefined) throw new Error("the index is not open")
    return this.#engine
  }

  /** Opens the index with a cache as usual, one that all of it fits in, or one for a twentieth of it. */
  async open(cache: "usual" | "warm" | "cold"): Promise<void> {
    const { cachedEntrySize, usualCacheSize } = this.host
    const { directory, settings, shape } = this.setup
    const cacheSize = {
      usual: Math.max(usualCacheSize, settings.cacheSize),
      warm: Math.max(usualCacheSize, settings.warmCacheSize),
      cold: Math.ceil((shape.entries * cachedEntrySize) / 20)
    }[cache]
    this.#engine = await this.host.open(directory, cacheSize)
  }

  async close(): Promise<void> {
    const engine = this.#engine
    this.#engine = undefined
    await engine?.close()
  }

  /** Forgets everything that the directory has. The index is not open. */
  clear(): void {
    Fs.rmSync(this.setup.directory, { recursive: true, force: true })
    Fs.mkdirSync(this.setup.directory, { recursive: true })
  }

  /** Adds the flushes of a workload, and answers how many milliseconds that took. */
  async add(workload: Workload): Promise<number> {
    const { flushSize } = workload.shape
    const { engine, host } = this
    const entries = makeEntries(flushSize)
    let milliseconds = 0
    for (let nth = 0; nth < workload.flushes; nth++) {
      workload.flush(nth, entries)
      milliseconds += await host.time(async () => {
        engine.put(entries, 0, flushSize)
        await engine.commit()
      })
    }
    return milliseconds
  }

  /** Throws unless the index answers for some entries of a workload, and for some that there are not, as it must. */
  async check(workload: Workload, seed: number): Promise<void> {
    const { entriesPerLedger, shape } = workload
    const draws = new Draws(shape.seed, seed)
    const entries = makeEntries(lookupSize)
    for (let at = 0; at < lookupSize; at++) {
      entries.ledgerIds[at] = BigInt(shape.firstLedger + draws.below(shape.ledgers))
      // One in nine lies behind the last entry.
      entries.entryIds[at] = BigInt(draws.below(entriesPerLedger + Math.ceil(entriesPerLedger / 8)))
    }
    await this.engine.getMany(entries, entries.locations)
    workload.check(entries, entries.locations)
    const entryIds = new BigInt64Array(lookupSize)
    await this.engine.lastEntries(entries.ledgerIds, entryIds)
    if (entryIds.some((entryId) => entryId !== BigInt(entriesPerLedger - 1))) throw new Error("wrong last entry")
  }

  /** Throws unless a ledger has no entries. */
  async checkDeleted(ledgerId: bigint): Promise<void> {
    const { entryIds, ledgerIds, locations } = makeEntries(1)
    ledgerIds[0] = ledgerId
    await this.engine.lastEntries(ledgerIds, entryIds)
    const last = entryIds[0]
    entryIds[0] = 0n
    await this.engine.getMany({ ledgerIds, entryIds }, locations)
    if (last !== absent || locations[0] !== absent) throw new Error(`ledger ${ledgerId} still has entries`)
  }
}
