/**
 * Troubles that a file system can make, and what must hold in each: what fails
 * fails with a typed error and soon, the close comes to its end, and once the
 * trouble is over everything that was acknowledged is there.
 */
import { EntryId, LedgerId } from "@effect-bookie/entry-location-index"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Disk from "../../harness/Disk.ts"
import type { Failure } from "../../harness/Exits.ts"
import type { Findings } from "../../harness/Findings.ts"
import type { Random } from "../../harness/Random.ts"
import type { Report } from "../../harness/Report.ts"
import * as Stack from "../../harness/Stack.ts"
import { Acknowledged, type Services, currentServices } from "../../model/Acknowledged.ts"

/** A trouble. */
export interface Kind {
  readonly name: string
  /** What it needs of its own: nothing, a file system in memory, or a disk that can fail. */
  readonly needs: "nothing" | "file system" | "disk"
  /** Whether it begins before anything is open. */
  readonly beforeOpen: boolean
  /** Whether reads must go on. */
  readonly isReadable: boolean
  readonly begin: (directory: string, random: Random) => void
  readonly end: (directory: string) => void
  /** What a failure may be. */
  readonly reasons: ReadonlyArray<string>
}

const sub = (directory: string) => [`${directory}/data/index`, `${directory}/data/logs`]

const remount = (directory: string, mode: string): void => {
  const { status, stderr } = spawnSync("mount", ["-o", `remount,${mode}`, directory], { encoding: "utf8" })
  if (status !== 0) throw new Error(`mount -o remount,${mode}: ${stderr}`)
}

/** Lowers the size of the files that this process may write: what is past it fails with EFBIG. */
const limitFiles = (directory: string, size: string): void => {
  const { status, stderr } = spawnSync("prlimit", [`--fsize=${size}`, `--pid=${process.pid}`], { encoding: "utf8" })
  if (status !== 0) throw new Error(`prlimit at ${directory}: ${stderr}`)
}

const setMode = (directory: string, mode: number): void => {
  for (const path of sub(directory)) if (Fs.existsSync(path)) Fs.chmodSync(path, mode)
}

/** All of them. */
export const troubles: ReadonlyArray<Kind> = [
  {
    name: "not permitted",
    needs: "nothing",
    beforeOpen: true,
    isReadable: false,
    begin: (directory) => Fs.chmodSync(`${directory}/data`, 0o000),
    end: (directory) => Fs.chmodSync(`${directory}/data`, 0o700),
    reasons: ["IOError"]
  },
  {
    name: "not writable at the open",
    needs: "nothing",
    beforeOpen: true,
    isReadable: false,
    begin: (directory) => setMode(directory, 0o500),
    end: (directory) => setMode(directory, 0o700),
    reasons: ["IOError"]
  },
  {
    name: "not writable",
    needs: "nothing",
    beforeOpen: false,
    isReadable: true,
    begin: (directory) => setMode(directory, 0o500),
    end: (directory) => setMode(directory, 0o700),
    reasons: ["IOError"]
  },
  {
    name: "moved away",
    needs: "nothing",
    beforeOpen: false,
    isReadable: false,
    begin: (directory) => Fs.renameSync(`${directory}/data`, `${directory}/away`),
    end: (directory) => Fs.renameSync(`${directory}/away`, `${directory}/data`),
    // A log that is not open yet is not there.
    reasons: ["IOError", "NotFound"]
  },
  {
    name: "files too large",
    needs: "nothing",
    beforeOpen: false,
    isReadable: true,
    begin: (directory) => limitFiles(directory, "30000:unlimited"),
    end: (directory) => limitFiles(directory, "unlimited:unlimited"),
    reasons: ["IOError"]
  },
  {
    name: "read-only mount",
    needs: "file system",
    beforeOpen: true,
    isReadable: false,
    begin: (directory) => remount(directory, "ro"),
    end: (directory) => remount(directory, "rw"),
    reasons: ["IOError"]
  },
  {
    name: "failing disk",
    needs: "disk",
    beforeOpen: false,
    isReadable: false,
    begin: (directory, random) => Disk.fail(diskOf(directory), firstData + random.below(mostSpared)),
    end: (directory) => Disk.mend(diskOf(directory)),
    reasons: ["IOError"]
  },
  {
    name: "failing disk at the open",
    needs: "disk",
    beforeOpen: true,
    isReadable: false,
    begin: (directory) => Disk.fail(diskOf(directory), firstData),
    end: (directory) => Disk.mend(diskOf(directory)),
    reasons: ["IOError"]
  }
]

const diskOf = (directory: string): Disk.Disk => Disk.of(Path.dirname(directory))

/** In bytes: where a disk has the first block of a file. What lies before it, the file system needs. */
const firstData = 98 * 4096

/** In bytes: how much of the files a disk that fails may still read. */
const mostSpared = 1024 * 1024

/** How long an answer may take: nothing may be tried for ever. */
const patience = "2 minutes"

/** Brings a trouble upon a directory. */
export class Trouble {
  readonly #kind: Kind
  readonly #directory: string
  readonly #random: Random
  readonly #findings: Findings
  readonly #acknowledged: Acknowledged
  readonly #figures = { acknowledged: 0, refused: 0, read: 0, failedCloses: 0, eio: 0 }
  #next = 0

  constructor(kind: Kind, directory: string, random: Random, findings: Findings) {
    this.#kind = kind
    this.#directory = directory
    this.#random = random
    this.#findings = findings
    this.#acknowledged = new Acknowledged(findings)
  }

