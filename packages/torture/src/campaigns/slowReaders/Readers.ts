/**
 * Readers of an index that are fast, slow, stop in the middle, are interrupted,
 * or forget their stream; each holds what it reads against the versions that it
 * may have found.
 */
import { EntryId, type EntryLocationIndex } from "@effect-bookie/entry-location-index"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Exits from "../../harness/Exits.ts"
import type { Findings } from "../../harness/Findings.ts"
import * as Patience from "../../harness/Patience.ts"
import type { Random } from "../../harness/Random.ts"
import { type LedgerVersions, mostEntries, type Range, type Span } from "./LedgerVersions.ts"

type Index = EntryLocationIndex.EntryLocationIndex["Service"]

/** How long an answer may take that nothing but the machine delays. */
export const patience = "1 minute"

/** How many readers stand still at a time, and how many streams are forgotten. */
const mostStopped = 24
const mostForgotten = 8

/** What a reader does after so many items. */
type Pace = (items: number) => Effect.Effect<void>

const fast: Pace = () => Effect.void

const slow: Pace = (items) => (items % 64 === 0 ? Effect.sleep("1 millis") : Effect.void)

/** The readers of an index from its open to its close. */
export class Readers {
  readonly #random: Random
  readonly #findings: Findings
  readonly #ledgers: ReadonlyArray<LedgerVersions>
  readonly #closed = Latch.makeUnsafe()
  /** Those that stand still until there were so many writes. */
  #waiting: ReadonlyArray<{ readonly writes: number; readonly goOn: () => void }> = []
  #writes = 0
  readonly #stopped = new Set<Fiber.Fiber<void>>()
  readonly #forgotten: Array<{ readonly pull: Pull.Pull<unknown, Exits.Failure>; readonly scope: Scope.Closeable }> = []
  #closing = false
  /** Whether something never came back, so that nothing after it would tell more. */
  hung = false
  readonly figures = { read: 0, slow: 0, stopped: 0, interrupted: 0, forgotten: 0 }

  constructor(random: Random, findings: Findings, ledgers: ReadonlyArray<LedgerVersions>) {
    this.#random = random
    this.#findings = findings
    this.#ledgers = ledgers
  }

  /** From now on `Closed` is an answer. */
  beginClose(): void {
    this.#closing = true
  }

  /** One reader after another, until the index is closed. */
  readonly readOn = Effect.fnUntraced(function* (this: Readers, index: Index) {
    while (!this.#closing && !this.hung) {
      yield* this.#readOnce(index)
      yield* Effect.yieldNow
    }
  })

