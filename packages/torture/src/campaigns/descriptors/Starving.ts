/**
 * Entry logs, their index and their database in a process whose descriptors run
 * out, a few times, at moments of any kind of work.
 *
 * Without descriptors an operation succeeds or is refused with an error that
 * says so and that it may pass; so does an open. With descriptors again all work
 * at once, and every acknowledged entry is there, and nothing else.
 */
import { EntryId, LedgerId } from "@effect-bookie/entry-location-index"
import type { EntryLog } from "@effect-bookie/entry-log"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Directory from "../../harness/Directory.ts"
import * as Exits from "../../harness/Exits.ts"
import type { Findings } from "../../harness/Findings.ts"
import * as Patience from "../../harness/Patience.ts"
import type { Random } from "../../harness/Random.ts"
import type { Report } from "../../harness/Report.ts"
import * as Stack from "../../harness/Stack.ts"
import * as ThisEngine from "../../harness/ThisEngine.ts"
import { Acknowledged, currentServices, type Services } from "../../model/Acknowledged.ts"
import * as Operations from "../../model/Operations.ts"

/** What is open. */
interface Opened extends Services {
  readonly database: RocksDB.RocksDB["Service"]
  readonly scope: Scope.Closeable
}

interface Named {
  readonly name: string
  readonly run: Effect.Effect<unknown, Exits.Failure>
}

/** How long an answer may take: nothing may be tried for ever. */
const patience = "1 minute"

/** How many ledgers are written to, each by one fiber at a time. */
const writers = 8

/** How often the descriptors run out between an open and a close. */
const famines = 5

/** Works in one directory. */
export class Starving {
  readonly #directory: string
  readonly #random: Random
  readonly #findings: Findings
  readonly #acknowledged: Acknowledged
  readonly #taken: Array<number> = []
  readonly #figures = { famines: 0, acknowledged: 0, operations: 0, refused: 0, refusedOpens: 0 }
  #nextEntry = 0n

  constructor(directory: string, random: Random, findings: Findings) {
    this.#directory = directory
    this.#random = random
    this.#findings = findings
    this.#acknowledged = new Acknowledged(findings)
  }

  /** Opens, starves, and closes, so many times. */
  readonly run = Effect.fnUntraced(function* (this: Starving, lives: number) {
    let files: ReadonlyArray<string> | undefined
    for (let life = 0; life < lives && this.#findings.none; life++) {
      const opened = yield* this.#open()
      if (opened === undefined) break
      yield* this.#verify(opened)
      for (let famine = 0; famine < famines && this.#findings.none; famine++) yield* this.#starve(opened)
      yield* this.#close(opened)
      const open = Directory.openFiles() ?? []
      files ??= open
      this.#findings.check(open.length <= files.length, `${open.length} files are open, and were ${files.length}`)
      if (this.#findings.none) yield* this.#openInFamine()
    }
    const last = this.#findings.none ? yield* this.#open() : undefined
    if (last !== undefined) {
      yield* this.#verify(last)
      yield* this.#close(last)
    }
    const report: Report = { figures: this.#figures, found: this.#findings.all }
    return report
  })

  /** Small sizes, so that files are made, opened and closed all the time. */
  get #layer() {
    return Stack.layer({
      directory: this.#directory,
      database: { writeBufferSize: "64 KiB", shutdownDeadline: "2 minutes", maxOpenFiles: 20 },
      index: { compactionInterval: "5 millis", pageCacheSize: "16 KiB", memtableSize: "16 KiB" },
      logs: { maxLogSize: "64 KiB" }
    })
  }

  readonly #open = Effect.fnUntraced(function* (this: Starving) {
    const scope = yield* Scope.make()
    const opened = yield* Effect.exit(Layer.buildWithScope(this.#layer, scope))
    if (Exit.isFailure(opened)) {
      this.#findings.add(`with descriptors the open answered ${Exits.describe(Option.some(opened))}`)
      return yield* Effect.as(Scope.close(scope, Exit.void), undefined)
    }
    const services = yield* Effect.provideContext(currentServices, opened.value)
    const answer: Opened = { ...services, database: Context.get(opened.value, RocksDB.RocksDB), scope }
    return answer
  })

  readonly #close = Effect.fnUntraced(function* (this: Starving, { scope }: Opened) {
    const closed = yield* Patience.exitWithin(Scope.close(scope, Exit.void), "3 minutes")
    if (Option.isSome(closed) && Exit.isSuccess(closed.value)) return
    this.#findings.add(`the close answered ${Exits.describe(closed)}`)
  })

  /** Lets descriptors run out while all work, gives some back now and then, and in the end all of them. */
  readonly #starve = Effect.fnUntraced(function* (this: Starving, opened: Opened) {
    this.#figures.famines += 1
    yield* this.#work(opened, 3, true)
    this.#take()
    yield* Effect.raceFirst(this.#work(opened, 12, false), this.#takeAndGive)
    this.#give(this.#taken.length)
    yield* this.#work(opened, 4, true)
    for (const stored of this.#samples(40)) {
      const isThere = yield* Effect.exit(this.#acknowledged.isThere(opened, stored))
      if (Exit.isFailure(isThere)) this.#findings.add(`a read answered ${Exits.describe(Option.some(isThere))}`)
      else this.#findings.check(isThere.value, `entry ${stored.entry.entryId} is elsewhere, or has other bytes`)
    }
  })