  /** Does it all. */
  readonly run: Effect.Effect<Report> = Effect.gen({ self: this }, function* () {
    yield* this.#healthy((services) => this.#storeSome(services, 20, true))
    if (this.#kind.beforeOpen) yield* this.#openInTrouble()
    else yield* this.#useInTrouble()
    yield* this.#healthy((services) => Effect.andThen(this.#verify(services, true), this.#storeSome(services, 5, true)))
    yield* this.#healthy((services) =>
      Effect.andThen(this.#verify(services, true), this.#acknowledged.verifyLogs(services))
    )
    return { figures: this.#figures, found: this.#findings.all }
  })

  get #open(): Effect.Effect<Services, Failure, Scope.Scope> {
    const layer = Stack.layer({
      directory: `${this.#directory}/data`,
      database: { writeBufferSize: "64 KiB", shutdownDeadline: "2 minutes" },
      index: { compactionInterval: "20 millis", pageCacheSize: 0, memtableSize: "4 KiB" },
      logs: { maxLogSize: "64 KiB" }
    })
    return Effect.flatMap(Layer.build(layer), (context) => Effect.provideContext(currentServices, context))
  }

  readonly #healthy = Effect.fnUntraced(function* (this: Trouble, use: (services: Services) => Effect.Effect<void>) {
    const exit = yield* Effect.exit(Effect.scoped(Effect.flatMap(this.#open, use)))
    if (Exit.isFailure(exit)) this.#findings.add(`without trouble: ${Cause.pretty(exit.cause)}`)
  })

  readonly #openInTrouble = Effect.fnUntraced(function* (this: Trouble) {
    this.#kind.begin(this.#directory, this.#random)
    const exit = yield* Effect.exit(Effect.timeoutOption(Effect.scoped(this.#open), patience))
    this.#kind.end(this.#directory)
    this.#figures.refused += 1
    if (!this.#isTyped(exit)) this.#findings.add(`the open answered ${describe(exit)}`)
  })

  /** The trouble comes while all is open and lasts until after the close, or ends before it. */
  readonly #useInTrouble = Effect.fnUntraced(function* (this: Trouble) {
    const scope = yield* Scope.make()
    const services = yield* Effect.orDie(Scope.provide(this.#open, scope))
    yield* this.#storeSome(services, 5, true)
    this.#kind.begin(this.#directory, this.#random)
    yield* this.#storeSome(services, 60, false)
    yield* this.#verify(services, this.#kind.isReadable)
    const endsBefore = this.#random.oneIn(2)
    if (endsBefore) {
      this.#kind.end(this.#directory)
      yield* this.#verify(services, this.#kind.isReadable)
    }
    const closed = yield* Effect.exit(Effect.timeoutOption(Scope.close(scope, Exit.void), "3 minutes"))
    if (Exit.isSuccess(closed) && Option.isNone(closed.value)) this.#findings.add("the close never came to its end")
    // What could not be synced makes the exit a failure.
    if (Exit.isFailure(closed)) this.#figures.failedCloses += 1
    if (!endsBefore) this.#kind.end(this.#directory)
  })

  /** Stores entries, some of which may be refused. */
  readonly #storeSome = Effect.fnUntraced(function* (
    this: Trouble,
    services: Services,
    batches: number,
    mustSucceed: boolean
  ) {
    for (let batch = 0; batch < batches; batch++) {
      const exit = yield* Effect.exit(Effect.timeoutOption(this.#store(services), patience))
      if (Exit.isSuccess(exit) && Option.isSome(exit.value)) continue
      this.#figures.refused += 1
      if (mustSucceed || !this.#isTyped(exit)) this.#findings.add(`a write answered ${describe(exit)}`)
    }
  })

  #store(services: Services): Effect.Effect<void, Failure> {
    const entries = Array.from({ length: 1 + this.#random.below(30) }, () => {
      const number = this.#next++
      const payload = Buffer.alloc(this.#random.below(400), `${number} `)
      return { ledgerId: LedgerId.make(BigInt(number % 7)), entryId: EntryId.make(BigInt(number)), payload }
    })
    return Effect.map(this.#acknowledged.store(services, entries), (count) => {
      this.#figures.acknowledged += count
    })
  }

  /** Reads what was acknowledged; what comes back is right, and where it must come back it does. */
  readonly #verify = Effect.fnUntraced(function* (this: Trouble, services: Services, isReadable: boolean) {
    const { all } = this.#acknowledged
    const samples = isReadable ? all : all.slice(-20)
    for (const stored of samples) {
      const exit = yield* Effect.exit(Effect.timeoutOption(this.#acknowledged.isThere(services, stored), patience))
      this.#figures.read += 1
      if (Exit.isSuccess(exit) && Option.isSome(exit.value)) {
        this.#findings.check(exit.value.value, `entry ${stored.entry.entryId} is elsewhere, or has other bytes`)
      } else if (isReadable || !this.#isTyped(exit)) this.#findings.add(`a read answered ${describe(exit)}`)
    }
  })

  #isTyped(exit: Exit.Exit<Option.Option<unknown>, Failure>): boolean {
    if (Exit.isSuccess(exit)) return false
    const error = Cause.findErrorOption(exit.cause)
    if (Option.isNone(error)) return false
    if (/\bEIO\b|input\/output error/i.test(error.value.message)) this.#figures.eio += 1
    return this.#kind.reasons.includes(error.value.reason._tag)
  }
}

const describe = (exit: Exit.Exit<Option.Option<unknown>, Failure>): string => {
  if (Exit.isFailure(exit)) {
    const error = Cause.findErrorOption(exit.cause)
    const tag = Option.isSome(error) ? `${error.value.reason._tag}: ` : ""
    return `${tag}${Cause.pretty(exit.cause)}`
  }
  return Option.isSome(exit.value) ? "as if nothing were wrong" : `nothing in ${patience}`
}
