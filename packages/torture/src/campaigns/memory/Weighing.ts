/**
 * Work without an end, and what this process weighs under it.
 *
 * Ledgers come and go, so that the data stays about as large; more writers ask
 * than the disk can serve, and streams are read more slowly than they could
 * be. Memory may grow while caches fill; after that it must not. Both are
 * measured by the work that was done: a slow machine takes longer.
 */
import { EntryId, EntryLocationIndex, LedgerId } from "@effect-bookie/entry-location-index"
import { EntryLog, type EntryLogError } from "@effect-bookie/entry-log"
import type { RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import type { Findings } from "../../harness/Findings.ts"
import type { Random } from "../../harness/Random.ts"
import type { Report } from "../../harness/Report.ts"

type Failure = RocksDBError.RocksDBError | EntryLogError.EntryLogError
type Work = Effect.Effect<void, Failure, EntryLocationIndex.EntryLocationIndex | EntryLog.EntryLog>

/** What the process weighs, in bytes. */
interface Weight {
  /** With what lies outside of it, such as the bytes of buffers. */
  readonly heap: number
  readonly resident: number
}

const writers = 64
const ledgersPerWriter = 8
const entriesPerBatch = 200
const slowReaders = 8

/**
 * In bytes: what the second half of the work may weigh more than the second quarter. The caches of RocksDB take their
 * time to fill, so what is resident says little of a short run.
 */
const slackOf = (entries: number): Weight => ({
  heap: 8 * 1024 * 1024,
  resident: (entries < 3_000_000 ? 192 : 96) * 1024 * 1024
})

/** Works, and weighs. */
export class Weighing {
  readonly #random: Random
  readonly #findings: Findings
  readonly #entries: number
  readonly #extraSeconds: number
  readonly #weights: Array<Weight> = []
  readonly #figures = { added: 0, deleted: 0, read: 0, looked: 0 }
  /** For each ledger how many entries were acknowledged. */
  readonly #counts = new Map<number, number>()
  #stopping = false

  /** Adds so many entries, and goes on for so many seconds after that. */
  constructor(random: Random, findings: Findings, entries: number, extraSeconds: number) {
    this.#random = random
    this.#findings = findings
    this.#entries = entries
    this.#extraSeconds = extraSeconds
  }

  /** Does it all. */
  readonly run = Effect.gen({ self: this }, function* () {
    const works: Array<Work> = []
    for (let writer = 0; writer < writers; writer++) works.push(this.#write(writer))
    for (let reader = 0; reader < slowReaders; reader++) works.push(this.#readSlowly, this.#scanSlowly, this.#lookUp)
    const running: Array<Fiber.Fiber<void, Failure>> = []
    for (const work of works) running.push(yield* Effect.forkChild(work))
    // A worker that fails must not leave the others waiting for its work.
    yield* Effect.raceFirst(
      this.#weighAll,
      Effect.asVoid(Effect.raceAllFirst(running.map((fiber) => Fiber.join(fiber))))
    )
    this.#stopping = true
    yield* Fiber.joinAll(running)
    yield* this.#verify()
    return this.#conclude()
  })

  /** Weighs each time that a part of the work is done. */
  readonly #weighAll = Effect.gen({ self: this }, function* () {
    const start = Date.now()
    for (let count = 1; count <= weighings; count++) {
      const entries = (this.#entries * count) / weighings
      const time = start + (this.#extraSeconds * 1000 * count) / weighings
      while (this.#figures.added < entries || Date.now() < time) yield* Effect.sleep("5 millis")
      this.#weights.push(weigh())
    }
  })

  /** Fills one ledger after another, and deletes the one that it has filled longest ago. */
  #write(writer: number): Work {
    return Effect.gen({ self: this }, function* () {
      const index = yield* EntryLocationIndex.EntryLocationIndex
      const entryLog = yield* EntryLog.EntryLog
      const directory = entryLog.directory
      for (let turn = 0; !this.#stopping; turn++) {
        const ledger = turn * writers + writer
        for (let batch = 0; batch < 4; batch++) {
          const entries = Array.from({ length: entriesPerBatch }, (_, at) => ({
            ledgerId: LedgerId.make(BigInt(ledger)),
            entryId: EntryId.make(BigInt(batch * entriesPerBatch + at)),
            payload
          }))
          const locations = yield* entryLog.appendAll(entries)
          yield* index.addLocations(
            entries.flatMap(({ entryId, ledgerId }, at) => {
              const location = locations[at]
              return location === undefined ? [] : [{ ledgerId, entryId, location }]
            })
          )
          this.#counts.set(ledger, (batch + 1) * entriesPerBatch)
          this.#figures.added += entriesPerBatch
        }
        const old = ledger - writers * ledgersPerWriter
        if (old < 0) continue
        yield* index.deleteLedger(LedgerId.make(BigInt(old)))
        this.#counts.delete(old)
        this.#figures.deleted += 1
        if (writer === 0 && turn % 8 === 0) removeOldLogs(directory)
      }
    })
  }

  /** Reads the entries of a ledger much more slowly than they come. */
  readonly #readSlowly: Work = Effect.gen({ self: this }, function* () {
    const index = yield* EntryLocationIndex.EntryLocationIndex
    while (!this.#stopping) {
      const entries = index.entries(LedgerId.make(BigInt(this.#someLedger())))
      yield* Stream.runForEach(Stream.rechunk(entries, 20), () =>
        Effect.suspend(() => {
          this.#figures.read += 1
          return this.#figures.read % 20 === 0 && !this.#stopping ? Effect.sleep("2 millis") : Effect.void
        })
      )
      yield* Effect.sleep("1 millis")
    }
  })

  /** Scans the logs much more slowly than it could. */
  readonly #scanSlowly: Work = Effect.gen({ self: this }, function* () {
    const entryLog = yield* EntryLog.EntryLog
    while (!this.#stopping) {
      const some = Stream.take(entryLog.scan(), 20_000)
      yield* Stream.runForEach(Stream.rechunk(some, 100), () =>
        Effect.suspend(() => {
          this.#figures.read += 1
          return this.#figures.read % 100 === 0 && !this.#stopping ? Effect.sleep("2 millis") : Effect.void
        })
      ).pipe(
        // A log that was removed under the scan.
        Effect.catchReason("EntryLogError", "NotFound", () => Effect.void)
      )
      yield* Effect.sleep("1 millis")
    }
  })

  /** Looks up what is in memory and what is not. */
  readonly #lookUp: Work = Effect.gen({ self: this }, function* () {
    const index = yield* EntryLocationIndex.EntryLocationIndex
    while (!this.#stopping) {
      const ledgerId = LedgerId.make(BigInt(this.#someLedger()))
      yield* index.getLocation(ledgerId, EntryId.make(BigInt(this.#random.below(1_000))))
      yield* index.getLastEntryInLedger(ledgerId)
      // What is not there is kept in memory too, and there is no end of it.
      const missing = Array.from({ length: 200 }, () => ({
        ledgerId: LedgerId.make(BigInt(0x1_0000_0000 + this.#random.below(0x7fff_ffff))),
        entryId: EntryId.make(0n)
      }))
      yield* index.getLocations(missing)
      this.#figures.looked += 2 + missing.length
      yield* Effect.yieldNow
    }
  })

  /** Nothing was dropped. */
  #verify(): Work {
    return Effect.gen({ self: this }, function* () {
      const index = yield* EntryLocationIndex.EntryLocationIndex
      let total = 0
      for (const [ledger, expected] of this.#counts) {
        const found = yield* Stream.runCount(index.entries(LedgerId.make(BigInt(ledger))))
        this.#findings.check(
          found === expected,
          `ledger ${ledger} has ${found} entries, and ${expected} were acknowledged`
        )
        total += expected
      }
      const count = yield* index.entryCount
      this.#findings.check(count === BigInt(total), `the index counts ${count} entries, and ${total} are there`)
    })
  }

  #someLedger(): number {
    const all = Math.max(...this.#counts.keys(), 0)
    return Math.max(0, all - this.#random.below(writers * ledgersPerWriter * 2))
  }

  #conclude(): Report {
    const middle = this.#weights.slice(weighings / 4, weighings / 2)
    const end = this.#weights.slice(weighings / 2)
    const slack = slackOf(this.#entries)
    const figures: Record<string, number> = { ...this.#figures }
    for (const kind of ["heap", "resident"] as const) {
      const before = Math.max(...middle.map((weight) => weight[kind]))
      const after = median(end.map((weight) => weight[kind]))
      figures[kind] = after
      figures[`${kind}Growth`] = after - before
      this.#findings.check(
        after - before <= slack[kind],
        `${kind}: ${mebibytes(before)} in the second quarter, and ${mebibytes(after)} in the second half`
      )
    }
    return { figures, found: this.#findings.all }
  }
}

const payload = Buffer.alloc(100, "payload ")

const weighings = 40

const weigh = (): Weight => {
  globalThis.gc?.()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed + external, resident: rss }
}

/** As BookKeeper's garbage collection does it: a log whose ledgers are all deleted goes. */
const removeOldLogs = (directory: string): void => {
  const logs = Fs.readdirSync(directory)
    .filter((name) => name.endsWith(".log"))
    .map((name) => Number.parseInt(name, 16))
    .toSorted((left, right) => left - right)
  for (const id of logs.slice(0, -keptLogs)) Fs.rmSync(`${directory}/${id.toString(16)}.log`)
}

const keptLogs = 12

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
