/**
 * A database on a file system that fills up and is emptied again, so that it
 * opens its directory anew each time, while others try to open it, by each name
 * that the directory has.
 */
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Exits from "../../harness/Exits.ts"
import type { Findings } from "../../harness/Findings.ts"
import * as Patience from "../../harness/Patience.ts"
import * as Process from "../../harness/Process.ts"
import type { Random } from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"
import * as ThisEngine from "../../harness/ThisEngine.ts"

type Database = RocksDB.RocksDB["Service"]

/** How often the disk fills up. */
const fills = 6

/** How long one write may take on a full disk: to fail is all that it can do. */
const patience = "2 minutes"

/** In bytes: what is left for the database besides the filler. Of all that is written until the end, twice as much has room. */
const room = 1_500_000

/** Works in a directory that is a file system of its own. */
export class FullDisk {
  readonly #path: string
  readonly #bound: string
  readonly #filler: string
  readonly #random: Random
  readonly #findings: Findings
  readonly #acknowledged = new Map<number, Uint8Array>()
  readonly #figures = { fills: 0, full: 0, acknowledged: 0, refused: 0 }
  #next = 0

  constructor(directory: string, random: Random, findings: Findings) {
    this.#path = `${directory}/database`
    this.#bound = `${directory}/bound`
    this.#filler = `${directory}/filler`
    this.#random = random
    this.#findings = findings
  }

  /** Owns the database while `contend` runs, as a process of its own. */
  readonly run = Effect.fnUntraced(function* (
    this: FullDisk,
    contend: (paths: ReadonlyArray<string>) => Process.Command
  ) {
    Fs.mkdirSync(this.#path)
    Fs.mkdirSync(this.#bound)
    const { status, stderr } = spawnSync("mount", ["--bind", this.#path, this.#bound], { encoding: "utf8" })
    if (status !== 0) throw new Error(`mount --bind: ${stderr}`)
    yield* Effect.scoped(Effect.flatMap(this.#open(this.#path), (database) => this.#own(database, contend)))
    yield* Effect.scoped(Effect.flatMap(this.#open(this.#path), (database) => this.#verify(database)))
    const report: Report.Report = { figures: this.#figures, found: this.#findings.all }
    return report
  }, Effect.orDie)

  #open(path: string) {
    return Effect.provide(RocksDB.make({ path, writeBufferSize: "128 KiB" }), ThisEngine.layer)
  }

  readonly #own = Effect.fnUntraced(function* (
    this: FullDisk,
    database: Database,
    contend: (paths: ReadonlyArray<string>) => Process.Command
  ) {
    const contender = yield* Process.start(contend([this.#path, this.#bound]))
    yield* contender.printed("contending\n")
    for (let fill = 0; fill < fills && this.#findings.none; fill++) {
      this.#figures.fills += 1
      this.#fillExcept(room)
      for (let full = 0; full < 4;) if (!(yield* this.#write(database, false))) full += 1
      yield* this.#openAgain(fill % 2 === 0 ? this.#path : this.#bound)
      Fs.rmSync(this.#filler, { force: true })
      for (let count = 0; count < 4; count++) yield* this.#write(database, true)
    }
    yield* contender.kill("SIGTERM")
    const report = Report.read(yield* contender.ended)
    report.found.forEach((finding) => this.#findings.add(finding))
    this.#figures.refused += report.figures["refused"] ?? 0
    yield* this.#verify(database)
  })

  /** In the process that has it open, too. */
  readonly #openAgain = Effect.fnUntraced(function* (this: FullDisk, path: string) {
    const exit = yield* Effect.exit(Effect.scoped(this.#open(path)))
    if (Exits.reasonOf(exit) === "Locked") this.#figures.refused += 1
    else this.#findings.add(`in one process a second open of ${path} answered ${Exits.describe(Option.some(exit))}`)
  })

  /** Writes a value that is there only if it is acknowledged; false if there is no room for it. */
  readonly #write = Effect.fnUntraced(function* (this: FullDisk, database: Database, mustSucceed: boolean) {
    const number = this.#next++
    const value = Buffer.alloc(1 + this.#random.below(40_000), `${number} `)
    const exit = yield* Patience.exitWithin(database.put(keyOf(number), value), patience)
    if (Option.isSome(exit) && Exit.isSuccess(exit.value)) {
      this.#acknowledged.set(number, value)
      this.#figures.acknowledged += 1
      return true
    }
    this.#figures.full += 1
    const isFull = Option.isSome(exit) && Exits.reasonOf(exit.value) === "NoSpace"
    if (mustSucceed || !isFull) {
      this.#findings.add(`a write ${mustSucceed ? "with room" : "on a full disk"} answered ${Exits.describe(exit)}`)
    }
    return false
  })

  readonly #verify = Effect.fnUntraced(function* (this: FullDisk, database: Database) {
    const exit = yield* Effect.exit(Stream.runCollect(database.stream()))
    if (Exit.isFailure(exit)) return this.#findings.add(`a scan answered ${Exits.describe(Option.some(exit))}`)
    const found = exit.value
    for (const { key, value } of found) {
      const number = Buffer.from(key).readUInt32BE()
      const expected = this.#acknowledged.get(number)
      const isRight = expected !== undefined && Buffer.compare(expected, value) === 0
      this.#findings.check(isRight, `the value of ${number} is another one, or was never acknowledged`)
    }
    const lost = this.#acknowledged.size - found.length
    this.#findings.check(lost === 0, `${lost} of ${this.#acknowledged.size} acknowledged values are lost`)
  })

  /** Takes up all of the file system but so many bytes. */
  #fillExcept(left: number): void {
    const { bavail, bsize } = Fs.statfsSync(this.#path)
    const size = Math.max(0, bavail * bsize - left)
    try {
      Fs.writeFileSync(this.#filler, Buffer.alloc(size))
    } catch (cause) {
      // RocksDB may have taken some of the room meanwhile: then the disk is full already.
      if (!(cause instanceof Error && "code" in cause && cause.code === "ENOSPC")) throw cause
    }
  }
}

const keyOf = (number: number): Uint8Array => {
  const key = Buffer.alloc(4)
  key.writeUInt32BE(number)
  return key
}
