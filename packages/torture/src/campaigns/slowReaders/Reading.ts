/**
 * Cycles of open, work and close of an index: writers change ledgers so that
 * checkpoints follow one another, while readers are slow or stand still.
 *
 * Whoever writes, looks up, compacts or reads gets an answer all the same; the
 * close comes to its end in the midst of them; and the next open finds what was
 * acknowledged.
 */
import { EntryId, EntryLocationIndex, LedgerId } from "@effect-bookie/entry-location-index"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Exits from "../../harness/Exits.ts"
import type { Findings } from "../../harness/Findings.ts"
import * as Patience from "../../harness/Patience.ts"
import type { Random } from "../../harness/Random.ts"
import type { Report } from "../../harness/Report.ts"
import * as Stack from "../../harness/Stack.ts"
import { LedgerVersions, mostEntries } from "./LedgerVersions.ts"
import { patience, Readers } from "./Readers.ts"

type Index = EntryLocationIndex.EntryLocationIndex["Service"]

/** How many ledgers there are, each with its writer. */
const writers = 12

/** How many readers read at a time, besides those that stand still. */
const readers = 12

/** How many writes there are before the close, at least and at most. */
const writesBeforeClose = { least: 100, most: 600 }

/** An entry of each page that a ledger may have: to look them up brings all its pages into memory. */
const pages = Array.from({ length: Math.ceil(mostEntries / 256) }, (_, page) => EntryId.make(BigInt(page * 256)))

/** How long the close may take. */
const closePatience = "3 minutes"

/** Works on one directory. */
export class Reading {
  readonly #directory: string
  readonly #random: Random
  readonly #findings: Findings
  readonly #ledgers = Array.from({ length: writers }, (_, at) => new LedgerVersions(LedgerId.make(BigInt(at * 3))))
  readonly #figures = { cycles: 0, writes: 0, compactions: 0 }
  readonly #read: Record<string, number> = {}
  #nextLocation = 1
  #hung = false

  constructor(directory: string, random: Random, findings: Findings) {
    this.#directory = directory
    this.#random = random
    this.#findings = findings
  }