  /** A reader of a ledger that stands still until others have written much, or until the close; if there are not too many. */
  readonly stopAt = Effect.fnUntraced(function* (this: Readers, index: Index, ledger: LedgerVersions) {
    if (this.#stopped.size >= mostStopped) return
    this.figures.stopped += 1
    const last = 1 + this.#random.below(this.#random.pick([1, 300, 5_000]))
    const stay = this.#random.oneIn(4) ? this.#closed.await : this.#whileOthersWrite
    const pace: Pace = (items) => (items === last ? stay : Effect.void)
    const isOfLedgers = this.#random.oneIn(4)
    const read = isOfLedgers ? this.#readLedgers(index, pace) : this.#readEntries(index, ledger, pace)
    const fiber = yield* Effect.forkDetach(read)
    this.#stopped.add(fiber)
    fiber.addObserver(() => this.#stopped.delete(fiber))
  })

  /** There was a write. */
  wrote(): void {
    this.#writes += 1
    const due = this.#waiting.filter(({ writes }) => writes <= this.#writes)
    this.#waiting = this.#waiting.filter(({ writes }) => writes > this.#writes)
    for (const { goOn } of due) goOn()
  }

  readonly #whileOthersWrite: Effect.Effect<void> = Effect.raceFirst(
    Effect.callback<void>((resume) => {
      const waiter = { writes: this.#writes + 20 + this.#random.below(80), goOn: () => resume(Effect.void) }
      this.#waiting = [...this.#waiting, waiter]
      return Effect.sync(() => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter)
      })
    }),
    Effect.suspend(() => this.#closed.await)
  )

  /** After the close: those that stand still go on, and come to an end. */
  readonly end = Effect.fnUntraced(function* (this: Readers) {
    this.#closed.openUnsafe()
    const ended = yield* Effect.timeoutOption(Fiber.awaitAll([...this.#stopped]), patience)
    if (Option.isNone(ended)) return this.#hang("readers that had stopped never came back from a closed index")
    for (const { pull, scope } of this.#forgotten) {
      const answer = yield* Patience.exitWithin(pull, patience)
      const isRight = Option.isSome(answer) && (Exits.reasonOf(answer.value) === "Closed" || isEnd(answer.value))
      this.#findings.check(isRight, `a stream that was forgotten answered ${Exits.describe(answer)} after the close`)
      const isLetGo = yield* Patience.exitWithin(Scope.close(scope, Exit.void), patience)
      if (Option.isNone(isLetGo)) return this.#hang("a stream that was forgotten could not be let go")
    }
  })

  readonly #readOnce = Effect.fnUntraced(function* (this: Readers, index: Index) {
    switch (this.#random.below(8)) {
      case 0:
        this.figures.slow += 1
        return yield* this.#inTime(this.#read(index, slow))
      case 1:
      case 2:
        return yield* this.#interrupt(index)
      case 3:
      case 4:
        return yield* this.stopAt(index, this.#someLedger())
      case 5:
        if (this.#forgotten.length < mostForgotten) return yield* this.#forget(index)
    }
    yield* this.#inTime(this.#read(index, fast))
  })

  readonly #inTime = Effect.fnUntraced(function* (this: Readers, read: Effect.Effect<void>) {
    const exit = yield* Patience.exitWithin(read, patience)
    if (Option.isNone(exit)) this.#hang("a reader waited for others, or for nothing")
  })

  readonly #interrupt = Effect.fnUntraced(function* (this: Readers, index: Index) {
    this.figures.interrupted += 1
    const fiber = yield* Effect.forkDetach(this.#read(index, this.#random.oneIn(2) ? slow : fast))
    if (this.#random.oneIn(2)) yield* Effect.sleep(`${this.#random.below(4)} millis`)
    for (let yields = this.#random.below(5); yields > 0; yields--) yield* Effect.yieldNow
    if (!(yield* Patience.interruptWithin(fiber, patience))) this.#hang("a reader could not be interrupted")
  })

  /** A stream that was begun, and that nobody reads or ends. */
  readonly #forget = Effect.fnUntraced(function* (this: Readers, index: Index) {
    this.figures.forgotten += 1
    const scope = yield* Scope.make()
    const stream: Stream.Stream<unknown, Exits.Failure> = this.#random.oneIn(3)
      ? index.ledgers
      : index.entries(this.#someLedger().ledgerId)
    const pull = yield* Scope.provide(Stream.toPull(stream), scope)
    this.#forgotten.push({ pull, scope })
    if (this.#random.oneIn(4)) return
    const answer = yield* Patience.exitWithin(pull, patience)
    if (Option.isNone(answer)) return this.#hang("the first read of a stream waited for others, or for nothing")
    const isRight =
      Exit.isSuccess(answer.value) ||
      isEnd(answer.value) ||
      (this.#closing && Exits.reasonOf(answer.value) === "Closed")
    this.#findings.check(isRight, `the first read of a stream answered ${Exits.describe(answer)}`)
  })

  #read(index: Index, pace: Pace): Effect.Effect<void> {
    return this.#random.oneIn(3) ? this.#readLedgers(index, pace) : this.#readEntries(index, this.#someLedger(), pace)
  }

  #readEntries(index: Index, ledger: LedgerVersions, pace: Pace): Effect.Effect<void> {
    return Effect.suspend(() => {
      const range = this.#random.oneIn(2) ? { from: 0, to: mostEntries } : this.#someRange(ledger)
      const read: Array<readonly [entryId: number, location: number]> = []
      const from = ledger.acknowledged
      let to: number | undefined
      const ids = { from: EntryId.make(BigInt(range.from)), to: EntryId.make(BigInt(range.to)) }
      return Stream.runForEach(index.entries(ledger.ledgerId, ids), ({ entryId, location }) => {
        to ??= ledger.begun
        read.push([Number(entryId), Number(location)])
        return pace(read.length)
      }).pipe(
        this.#judged((isWhole) => {
          const problem = ledger.problemWith(read, isWhole, range, { from, to: to ?? ledger.begun })
          return problem === undefined ? undefined : `entries of ledger ${ledger.ledgerId}: ${problem}`
        })
      )
    })
  }

