/**
 * Cycles of open, work and close on one directory, in this process.
 *
 * While fibers read, write, stream, compact and interrupt each other, and
 * scrapes run at full speed, the scope closes. Then every operation must answer
 * `Closed`, no series may be left, and the next open must find what was
 * acknowledged.
 */
import { EntryLocationIndex, EntryLocationMetrics } from "@effect-bookie/entry-location-index"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { type Engine, PropertyGauge, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Scope from "effect/Scope"
import * as Directory from "../../harness/Directory.ts"
import type { Findings } from "../../harness/Findings.ts"
import type * as Random from "../../harness/Random.ts"
import type { Report } from "../../harness/Report.ts"
import * as Stack from "../../harness/Stack.ts"
import * as Operations from "../../model/Operations.ts"
import { Keeper } from "./Keeper.ts"

/** What to do. */
export interface Options {
  readonly engine: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError>
  readonly directory: string
  readonly random: Random.Random
  readonly findings: Findings
  /** How many fibers work at once. */
  readonly fibers: number
  /** Whether to interrupt some opens half-way. */
  readonly abandonsOpens: boolean
  readonly cycles: number
  readonly extraSeconds: number
}

/** Runs the cycles. */
export const run = Effect.fnUntraced(function* (options: Options) {
  const storm = new Storm(options)
  let deadline = Infinity
  for (let cycle = 0; (cycle < options.cycles || Date.now() < deadline) && !storm.hung; cycle++) {
    yield* storm.cycle(cycle)
    if (cycle + 1 === options.cycles) deadline = Date.now() + options.extraSeconds * 1000
  }
  return storm.conclude
})

/** How long a close, or what it ends, may take. */
const patience = "3 minutes"

/** In cycles, of so many: descriptors and memory that grow after these are lost. */
const warmUpOf = (cycles: number): number => Math.max(10, Math.floor(cycles / 4))

/** In bytes: what the heap and the allocator may grow by in a thousand cycles without a leak. */
const slack = { heap: 8 * 1024 * 1024, resident: 64 * 1024 * 1024 }

class Storm {
  readonly #options: Options
  readonly #random: Random.Random
  readonly #findings: Findings
  readonly #keeper: Keeper
  readonly #figures = { cycles: 0, operations: 0, interrupted: 0, closed: 0, scrapes: 0, abandonedOpens: 0 }
  #baseline: { readonly files: number; readonly heap: number; readonly resident: number } | undefined
  /** Whether something never came back, so that nothing after it would tell more. */
  hung = false

  constructor(options: Options) {
    this.#options = options
    this.#random = options.random
    this.#findings = options.findings
    this.#keeper = new Keeper(options.fibers, this.#random, this.#findings)
  }

  /** Scrapes until it is interrupted. */
  readonly #scrape = Effect.forever(
    Effect.flatMap(PrometheusMetrics.format(), () => {
      this.#figures.scrapes += 1
      return Effect.yieldNow
    })
  )

  /** Opens, works, and closes in the middle of it. */
  readonly cycle = Effect.fnUntraced(function* (this: Storm, cycle: number) {
    this.#figures.cycles += 1
    if (this.#options.abandonsOpens && this.#random.oneIn(20)) yield* this.#abandonOpen()
    const scope = yield* Scope.make(this.#random.oneIn(4) ? "parallel" : "sequential")
    const released: Array<string> = []
    const layer = Layer.provide(
      this.#layer,
      Lifecycle.layer(({ _tag, resource }) =>
        Effect.sync(() => {
          if (_tag === "Released") released.push(resource)
        })
      )
    )
    const opened = yield* Effect.exit(Layer.buildWithScope(layer, scope))
    if (Exit.isFailure(opened)) {
      this.hung = true
      yield* Scope.close(scope, Exit.void)
      return this.#findings.add(`cycle ${cycle}: the open failed: ${Cause.pretty(opened.cause)}`)
    }
    const database = Context.get(opened.value, RocksDB.RocksDB)
    const index = Context.get(opened.value, EntryLocationIndex.EntryLocationIndex)
    const scraper = yield* Effect.forkChild(this.#scrape)
    yield* this.#keeper.verify(index, cycle)
    const running: Array<Fiber.Fiber<unknown, unknown>> = []
    for (let at = 0; at < this.#options.fibers; at++)
      running.push(yield* Effect.forkChild(this.#work(at, database, index, running)))
    yield* Effect.sleep(`${this.#random.below(25)} millis`)
    yield* this.#close(cycle, scope)
    const problem = Stack.problemOf(released)
    if (problem !== undefined) this.#findings.add(`cycle ${cycle}: ${problem}`)
    const ended = yield* Effect.timeoutOption(Fiber.awaitAll(running), patience)
    if (Option.isNone(ended)) {
      this.hung = true
      this.#findings.add(`cycle ${cycle}: fibers never came back from a closed database`)
    }
    yield* this.#afterClose(cycle, database, index)
    yield* Fiber.interrupt(scraper)
    yield* this.#resources(cycle)
  }).bind(this)

  /** What was done and found. */
  get conclude(): Report {
    return {
      figures: { ...this.#figures, acknowledged: this.#keeper.acknowledged, heldAgainst: this.#keeper.compared },
      found: this.#findings.all
    }
  }

  get #layer() {
    // Where hardly a page fits in, readers bring pages back while commits change them.
    const pageCacheSize = this.#random.pick(["4 KiB", "16 KiB", "256 KiB"] as const)
    const memtableSize = this.#random.pick(["4 KiB", "64 KiB", "96 MiB"] as const)
    return Layer.mergeAll(EntryLocationMetrics.layer, PropertyGauge.layerAll).pipe(
      Layer.provideMerge(EntryLocationIndex.layer({ compactionInterval: "2 millis", pageCacheSize, memtableSize })),
      Layer.provideMerge(
        RocksDB.layerWithoutEngine({
          path: this.#options.directory,
          shutdownDeadline: "2 minutes",
          writeBufferSize: "1 MiB"
        })
      ),
      Layer.provide(this.#options.engine),
      Layer.provide(PropertyGauge.layerSampleInterval("1 millis"))
    )
  }

  /** Interrupts an open half-way: it must leave nothing behind, least of all the lock. */
  readonly #abandonOpen = Effect.fnUntraced(function* (this: Storm) {
    this.#figures.abandonedOpens += 1
    const scope = yield* Scope.make()
    const opening = yield* Effect.forkChild(Layer.buildWithScope(this.#layer, scope))
    yield* Effect.sleep(`${this.#random.below(12)} millis`)
    yield* Fiber.interrupt(opening)
    yield* Scope.close(scope, Exit.void)
  })

  /** One of the fibers: works until it is told that the database is closed. */
  readonly #work = Effect.fnUntraced(function* (
    this: Storm,
    at: number,
    database: RocksDB.RocksDB["Service"],
    index: EntryLocationIndex.EntryLocationIndex["Service"],
    running: ReadonlyArray<Fiber.Fiber<unknown, unknown>>
  ) {
    for (let closed = 0; closed < 3;) {
      const { name, run } = this.#choose(at, database, index)
      const fiber = yield* Effect.forkChild(run)
      if (this.#random.oneIn(4)) {
        for (let yields = this.#random.below(4); yields > 0; yields--) yield* Effect.yieldNow
        fiber.interruptUnsafe()
      }
      if (this.#random.oneIn(500)) running[this.#random.below(running.length)]?.interruptUnsafe()
      const exit = yield* Fiber.await(fiber)
      this.#figures.operations += 1
      if (Exit.isSuccess(exit)) continue
      if (Cause.hasInterruptsOnly(exit.cause)) {
        this.#figures.interrupted += 1
        continue
      }
      if (isClosed(exit)) closed += 1
      else this.#findings.add(`${name} failed while the database closed: ${Cause.pretty(exit.cause)}`)
    }
  })

  #choose(
    at: number,
    database: RocksDB.RocksDB["Service"],
    index: EntryLocationIndex.EntryLocationIndex["Service"]
  ): Operations.Named {
    switch (this.#random.below(8)) {
      case 0:
      case 1:
        return { name: "add of its own", run: this.#keeper.add(index, at) }
      case 2:
        return { name: "read of its own", run: this.#keeper.read(index, at) }
      case 3:
        return { name: "read of another's", run: this.#keeper.readAny(index) }
    }
    const operations = this.#random.oneIn(3)
      ? Operations.ofDatabase(database, this.#random)
      : Operations.ofIndex(index, this.#random, [1000, 1016])
    const chosen = operations[this.#random.below(operations.length)]
    // A close waits for the compactions that run: a few are as good as many.
    const isTooMuch = chosen?.name.startsWith("compact") === true && !this.#random.oneIn(30)
    return chosen === undefined || isTooMuch ? { name: "get", run: database.get(Uint8Array.of(0xff)) } : chosen
  }

  /** Closes the scope, now and then twice at once. */
  readonly #close = Effect.fnUntraced(function* (this: Storm, cycle: number, scope: Scope.Closeable) {
    const close = Scope.close(scope, Exit.void)
    const closing = this.#random.oneIn(4) ? Effect.all([close, close], { concurrency: 2 }) : close
    const exit = yield* Effect.exit(Effect.timeoutOption(closing, patience))
    if (Exit.isFailure(exit)) this.#findings.add(`cycle ${cycle}: the close failed: ${Cause.pretty(exit.cause)}`)
    else if (Option.isNone(exit.value)) {
      this.hung = true
      this.#findings.add(`cycle ${cycle}: the close did not come to its end in ${patience}`)
    }
  })

  readonly #afterClose = Effect.fnUntraced(function* (
    this: Storm,
    cycle: number,
    database: RocksDB.RocksDB["Service"],
    index: EntryLocationIndex.EntryLocationIndex["Service"]
  ) {
    const all = [
      ...Operations.ofDatabase(database, this.#random),
      ...Operations.ofIndex(index, this.#random, [1000, 1016])
    ]
    for (const { name, run } of all) {
      const exit = yield* Effect.exit(Effect.timeout(run, patience))
      if (isClosed(exit)) this.#figures.closed += 1
      else this.#findings.add(`cycle ${cycle}: ${name} after the close answered ${String(exit)}`)
    }
    const scraped = yield* PrometheusMetrics.format()
    if (scraped.includes(this.#options.directory)) this.#findings.add(`cycle ${cycle}: a series outlived its database`)
  })

  readonly #resources = Effect.fnUntraced(function* (this: Storm, cycle: number) {
    const warmUp = warmUpOf(this.#options.cycles)
    if (cycle !== warmUp && (cycle < warmUp || cycle % 50 !== 0)) return
    // What native code frees, it frees once the garbage collector has found it.
    yield* Effect.sleep("20 millis")
    globalThis.gc?.()
    yield* Effect.sleep("20 millis")
    const files = Directory.openFiles() ?? []
    const { heapUsed, rss } = process.memoryUsage()
    this.#baseline ??= { files: files.length, heap: heapUsed, resident: rss }
    const { heap, resident } = this.#baseline
    this.#findings.check(
      files.length <= this.#baseline.files,
      `cycle ${cycle}: ${files.length} open files, but ${this.#baseline.files} in the beginning: ${files.join(", ")}`
    )
    this.#findings.check(
      heapUsed - heap <= slack.heap,
      `cycle ${cycle}: the heap grew from ${mebibytes(heap)} to ${mebibytes(heapUsed)}`
    )
    this.#findings.check(
      rss - resident <= slack.resident,
      `cycle ${cycle}: the resident memory grew from ${mebibytes(resident)} to ${mebibytes(rss)}`
    )
    Object.assign(this.#figures, { heapGrowth: heapUsed - heap, residentGrowth: rss - resident, files: files.length })
  })
}

/** Whether an exit is `Closed`; where its fiber was interrupted too, it may say so. */
const isClosed = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) &&
  Cause.hasFails(exit.cause) &&
  exit.cause.reasons.every((reason) =>
    Cause.isFailReason(reason) ? saysClosed(reason.error) : Cause.isInterruptReason(reason)
  )

const saysClosed = (error: unknown): boolean =>
  error instanceof Error && "reason" in error && (error.reason as { readonly _tag?: unknown })._tag === "Closed"

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
