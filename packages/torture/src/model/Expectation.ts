/**
 * What a bookie's directory may hold after a crash, by what its process had
 * begun and what it had acknowledged.
 *
 * Every operation that was acknowledged is there. Of the one under way, each
 * batch is there whole or not at all, and of a rebuild the old index or the new
 * one is. What the logs hold beyond the index, a later rebuild brings back.
 */
import { type Inspection, keyOf, type Written } from "./Inspection.ts"
import * as Workload from "./Workload.ts"

/** How far a process came. */
export interface Progress {
  /** The operation under way, or `undefined` if all that were begun are acknowledged. */
  readonly underWay: number | undefined
  /** The number of the next operation that has not been begun. */
  readonly next: number
  /** The batches of the operation under way that were acknowledged. */
  readonly acknowledged: ReadonlySet<number>
  /** How many operations and batches were acknowledged. */
  readonly count: number
}

/** Reads the lines `begin N`, `batch N B` and `end N` that a bookie prints. The first operation is `first`. */
export const progressOf = (printed: string, first: number): Progress => {
  let underWay: number | undefined
  let next = first
  let count = 0
  let acknowledged = new Set<number>()
  for (const line of printed.split("\n").slice(0, -1)) {
    const [word, number, batch] = line.split(" ")
    if (word === "begin") {
      underWay = Number(number)
      next = underWay + 1
      acknowledged = new Set()
    } else if (word === "batch") {
      acknowledged.add(Number(batch))
      count += 1
    } else if (word === "end") {
      underWay = undefined
      count += 1
    }
  }
  return { underWay, next, acknowledged, count }
}

/** What may have been lost at a crash, besides what a process had in memory. */
export type Crash = "kill" | "power loss"

/** What a bookie holds as far as its operations are known. */
export class Expectation {
  readonly #seed: number
  #index = new Map<string, number>()
  #logs = new Map<string, number>()
  /**
   * What a kill may have left of an operation that was not acknowledged, and its number. Until the next process has
   * recovered what it found, and begins an operation of its own, a power loss may still turn one into another.
   */
  #unsynced: { readonly outcomes: ReadonlyArray<Outcome>; readonly number: number } | undefined
  /** The first operation that is not known to have been done. */
  next = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  /** Goes on to what was found, or says what about it cannot be. */
  follow(progress: Progress, found: Inspection, crash: Crash): string | undefined {
    if (progress.next > this.next) this.#unsynced = undefined
    const unsynced = crash === "power loss" ? this.#unsynced : undefined
    const other = unsynced?.outcomes.find(({ index }) => difference(index, found.index) === undefined)
    if (unsynced !== undefined && other !== undefined) {
      this.#unsynced = undefined
      this.#take(found, other.isDone ? unsynced.number + 1 : unsynced.number)
      return undefined
    }
    const last = progress.underWay ?? progress.next
    for (; this.next < last; this.next++) this.#do(Workload.operation(this.#seed, this.next))
    const outcomes = this.#outcomes(progress, found.logs)
    const outcome = outcomes.find(({ index }) => difference(index, found.index) === undefined)
    const nearest = outcomes[0]
    const isDone = progress.underWay === undefined || outcome?.isDone === true
    if (progress.underWay !== undefined && crash === "kill") this.#unsynced = { outcomes, number: progress.underWay }
    this.#take(found, isDone ? progress.next : (progress.underWay ?? progress.next))
    if (outcome !== undefined || nearest === undefined) return undefined
    return `operation ${progress.underWay ?? "none"} under way: ${difference(nearest.index, found.index)}`
  }

  #take(found: Inspection, next: number): void {
    this.next = next
    this.#index = new Map(found.index)
    this.#logs = new Map(found.logs)
  }

  #do(operation: Workload.Operation): void {
    if (operation.type === "add") {
      for (const batch of operation.batches) this.#add(this.#index, batch)
      for (const batch of operation.batches) this.#add(this.#logs, batch)
    } else {
      this.#index = this.#without(operation, this.next, this.#index, this.#logs)
    }
  }

  #add(written: Map<string, number>, batch: Workload.Batch): void {
    for (const { entryId, ledgerId } of batch) written.set(keyOf(ledgerId, entryId), this.next)
  }

  #without(operation: Workload.Operation, number: number, index: Written, logs: Written): Map<string, number> {
    if (operation.type === "delete") return filter(index, new Set([operation.ledgerId]))
    if (operation.type === "rebuild") return filter(logs, Workload.deletedBefore(this.#seed, number))
    return new Map(index)
  }

  /** The states that may be found. */
  #outcomes({ acknowledged, underWay }: Progress, logs: Written): ReadonlyArray<Outcome> {
    const operation = underWay === undefined ? undefined : Workload.operation(this.#seed, underWay)
    if (underWay === undefined || operation === undefined) return [{ index: this.#index, isDone: true }]
    if (operation.type !== "add") {
      return [
        { index: this.#without(operation, underWay, this.#index, logs), isDone: true },
        { index: this.#index, isDone: false }
      ]
    }
    const { batches } = operation
    const outcomes: Array<Outcome> = []
    for (let chosen = 0; chosen < 1 << batches.length; chosen++) {
      if ([...acknowledged].some((at) => (chosen & (1 << at)) === 0)) continue
      const index = new Map(this.#index)
      for (const [at, batch] of batches.entries()) if ((chosen & (1 << at)) !== 0) this.#add(index, batch)
      outcomes.push({ index, isDone: chosen !== 0 })
    }
    return outcomes
  }
}

interface Outcome {
  readonly index: Written
  /** Whether the operation under way counts as done, so that it is not done again. */
  readonly isDone: boolean
}

const filter = (written: Written, deleted: ReadonlySet<bigint>): Map<string, number> =>
  new Map([...written].filter(([key]) => !deleted.has(BigInt(key.slice(0, key.indexOf(":"))))))

/** The first entry in which two states differ, if there is one. */
const difference = (expected: Written, found: Written): string | undefined => {
  for (const [key, writer] of expected) {
    const there = found.get(key)
    if (there !== writer) {
      return `${key} of operation ${writer} is ${there === undefined ? "lost" : `that of operation ${there}`}`
    }
  }
  for (const [key, writer] of found) {
    if (!expected.has(key)) return `${key} of operation ${writer} is there, and should not be`
  }
  return undefined
}