  /** An open without descriptors is refused, or succeeds, and leaves the directory as it was. */
  readonly #openInFamine = Effect.fnUntraced(function* (this: Starving) {
    this.#take()
    // Each of the first opens gets a little further.
    this.#give(this.#random.below(30))
    const open = Effect.scoped(Layer.build(this.#layer))
    const exit = yield* Patience.exitWithin(open, patience)
    this.#give(this.#taken.length)
    if (Option.isSome(exit) && Exit.isSuccess(exit.value)) return
    this.#figures.refusedOpens += 1
    this.#judge("the open", exit, false)
  })

  /** So many operations of each fiber. */
  readonly #work = (opened: Opened, operations: number, mustSucceed: boolean): Effect.Effect<void> => {
    const fibers = Array.from({ length: writers }, (_, writer) => writer)
    const work = Effect.fnUntraced(function* (this: Starving, writer: number) {
      for (let count = 0; count < operations && this.#findings.none; count++) {
        const { name, run } = this.#choose(opened, writer)
        const again = { times: mustSucceed ? timesAgain(name) : 0, while: mayPass }
        const exit = yield* Patience.exitWithin(Effect.retry(run, again), patience)
        this.#figures.operations += 1
        if (Option.isSome(exit) && Exit.isSuccess(exit.value)) continue
        this.#figures.refused += 1
        this.#judge(name, exit, mustSucceed)
      }
    }).bind(this)
    return Effect.forEach(fibers, work, { concurrency: "unbounded", discard: true })
  }

  #judge(name: string, exit: Option.Option<Exit.Exit<unknown, Exits.Failure>>, mustSucceed: boolean): void {
    const error = Option.isSome(exit) ? Exits.errorOf(exit.value) : undefined
    const saysSo = error?.isRetryable === true && "code" in error.reason && error.reason.code === "EMFILE"
    if (!mustSucceed && saysSo) return
    this.#findings.add(`${name} ${mustSucceed ? "with" : "without"} descriptors answered ${Exits.describe(exit)}`)
  }

  #choose(opened: Opened, writer: number): Named {
    const { database, entryLog, index } = opened
    switch (this.#random.below(8)) {
      case 0:
      case 1:
      case 2:
        return { name: "a batch", run: this.#store(opened, writer) }
      case 3:
        if (!this.#random.oneIn(4)) return { name: "syncWal", run: database.syncWal }
        return { name: "deleteLedger", run: this.#acknowledged.deleteLedger(opened, ledgerOf(writer)) }
      case 4: {
        // Of a ledger that only this fiber writes to.
        const stored = this.#acknowledged.all.find(({ entry }) => entry.ledgerId === ledgerOf(writer))
        if (stored === undefined) break
        const read = Effect.map(this.#acknowledged.isThere(opened, stored), (isThere) =>
          this.#findings.check(isThere, `entry ${stored.entry.entryId} is elsewhere, or has other bytes`)
        )
        return { name: "a read", run: read }
      }
      case 5:
        return { name: "a scan of the logs", run: Stream.runDrain(Stream.take(entryLog.scan(), 500)) }
      case 6:
        return { name: "entries", run: Stream.runDrain(index.entries(ledgerOf(this.#random.below(writers)))) }
    }
    const all = Operations.ofDatabase(database, this.#random)
    return all[this.#random.below(all.length)] ?? { name: "entryCount", run: index.entryCount }
  }

  #store(opened: Opened, writer: number): Effect.Effect<void, Exits.Failure> {
    const entries = Array.from({ length: 1 + this.#random.below(60) }, (): EntryLog.Entry => {
      const number = this.#nextEntry++
      const payload = Buffer.alloc(this.#random.below(400), `${number} `)
      // Far from one another, so that the index has much to write.
      return { ledgerId: ledgerOf(writer), entryId: EntryId.make(number * 100n), payload }
    })
    return Effect.map(this.#acknowledged.store(opened, entries), (count) => {
      this.#figures.acknowledged += count
    })
  }

  readonly #verify = Effect.fnUntraced(function* (this: Starving, opened: Opened) {
    yield* this.#acknowledged.verifyIndex(opened)
    yield* this.#acknowledged.verifyLogs(opened)
  })

  #samples(count: number) {
    const { all } = this.#acknowledged
    return Array.from({ length: Math.min(count, all.length) }, () => this.#random.below(all.length)).flatMap((at) =>
      all.slice(at, at + 1)
    )
  }

  /** Takes descriptors as long as there are any. */
  #take(): void {
    try {
      while (true) this.#taken.push(Fs.openSync("/dev/null", "r"))
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "EMFILE")) throw cause
    }
  }

  /** Gives so many back. */
  #give(count: number): void {
    for (const descriptor of this.#taken.splice(0, count)) Fs.closeSync(descriptor)
  }

  readonly #takeAndGive: Effect.Effect<never> = Effect.forever(
    Effect.suspend(() => {
      if (this.#random.oneIn(2)) this.#take()
      else this.#give(this.#random.below(5))
      return Effect.sleep(`${this.#random.below(4)} millis`)
    })
  )
}

const ledgerOf = (writer: number): LedgerId.LedgerId => LedgerId.make(BigInt(writer))

/** How often an operation with descriptors may be tried again that is refused at first. */
const timesAgain = (name: string): number => {
  // A stream fails where the directory is opened anew under it, which the first write may do: not again and again.
  if (name === "entries" || name.startsWith("stream")) return 3
  // RocksDB 6.17 does not say why a flush has failed; the write that is told of it may be refused once more.
  return ThisEngine.isLevel ? 1 : 0
}

const mayPass = (error: Exits.Failure): boolean => error.isRetryable || error.reason._tag === "IOError"