  #readLedgers(index: Index, pace: Pace): Effect.Effect<void> {
    return Effect.suspend(() => {
      const read: Array<bigint> = []
      const from = this.#ledgers.map(({ acknowledged }) => acknowledged)
      let to: ReadonlyArray<number> | undefined
      const begun = () => this.#ledgers.map((ledger) => ledger.begun)
      return Stream.runForEach(index.ledgers, (ledgerId) => {
        to ??= begun()
        read.push(ledgerId)
        return pace(read.length * 50)
      }).pipe(
        this.#judged((isWhole) => {
          const spans = (to ?? begun()).map((last, at) => ({ from: from[at] ?? 0, to: last }))
          return this.#problemWithLedgers(read, isWhole, spans)
        })
      )
    })
  }

  #problemWithLedgers(read: ReadonlyArray<bigint>, isWhole: boolean, spans: ReadonlyArray<Span>): string | undefined {
    const isInOrder = read.every((ledgerId, at) => at === 0 || (read[at - 1] ?? ledgerId) < ledgerId)
    if (!isInOrder) return `ledgers: ${read.join()} are out of order`
    const found = new Set(read)
    const last = read.at(-1)
    for (const [at, ledger] of this.#ledgers.entries()) {
      const presence = ledger.presence(spans[at] ?? { from: 0, to: 0 })
      if (found.has(ledger.ledgerId) && !presence.some) return `ledgers: ${ledger.ledgerId}, which had no entries`
      const isPassed = isWhole || (last !== undefined && ledger.ledgerId < last)
      if (isPassed && !found.has(ledger.ledgerId) && !presence.none) return `ledgers: none was ${ledger.ledgerId}`
    }
    return undefined
  }

  /** Notes what is wrong with a reader once it has ended: with how it ended, or with what it read until then. */
  readonly #judged =
    (problemWith: (isWhole: boolean) => string | undefined) =>
    (read: Effect.Effect<void, Exits.Failure>): Effect.Effect<void> =>
      Effect.exit(
        Effect.onExit(read, (exit) =>
          Effect.sync(() => {
            this.figures.read += 1
            const mayEnd =
              Exit.isSuccess(exit) ||
              Cause.hasInterruptsOnly(exit.cause) ||
              (this.#closing && Exits.reasonOf(exit) === "Closed")
            if (!mayEnd) this.#findings.add(`a reader ended with ${Exits.describe(Option.some(exit))}`)
            const problem = problemWith(Exit.isSuccess(exit))
            if (problem !== undefined) this.#findings.add(`a reader found what never stood there: ${problem}`)
          })
        )
      ).pipe(Effect.asVoid)

  #someLedger(): LedgerVersions {
    const [first, ...rest] = this.#ledgers
    if (first === undefined) throw new Error("there are no ledgers to read")
    return this.#random.pick([first, ...rest])
  }

  /** Half of the time from where the ledger ends on, as whoever follows it reads. */
  #someRange(ledger: LedgerVersions): Range {
    const from = this.#random.oneIn(2) ? ledger.end : this.#random.below(mostEntries)
    return { from, to: this.#random.oneIn(2) ? mostEntries : from + this.#random.below(mostEntries - from) }
  }

  #hang(finding: string): void {
    this.hung = true
    this.#findings.add(finding)
  }
}

/** Whether a stream has come to its end. */
const isEnd = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.isDone(Option.getOrUndefined(Cause.findErrorOption(exit.cause)))
