/**
 * A run: the same works by every engine, turn about.
 *
 * Each engine has a process of its own, which is started anew for each width of
 * a flush and for the reads, so that its peak of memory is that of these works.
 * While one has its turn the others wait: they have closed their index, or have
 * nothing left to do in the background. The index that the narrow flushes have
 * made is kept, and read.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Child } from "./Child.ts"
import { type EngineName, engines } from "./Engines.ts"
import * as Machine from "./Machine.ts"
import { measures } from "./measures.ts"
import type { Options, WorkName } from "./Options.ts"
import type { Report, SizeReport } from "./Report.ts"
import type { Setup, Values } from "./Session.ts"
import type { StepName } from "./steps.ts"

/** Says how far the run is. */
export type Progress = (text: string) => void

/** Does all works. Rejects at the first wrong answer. Leaves nothing in the directory. */
export const run = async (options: Options, progress: Progress): Promise<Report> => {
  const sizes: Array<SizeReport> = []
  for (const entries of options.entries) sizes.push(await new SizeRun(options, entries, progress).run())
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: Machine.describe(),
    turns: options.turns,
    seed: options.seed,
    engines: options.engines.map(Machine.participant),
    sizes
  }
}

/** The works that read, and the delete: on the index that `add` has made. */
const warmWorks = ["lookup-many", "lookup-one", "scan", "columns", "last"] as const
const coldWorks = ["lookup-cold", "lookup-runs"] as const
const lateWorks = ["delete", "event-loop"] as const

/** From so many entries on, each turn of adding has a process of its own: its peak of memory is that of one index. */
const hugeSize = 1e8

class SizeRun {
  readonly #options: Options
  readonly #entries: number
  readonly #progress: Progress
  readonly #values = new Map<string, Map<EngineName, Array<number>>>()

  constructor(options: Options, entries: number, progress: Progress) {
    this.#options = options
    this.#entries = entries
    this.#progress = progress
  }

  async run(): Promise<SizeReport> {
    const { ledgers, works } = this.#options
    const [narrow, wide, widest] = ledgers
    if (works.includes("add-widest")) await this.#add("add-widest", widest)
    if (works.includes("add-wide")) await this.#add("add-wide", wide)
    const reads = works.some((work) => !work.startsWith("add"))
    if (works.includes("add") || reads) await this.#add("add", narrow)
    if (reads) await this.#read(narrow)
    for (const name of this.#options.engines) this.#remove(name)
    return {
      entries: this.#entries,
      rows: measures(this.#options).flatMap((measure) => {
        const values = this.#values.get(measure.id)
        return values === undefined ? [] : [{ ...measure, values: Object.fromEntries(values) }]
      })
    }
  }

  /** The engines that are no variants of others. */
  get #peers(): ReadonlyArray<EngineName> {
    return this.#options.engines.filter((name) => engines[name].variantOf === undefined)
  }

  /** Bulk adds over so many ledgers, each turn into a new index; the last one is kept. */
  async #add(work: WorkName, ledgers: number): Promise<void> {
    const isMeasured = this.#options.works.includes(work)
    const record = isMeasured ? (name: EngineName, values: Values) => this.#record(work, name, values) : undefined
    const turns = isMeasured ? this.#options.turns : 1
    const turnsPerProcess = this.#entries < hugeSize ? turns : 1
    for (let done = 0; done < turns; done += turnsPerProcess) {
      await this.#withChildren(this.#peers, ledgers, async (children) => {
        await this.#turns(children, "add", work, record, turnsPerProcess)
        if (record !== undefined) await this.#turns(children, "memory", `${work}, memory`, record, 1)
      })
    }
  }

  async #read(ledgers: number): Promise<void> {
    const { works } = this.#options
    const chosen = (some: ReadonlyArray<WorkName & StepName>) => some.filter((work) => works.includes(work))
    const record = (name: EngineName, values: Values) => this.#record("read", name, values)
    // Before all reads, so that each engine has its entries where it has most of them in the long run.
    await this.#withChildren(this.#peers, ledgers, (children) =>
      this.#turns(children, "compact", "compact", works.includes("compact") ? record : undefined, 1)
    )
    for (const name of this.#options.engines) {
      const { variantOf } = engines[name]
      if (variantOf === undefined) continue
      Fs.cpSync(this.#directoryOf(variantOf), this.#directoryOf(name), { recursive: true })
    }
    await this.#withChildren(this.#options.engines, ledgers, async (children) => {
      const peers = new Map([...children].filter(([name]) => engines[name].variantOf === undefined))
      const takingPart = (work: WorkName) => (work.startsWith("lookup") ? children : peers)
      if (chosen([...warmWorks, ...coldWorks]).length > 0) {
        await this.#turns(children, "warm", "warm up", undefined, 1)
        for (const work of chosen(warmWorks)) await this.#turns(takingPart(work), work, work, record)
        if (chosen(coldWorks).length > 0) await this.#turns(peers, "cold", "small cache", undefined, 1)
        for (const work of chosen(coldWorks)) await this.#turns(peers, work, work, record)
        await this.#turns(children, "shut", "close", undefined, 1)
      }
      await this.#turns(peers, "memory", "reading, memory", record, 1)
      for (const work of chosen(lateWorks)) await this.#turns(peers, work, work, record)
    })
  }

  /** Every engine in turn, and so on for as many turns as there are. */
  async #turns(
    children: ReadonlyMap<EngineName, Child>,
    step: StepName,
    title: string,
    record: ((name: EngineName, values: Values) => void) | undefined,
    turns = this.#options.turns
  ): Promise<void> {
    for (let turn = 1; turn <= turns; turn++) {
      for (const [name, child] of children) {
        const values = await child.run(step, turn)
        record?.(name, values)
        const said = Object.entries(values).map(([id, value]) => `${id} ${value.toPrecision(4)}`)
        this.#progress(`${this.#entries} entries, ${title}, turn ${turn} of ${turns}, ${name}: ${said.join(", ")}`)
      }
    }
  }

  #record(scope: string, name: EngineName, values: Values): void {
    for (const [id, value] of Object.entries(values)) {
      const key = `${scope} ${id}`
      const byEngine = this.#values.get(key) ?? new Map<EngineName, Array<number>>()
      this.#values.set(key, byEngine)
      byEngine.set(name, [...(byEngine.get(name) ?? []), value])
    }
  }

  async #withChildren(
    names: ReadonlyArray<EngineName>,
    ledgers: number,
    use: (children: ReadonlyMap<EngineName, Child>) => Promise<void>
  ): Promise<void> {
    const children = new Map(names.map((name) => [name, new Child(this.#setup(name, ledgers))]))
    try {
      await use(children)
    } finally {
      await Promise.all([...children.values()].map((child) => child.stop()))
    }
  }

  #setup(engine: EngineName, ledgers: number): Setup {
    const { cacheSize, deletedEntries, flushSize, seed, turnTime } = this.#options
    const entries = this.#entries
    return {
      engine,
      directory: this.#directoryOf(engine),
      shape: { seed, entries, ledgers, flushSize, firstLedger: 1 },
      // 32 bytes are more than an entry takes up in any of the caches.
      settings: { cacheSize, warmCacheSize: Math.max(cacheSize, 32 * entries), turnTime, deletedEntries }
    }
  }

  #directoryOf(engine: EngineName): string {
    return Path.join(this.#options.directory, engine)
  }

  #remove(engine: EngineName): void {
    Fs.rmSync(this.#directoryOf(engine), { recursive: true, force: true })
  }
}
