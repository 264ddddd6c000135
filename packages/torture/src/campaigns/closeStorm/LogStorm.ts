/**
 * Cycles of open, work and close on one directory of entry logs.
 *
 * While fibers append, sync, read, scan and interrupt each other, the scope
 * closes, one after another or with all finalizers at once. From then on nothing
 * is written and every operation answers `Closed`; what was acknowledged is on
 * disk, and the next open finds it, byte for byte.
 */
import { EntryId, EntryLog, LedgerId, type Location } from "@effect-bookie/entry-log"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Directory from "../../harness/Directory.ts"
import { unsynced } from "../../harness/DiskWatch.ts"
import * as Exits from "../../harness/Exits.ts"
import type { Findings } from "../../harness/Findings.ts"
import * as Patience from "../../harness/Patience.ts"
import type { Random } from "../../harness/Random.ts"
import type { Report } from "../../harness/Report.ts"
import * as Workload from "../../model/Workload.ts"

type Log = EntryLog.EntryLog["Service"]

/** How many fibers work at once, each on a ledger of its own. */
const fibers = 40

/** After so many cycles the next one begins with an empty directory: each scans everything. */
const cyclesPerDirectory = 8

/** How long a close, or what it ends, may take. */
const patience = "2 minutes"

/** An entry that was acknowledged. */
interface Appended {
  readonly ledgerId: LedgerId.LedgerId
  readonly entryId: EntryId.EntryId
  readonly location: Location.Location
}

/** Works in one directory after another, below one of its own. */
export class LogStorm {
  readonly #room: string
  readonly #seed: number
  readonly #random: Random
  readonly #findings: Findings
  readonly #figures = { logCycles: 0, operations: 0, interrupted: 0, closed: 0, appended: 0, scanned: 0 }
  #directory = ""
  #appended: Array<Appended> = []
  #nextEntry = 0n

  constructor(room: string, seed: number, random: Random, findings: Findings) {
    this.#room = room
    this.#seed = seed
    this.#random = random
    this.#findings = findings
  }