  /** Runs so many cycles, and goes on until so many seconds after that. */
  readonly run = Effect.fnUntraced(function* (this: Reading, cycles: number, extraSeconds: number) {
    let deadline = Infinity
    for (let cycle = 0; (cycle < cycles || Date.now() < deadline) && !this.#hung && this.#findings.none; cycle++) {
      yield* this.#cycle()
      if (cycle + 1 === cycles) deadline = Date.now() + extraSeconds * 1000
    }
    const report: Report = { figures: { ...this.#figures, ...this.#read }, found: this.#findings.all }
    return report
  })

  readonly #cycle = Effect.fnUntraced(function* (this: Reading) {
    this.#figures.cycles += 1
    const scope = yield* Scope.make(this.#random.oneIn(4) ? "parallel" : "sequential")
    const opened = yield* Effect.exit(Layer.buildWithScope(this.#layer, scope))
    if (Exit.isFailure(opened)) {
      this.#hang(`the open answered ${Exits.describe(Option.some(opened))}`)
      return yield* Scope.close(scope, Exit.void)
    }
    const index = Context.get(opened.value, EntryLocationIndex.EntryLocationIndex)
    yield* this.#verify(index)
    const reading = new Readers(this.#random, this.#findings, this.#ledgers)
    const running: Array<Fiber.Fiber<void>> = []
    for (const ledger of this.#ledgers) running.push(yield* Effect.forkDetach(this.#write(index, ledger, reading)))
    for (let count = 0; count < readers; count++) running.push(yield* Effect.forkDetach(reading.readOn(index)))
    running.push(yield* Effect.forkDetach(this.#lookUp(index)))
    const target = this.#figures.writes + this.#someWrites()
    while (this.#figures.writes < target && !this.#hung && !reading.hung) yield* Effect.sleep("1 millis")
    for (const [name, count] of Object.entries(reading.figures)) this.#read[name] = (this.#read[name] ?? 0) + count
    this.#hung ||= reading.hung
    // What hangs now would only hang the close, too.
    if (!this.#hung) yield* this.#close(scope, reading, running)
  })

  readonly #close = Effect.fnUntraced(function* (
    this: Reading,
    scope: Scope.Closeable,
    reading: Readers,
    running: ReadonlyArray<Fiber.Fiber<void>>
  ) {
    reading.beginClose()
    const closed = yield* Patience.exitWithin(Scope.close(scope, Exit.void), closePatience)
    if (Option.isNone(closed)) return this.#hang("the close waited for readers, or for nothing")
    if (Exit.isFailure(closed.value)) this.#findings.add(`the close answered ${Exits.describe(closed)}`)
    yield* reading.end()
    const ended = yield* Effect.timeoutOption(Fiber.awaitAll(running), closePatience)
    if (Option.isNone(ended)) this.#hang("fibers never came back from a closed index")
    this.#hung ||= reading.hung
  })

  /** Small sizes: a checkpoint after some writes, and pages that are read again and again. */
  get #layer() {
    return Stack.layer({
      directory: this.#directory,
      index: {
        durability: "buffered",
        compactionInterval: "5 millis",
        pageCacheSize: this.#random.pick(["4 KiB", "256 KiB", "16 MiB", "16 MiB"] as const),
        memtableSize: this.#random.pick(["4 KiB", "64 KiB", "256 KiB"] as const)
      },
      database: { shutdownDeadline: "2 minutes", writeBufferSize: "1 MiB" }
    })
  }

  /** Changes a ledger until the index is closed. */
  readonly #write = Effect.fnUntraced(function* (
    this: Reading,
    index: Index,
    ledger: LedgerVersions,
    reading: Readers
  ) {
    while (!this.#hung) {
      // Beside the change: so the reader begins before it, in the midst of it, or after it.
      if (this.#random.oneIn(4)) yield* reading.stopAt(index, ledger)
      const exit = yield* Patience.exitWithin(this.#change(index, ledger), patience)
      if (Option.isNone(exit)) return this.#hang("a write waited for readers, or for nothing")
      if (Exits.reasonOf(exit.value) === "Closed") return
      if (Exit.isFailure(exit.value)) return this.#findings.add(`a write answered ${Exits.describe(exit)}`)
      ledger.acknowledge()
      this.#figures.writes += 1
      reading.wrote()
      yield* Effect.yieldNow
    }
  })

  #change(index: Index, ledger: LedgerVersions): Effect.Effect<void, Exits.Failure> {
    return Effect.suspend(() => {
      if (this.#random.oneIn(20)) {
        ledger.beginDelete()
        return index.deleteLedger(ledger.ledgerId)
      }
      const count = 1 + this.#random.below(this.#random.pick([20, 300, 2_000]))
      // Mostly behind the last entry, as ledgers grow: a page that is new is not read first.
      const first = this.#random.oneIn(3) ? this.#random.below(mostEntries) : ledger.end
      const entries = ledger.beginAdd(first, count, this.#nextLocation)
      this.#nextLocation += count
      return index.addLocations(entries)
    })
  }

  /** Looks up, counts and compacts until the index is closed. */
  readonly #lookUp = Effect.fnUntraced(function* (this: Reading, index: Index) {
    while (!this.#hung) {
      const { ledgerId } = this.#random.pick([firstOf(this.#ledgers), ...this.#ledgers])
      const operations: ReadonlyArray<readonly [name: string, run: Effect.Effect<unknown, Exits.Failure>]> = [
        ["getLastEntryInLedger", index.getLastEntryInLedger(ledgerId)],
        ["entryCount", index.entryCount],
        ["getLocations", index.getLocations(pages.map((entryId) => ({ ledgerId, entryId })))],
        ["ledgers", Stream.runDrain(index.ledgers)],
        ["compact", index.compact]
      ]
      const [name, run] = operations[this.#random.below(operations.length)] ?? ["entryCount", index.entryCount]
      const exit = yield* Patience.exitWithin(run, patience)
      if (Option.isNone(exit)) return this.#hang(`${name} waited for readers, or for nothing`)
      if (Exits.reasonOf(exit.value) === "Closed") return
      if (Exit.isFailure(exit.value)) return this.#findings.add(`${name} answered ${Exits.describe(exit)}`)
      if (name === "compact") this.#figures.compactions += 1
      yield* Effect.sleep("2 millis")
    }
  })

  /** Each ledger holds one of the versions that it may have come to, which is the only one from then on. */
  readonly #verify = Effect.fnUntraced(function* (this: Reading, index: Index) {
    let count = 0n
    for (const ledger of this.#ledgers) {
      const entries = yield* Effect.orDie(Stream.runCollect(index.entries(ledger.ledgerId)))
      const read = entries.map(({ entryId, location }) => [Number(entryId), Number(location)] as const)
      const span = { from: ledger.acknowledged, to: ledger.begun }
      const problem = ledger.problemWith(read, true, { from: 0, to: mostEntries }, span)
      if (problem !== undefined) this.#findings.add(`opened again, ledger ${ledger.ledgerId}: ${problem}`)
      ledger.restart(read)
      count += BigInt(read.length)
    }
    const counted = yield* Effect.orDie(index.entryCount)
    this.#findings.check(counted === count, `the index counts ${counted} entries, and has ${count}`)
  })

  #someWrites(): number {
    const { least, most } = writesBeforeClose
    return least + this.#random.below(most - least)
  }

  #hang(finding: string): void {
    this.#hung = true
    this.#findings.add(finding)
  }
}

const firstOf = <A>(values: ReadonlyArray<A>): A => {
  const [first] = values
  if (first === undefined) throw new Error("there is none")
  return first
}
