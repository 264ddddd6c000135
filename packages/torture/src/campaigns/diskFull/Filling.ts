/**
 * Entry logs and their index on a file system that fills up.
 *
 * Entries are appended, synced and indexed until there is no room; then reads
 * must go on and writes say `NoSpace`, at once. With room again writes go on.
 * At the end all is closed, mostly while the disk is full, and opened again:
 * every acknowledged entry is there, byte for byte, and nothing else is counted.
 */
import { EntryId, LedgerId } from "@effect-bookie/entry-location-index"
import type { EntryLog } from "@effect-bookie/entry-log"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import type { Failure } from "../../harness/Exits.ts"
import type { Findings } from "../../harness/Findings.ts"
import type { Random } from "../../harness/Random.ts"
import type { Report } from "../../harness/Report.ts"
import * as Stack from "../../harness/Stack.ts"
import * as ThisEngine from "../../harness/ThisEngine.ts"
import { Acknowledged, type Services, currentServices, type Stored } from "../../model/Acknowledged.ts"

/** How long one operation may take on a full disk: to fail is all that it can do. */
const patience = "2 minutes"

/** In bytes: what the file system has room for besides the filler, in the beginning. */
const roomOf = (random: Random): number => 2_000_000 + random.below(2_000_000)

/** Fills a directory. */
export class Filling {
  readonly #directory: string
  readonly #random: Random
  readonly #findings: Findings
  readonly #acknowledged: Acknowledged
  readonly #figures = {
    fills: 0,
    acknowledged: 0,
    refused: 0,
    refusedByIndex: 0,
    read: 0,
    scans: 0,
    closedFull: 0,
    waitedForRoom: 0
  }
  #next = 0
  #step = "opening"
  #stepBegan = performance.now()
  /** What the last refusal said. */
  #refusal = ""
  /** Large payloads fill the logs first, none the index. */
  readonly #largestPayload: number

  constructor(directory: string, random: Random, findings: Findings) {
    this.#directory = directory
    this.#random = random
    this.#findings = findings
    this.#acknowledged = new Acknowledged(findings)
    this.#largestPayload = random.pick([0, 40, 400, 20_000])
  }

  /** What it is doing, for whoever wonders why it takes so long. */
  get status(): string {
    const seconds = ((performance.now() - this.#stepBegan) / 1000).toFixed(1)
    return `${this.#step}, for ${seconds} s; ${JSON.stringify(this.#figures)}`
  }

  #begin(step: string): void {
    this.#step = step
    this.#stepBegan = performance.now()
  }

  /** Does it all. */
  readonly run: Effect.Effect<Report> = Effect.gen({ self: this }, function* () {
    this.#fillExcept(roomOf(this.#random))
    const isClosedFull = yield* this.#whileOpen(this.#work(2 + this.#random.below(3)))
    if (isClosedFull) yield* this.#openWhileFull()
    this.#free()
    yield* this.#whileOpen((services) => Effect.as(this.#verifyAll(services), false))
    return { figures: this.#figures, found: this.#findings.all }
  })

  /** Opens everything, does something with it, and closes it in order. */
  readonly #whileOpen = Effect.fnUntraced(function* (
    this: Filling,
    use: (services: Services) => Effect.Effect<boolean>
  ) {
    const released: Array<string> = []
    const scope = yield* Scope.make()
    this.#begin("opening")
    const opened = yield* Effect.exit(Layer.buildWithScope(this.#layer(released), scope))
    if (Exit.isFailure(opened)) {
      this.#findings.add(`the open with room failed: ${Cause.pretty(opened.cause)}`)
      yield* Scope.close(scope, Exit.void)
      return false
    }
    const services = yield* Effect.provideContext(currentServices, opened.value)
    // What it has begun ends with it.
    const answer = yield* Effect.flatMap(Effect.forkChild(use(services)), Fiber.join)
    this.#begin("closing")
    const closed = yield* Effect.exit(this.#roomIfItWaits(Scope.close(scope, Exit.void)))
    if (Exit.isFailure(closed)) this.#findings.add(`the close failed: ${Cause.pretty(closed.cause)}`)
    const problem = Stack.problemOf(released)
    if (problem !== undefined) this.#findings.add(problem)
    return answer
  })

  /** The RocksDB of the Level engine cannot be closed while it recovers from a full disk: then it must with room. */
  readonly #roomIfItWaits = Effect.fnUntraced(function* (this: Filling, close: Effect.Effect<void>) {
    const closing = yield* Effect.forkChild(close)
    const inTime = yield* Effect.timeoutOption(Fiber.await(closing), "30 seconds")
    if (Option.isNone(inTime)) {
      this.#figures.waitedForRoom += 1
      this.#findings.check(ThisEngine.isLevel, "the close did not come to its end in 30 seconds")
      this.#free()
    }
    const closed = yield* Effect.timeoutOption(Fiber.join(closing), "3 minutes")
    this.#findings.check(Option.isSome(closed), "the close did not come to its end in 3 minutes")
  })

  #layer(released: Array<string>) {
    return Stack.layer({
      directory: this.#directory,
      database: { writeBufferSize: "128 KiB", shutdownDeadline: "2 minutes" },
      index: { compactionInterval: "5 millis", pageCacheSize: "128 KiB", memtableSize: "64 KiB" },
      logs: { maxLogSize: "2 MiB" },
      onRelease: (resource) => released.push(resource)
    })
  }

  /** Fills the disk so many times, and answers whether it is full at the end. */
  readonly #work = (fills: number) =>
    Effect.fnUntraced(function* (this: Filling, services: Services) {
      for (let readers = 0; readers < 4; readers++) yield* Effect.forkChild(this.#readOn(services))
      for (let fill = 1; fill <= fills; fill++) {
        yield* this.#fill(services)
        yield* this.#verifySome(services)
        if (fill === fills && !this.#random.oneIn(3)) {
          this.#figures.closedFull += 1
          return true
        }
        this.#free()
        yield* this.#goOn(services)
        yield* this.#verifySome(services)
        this.#fillExcept(roomOf(this.#random) / 4)
      }
      return false
    }).bind(this)

  /** Stores until there is no room, and some times more. */
  readonly #fill = Effect.fnUntraced(function* (this: Filling, services: Services) {
    this.#figures.fills += 1
    for (let refused = 0, stored = 0; refused < 5 && stored < maxBatches;) {
      const isStored = yield* this.#attempt(services)
      if (isStored) stored += 1
      else refused += 1
    }
  })

  /** Scans all the time. A scan may be told to try again, when the directory is opened anew under it, and nothing else. */
  readonly #readOn = Effect.fnUntraced(function* (this: Filling, { index }: Services) {
    while (true) {
      const ledgerId = LedgerId.make(BigInt(this.#random.below(ledgers)))
      const scan = Stream.runForEach(Stream.rechunk(index.entries(ledgerId), 64), () => Effect.yieldNow)
      const exit = yield* Effect.exit(Effect.timeoutOption(scan, patience))
      this.#figures.scans += 1
      yield* Effect.sleep("1 millis")
      if (Exit.isSuccess(exit) && Option.isSome(exit.value)) continue
      const reason = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none()
      if (Option.isSome(reason) && reason.value.isRetryable) continue
      this.#findings.add(`a scan answered ${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "nothing"}`)
    }
  })

  /** Once there is room, writes must go on, also the first one. */
  readonly #goOn = Effect.fnUntraced(function* (this: Filling, services: Services) {
    for (let attempts = 0; attempts < 4; attempts++) {
      if (yield* this.#attempt(services)) continue
      const { bavail, bsize } = Fs.statfsSync(this.#directory)
      this.#findings.add(`a write with room for ${bavail * bsize} bytes again was refused: ${this.#refusal}`)
    }
  })

  /** Stores a batch, or deletes a ledger; false if there is no room for that. */
  readonly #attempt = Effect.fnUntraced(function* (this: Filling, services: Services) {
    const isDelete = this.#random.oneIn(15)
    this.#begin(isDelete ? "deleting a ledger" : "storing a batch")
    const write = isDelete ? this.#delete(services) : this.#store(services)
    const exit = yield* Effect.exit(Effect.timeoutOption(write, patience))
    if (Exit.isSuccess(exit) && Option.isSome(exit.value)) return true
    this.#figures.refused += 1
    const reason = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none()
    this.#refusal = Option.isSome(reason) ? reason.value.message : "without an error"
    if (Option.isNone(reason) || reason.value.reason._tag !== "NoSpace") {
      this.#findings.add(
        `a write on a full disk answered ${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "nothing"}`
      )
    } else if (reason.value._tag === "RocksDBError") this.#figures.refusedByIndex += 1
    return false
  })

  #store(services: Services): Effect.Effect<void, Failure> {
    // Small entries in large batches, so that a disk is full in some seconds.
    const largest = this.#largestPayload < 400 ? 1_500 : 60
    const entries = Array.from({ length: 1 + this.#random.below(largest) }, () => this.#makeEntry())
    return Effect.map(this.#acknowledged.store(services, entries), (count) => {
      this.#figures.acknowledged += count
    })
  }

  #delete(services: Services): Effect.Effect<void, Failure> {
    return this.#acknowledged.deleteLedger(services, LedgerId.make(BigInt(this.#random.below(ledgers))))
  }

  /** An entry that was never stored before, far from the one before it, so that the index has much to write. */
  #makeEntry(): EntryLog.Entry {
    const number = this.#next++
    const payload = new Uint8Array(this.#random.below(this.#largestPayload + 1))
    for (let at = 0; at < payload.length; at += 64) payload[at] = this.#random.below(256)
    const ledgerId = LedgerId.make(BigInt(this.#random.below(ledgers)))
    return { ledgerId, entryId: EntryId.make(BigInt(number) * 300n), payload }
  }

  readonly #verifySome = Effect.fnUntraced(function* (this: Filling, services: Services) {
    this.#begin("reading some entries")
    const count = yield* Effect.exit(services.index.entryCount)
    if (!Exit.isSuccess(count) || count.value !== BigInt(this.#acknowledged.size)) {
      this.#findings.add(`the count is ${String(count)}, and ${this.#acknowledged.size} entries are acknowledged`)
    }
    const { all } = this.#acknowledged
    for (let count = 0; count < 100 && all.length > 0; count++) {
      const stored = all[this.#random.below(all.length)]
      if (stored !== undefined) yield* this.#verify(services, stored)
    }
  })

  readonly #verify = Effect.fnUntraced(function* (this: Filling, services: Services, stored: Stored) {
    this.#figures.read += 1
    const exit = yield* Effect.exit(Effect.timeout(this.#acknowledged.isThere(services, stored), patience))
    if (Exit.isFailure(exit)) {
      this.#findings.add(`an acknowledged entry cannot be read: ${Cause.pretty(exit.cause)}`)
    } else {
      const { entryId, ledgerId } = stored.entry
      this.#findings.check(exit.value, `entry ${entryId} of ledger ${ledgerId} is elsewhere, or has other bytes`)
    }
  })

  /** Every acknowledged entry is there, and the index has no other. */
  readonly #verifyAll = Effect.fnUntraced(function* (this: Filling, services: Services) {
    this.#begin("scanning everything")
    yield* this.#acknowledged.verifyIndex(services)
    yield* this.#acknowledged.verifyLogs(services)
    for (let samples = 0; samples < 10; samples++) yield* this.#verifySome(services)
  })

  /** An open on a full disk succeeds, or says so and leaves the directory as it was. */
  readonly #openWhileFull = Effect.fnUntraced(function* (this: Filling) {
    const scope = yield* Scope.make()
    this.#begin("opening on a full disk")
    const opened = yield* Effect.exit(Effect.timeoutOption(Layer.buildWithScope(this.#layer([]), scope), patience))
    const reason = Exit.isFailure(opened) ? Cause.findErrorOption(opened.cause) : Option.none()
    if (Exit.isFailure(opened) && !(Option.isSome(reason) && reason.value.reason._tag === "NoSpace")) {
      this.#findings.add(`an open on a full disk failed otherwise: ${Cause.pretty(opened.cause)}`)
    }
    yield* Effect.exit(Scope.close(scope, Exit.void))
  })

  /** Takes up all of the file system but so many bytes. */
  #fillExcept(room: number): void {
    const { bavail, bsize } = Fs.statfsSync(this.#directory)
    const size = bavail * bsize - room
    if (size <= 0) return
    try {
      Fs.writeFileSync(`${this.#directory}/filler`, Buffer.alloc(size))
    } catch (cause) {
      // RocksDB may have taken some of the room meanwhile: then the disk is full already.
      if (!(cause instanceof Error && "code" in cause && cause.code === "ENOSPC")) throw cause
    }
  }

  #free(): void {
    Fs.rmSync(`${this.#directory}/filler`, { force: true })
  }
}

const ledgers = 40

/** More than any of the disks has room for. */
const maxBatches = 20_000