  /** Runs so many cycles, and goes on until so many seconds after that, or until something is found: the rest would follow from it. */
  readonly run = Effect.fnUntraced(function* (this: LogStorm, cycles: number, extraSeconds: number) {
    let deadline = Infinity
    for (let cycle = 0; (cycle < cycles || Date.now() < deadline) && this.#findings.none; cycle++) {
      if (cycle % cyclesPerDirectory === 0) this.#beginDirectory(cycle)
      yield* this.#cycle(cycle)
      if (cycle + 1 === cycles) deadline = Date.now() + extraSeconds * 1000
    }
    const report: Report = { figures: this.#figures, found: this.#findings.all }
    return report
  })

  #beginDirectory(cycle: number): void {
    if (this.#directory !== "") Fs.rmSync(this.#directory, { recursive: true })
    this.#directory = Path.join(this.#room, String(cycle))
    this.#appended = []
  }

  readonly #cycle = Effect.fnUntraced(function* (this: LogStorm, cycle: number) {
    this.#figures.logCycles += 1
    const kind = this.#random.oneIn(2) ? "parallel" : "sequential"
    const note = (finding: string) => this.#findings.add(`cycle ${cycle}, ${kind}: ${finding}`)
    const scope = yield* Scope.make(kind)
    const maxLogSize = this.#random.pick(["4 KiB", "64 KiB", "1 MiB"] as const)
    const opened = yield* Effect.exit(Scope.provide(EntryLog.make({ directory: this.#directory, maxLogSize }), scope))
    if (Exit.isFailure(opened)) return note(`the open answered ${Exits.describe(Option.some(opened))}`)
    const log = opened.value
    yield* this.#verify(log, note)
    const running: Array<Fiber.Fiber<void>> = []
    for (let at = 0; at < fibers; at++) running.push(yield* Effect.forkChild(this.#work(log, at, running, note)))
    yield* Effect.sleep(`${this.#random.below(25)} millis`)
    const closed = yield* Patience.exitWithin(Scope.close(scope, Exit.void), patience)
    const left = listing(this.#directory)
    if (Option.isNone(closed) || Exit.isFailure(closed.value)) note(`the close answered ${Exits.describe(closed)}`)
    const ended = yield* Effect.timeoutOption(Fiber.awaitAll(running), patience)
    if (Option.isNone(ended)) note("fibers never came back from closed entry logs")
    if (listing(this.#directory) !== left) note("something was written after the close")
    const pending = unsynced(this.#directory)
    if (pending.length > 0) note(`after the close ${pending.join()} are not on disk`)
    const open = (Directory.openFiles() ?? []).filter((path) => path.startsWith(`${this.#directory}/`))
    if (open.length > 0) note(`after the close ${open.slice(0, 5).join()} are open`)
    yield* this.#afterClose(log, note)
  })

  /** One of the fibers: works until it is told that the entry logs are closed. */
  readonly #work = Effect.fnUntraced(function* (
    this: LogStorm,
    log: Log,
    ledger: number,
    running: ReadonlyArray<Fiber.Fiber<unknown>>,
    note: (finding: string) => void
  ) {
    for (let closed = 0; closed < 3;) {
      const { name, run } = this.#choose(log, LedgerId.make(BigInt(ledger)))
      const fiber = yield* Effect.forkChild(run)
      if (this.#random.oneIn(4)) {
        for (let yields = this.#random.below(4); yields > 0; yields--) yield* Effect.yieldNow
        fiber.interruptUnsafe()
      }
      if (this.#random.oneIn(500)) running[this.#random.below(running.length)]?.interruptUnsafe()
      const exit = yield* Fiber.await(fiber)
      this.#figures.operations += 1
      if (Exit.isSuccess(exit)) continue
      if (Cause.hasInterruptsOnly(exit.cause)) this.#figures.interrupted += 1
      else if (Exits.reasonOf(exit) === "Closed") closed += 1
      else note(`${name} in the midst of a close answered ${Exits.describe(Option.some(exit))}`)
    }
  })

  #choose(log: Log, ledgerId: LedgerId.LedgerId): Named {
    switch (this.#random.below(8)) {
      case 0:
      case 1: {
        const entry = this.#makeEntry(ledgerId)
        const append = log.append(entry.ledgerId, entry.entryId, entry.payload)
        return { name: "append", run: Effect.map(append, (location) => this.#acknowledge([entry], [location])) }
      }
      case 2:
      case 3: {
        const entries = Array.from({ length: 1 + this.#random.below(300) }, () => this.#makeEntry(ledgerId))
        const append = log.appendAll(entries)
        return { name: "appendAll", run: Effect.map(append, (locations) => this.#acknowledge(entries, locations)) }
      }
      case 4:
        return { name: "sync", run: log.sync }
      case 5:
        if (this.#random.oneIn(2)) return { name: "logs", run: log.logs }
        return { name: "scan", run: Stream.runDrain(Stream.take(log.scan(), 1 + this.#random.below(2_000))) }
    }
    const appended = this.#appended[this.#random.below(this.#appended.length)]
    if (appended === undefined) return { name: "sync", run: log.sync }
    const { entryId, location } = appended
    return {
      name: "read",
      run: Effect.map(log.read(appended.ledgerId, entryId, location), (payload) => {
        const isRight = Workload.writerOf(this.#seed, appended.ledgerId, entryId, payload) !== undefined
        this.#findings.check(isRight, `entry ${entryId} of ledger ${appended.ledgerId} was read with other bytes`)
      })
    }
  }

  /** An entry that was never appended before. */
  #makeEntry(ledgerId: LedgerId.LedgerId): EntryLog.Entry {
    const entryId = EntryId.make(this.#nextEntry++)
    return { ledgerId, entryId, payload: Workload.payloadOf(this.#seed, 0, ledgerId, entryId) }
  }

  #acknowledge(entries: ReadonlyArray<EntryLog.Entry>, locations: ReadonlyArray<Location.Location>): void {
    this.#figures.appended += entries.length
    for (const [at, { entryId, ledgerId }] of entries.entries()) {
      const location = locations[at]
      if (location !== undefined) this.#appended.push({ ledgerId, entryId, location })
    }
  }

  /** What was acknowledged is where it was said to be; nothing has bytes that nobody appended. */
  readonly #verify = Effect.fnUntraced(function* (this: LogStorm, log: Log, note: (finding: string) => void) {
    const found = new Map<Location.Location, EntryLog.LocatedEntry>()
    const scan = Stream.runForEach(log.scan(), (entry) => Effect.sync(() => found.set(entry.location, entry)))
    const exit = yield* Effect.exit(scan)
    if (Exit.isFailure(exit)) note(`a scan answered ${Exits.describe(Option.some(exit))}`)
    this.#figures.scanned += found.size
    for (const { entryId, ledgerId, payload } of found.values()) {
      const isRight = Workload.writerOf(this.#seed, ledgerId, entryId, payload) !== undefined
      if (!isRight) note(`nobody appended the bytes of entry ${entryId} of ledger ${ledgerId}`)
    }
    for (const { entryId, ledgerId, location } of this.#appended) {
      const entry = found.get(location)
      const isThere = entry?.ledgerId === ledgerId && entry.entryId === entryId
      if (!isThere) note(`entry ${entryId} of ledger ${ledgerId} is lost, which was acknowledged at ${location}`)
    }
  })

  readonly #afterClose = Effect.fnUntraced(function* (this: LogStorm, log: Log, note: (finding: string) => void) {
    const entry = this.#makeEntry(LedgerId.make(0n))
    const { entryId, ledgerId, payload } = entry
    const operations: ReadonlyArray<Named> = [
      { name: "append", run: log.append(ledgerId, entryId, payload) },
      { name: "appendAll", run: log.appendAll([entry, entry]) },
      { name: "sync", run: log.sync },
      { name: "logs", run: log.logs },
      { name: "scan", run: Stream.runDrain(log.scan()) },
      ...this.#appended.slice(0, 1).map((first) => ({
        name: "read",
        run: log.read(first.ledgerId, first.entryId, first.location)
      }))
    ]
    for (const { name, run } of operations) {
      const exit = yield* Patience.exitWithin(run, patience)
      if (Option.isSome(exit) && Exits.reasonOf(exit.value) === "Closed") this.#figures.closed += 1
      else note(`${name} after the close answered ${Exits.describe(exit)}`)
    }
  })
}

interface Named {
  readonly name: string
  readonly run: Effect.Effect<unknown, Exits.Failure>
}

/** The files of a directory, their sizes, and when they were changed. */
const listing = (directory: string): string =>
  Fs.readdirSync(directory)
    .toSorted()
    .map((name) => {
      const { mtimeMs, size } = Fs.statSync(Path.join(directory, name))
      return `${name} ${size} ${mtimeMs}`
    })
    .join("\n")
